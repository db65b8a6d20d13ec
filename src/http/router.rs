//! Every route of the hub in one table.

use super::auth::{Agent, HumanOnly, Person};
use super::rate_limit::{self, RateLimits};
use super::{
    App, accounts, agents, asyncapi, audit, chat_page, docs, error, guests, humans, interactions, keys, live,
    long_poll, me, messages, openapi, ops, participants, public_keys, refresh_cookie,
};
use super::{request_id, sessions, sign_ins, socket, spaces, sse, timeline};
use crate::metrics::Metrics;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware;
use axum::routing::{delete, get, post, put};
use axum::{Extension, Router};
use std::sync::Arc;
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// The hub's router.
pub fn router(app: App) -> Router {
    let metrics = Arc::clone(&app.metrics);
    let cors = cors(&app.config.cors_origins);
    let mut api = Router::new()
        .nest("/v1/agent", agent())
        .nest("/v1/human", human())
        .nest("/v1/auth", auth().layer(middleware::from_fn_with_state(app.clone(), refresh_cookie::middleware)))
        .nest("/v1/manage", managing())
        .route("/v1/provision/agents", post(agents::provision))
        .route("/v1/ws", get(socket::open))
        .route("/metrics", get(ops::metrics));
    if let Some(limits) = RateLimits::new(&app) {
        api = api.route_layer(middleware::from_fn_with_state(limits, rate_limit::middleware));
    }
    let routes = Router::new()
        .merge(api)
        .route("/livez", get(ops::livez))
        .route("/readyz", get(ops::readyz).layer(Extension(Arc::<ops::Probe>::default())))
        .route("/openapi.json", get(openapi::openapi))
        .route("/asyncapi.json", get(asyncapi::document))
        .route("/docs", get(docs::index))
        .route("/", get(chat_page::index))
        .fallback(chat_page::file)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(app);
    let routes = match cors {
        Some(cors) => routes.layer(cors),
        None => routes,
    };
    finish(routes, metrics)
}

/// The router of the metrics port, for operators only: it requires no credential, and serves requests while the hub drains.
pub fn ops_router(app: App) -> Router {
    let metrics = Arc::clone(&app.metrics);
    let routes = Router::new()
        .route("/metrics", get(ops::open_metrics))
        .route("/livez", get(ops::livez))
        .route("/readyz", get(ops::readyz).layer(Extension(Arc::<ops::Probe>::default())))
        .fallback(ops::nothing_else)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(app);
    finish(routes, metrics)
}

/// Adds the middleware of every request.
fn finish(routes: Router, metrics: Arc<Metrics>) -> Router {
    routes.layer(middleware::from_fn_with_state(metrics, request_id::middleware))
}

fn agent() -> Router<App> {
    Router::new()
        .route("/me", get(me::agent))
        .route("/public-key", put(public_keys::put::<Agent>))
        .route("/humans", get(me::humans))
        .route("/agents", get(me::agents))
        .route("/sessions", post(sessions::create_by_agent).get(sessions::list::<Agent>))
        .route("/sessions/{id}", get(sessions::get::<Agent>).patch(sessions::update))
        .route("/sessions/{id}/messages", post(messages::post::<Agent>).get(messages::list::<Agent>))
        .route("/sessions/{id}/messages/{messageId}", get(messages::get::<Agent>))
        .route("/sessions/{id}/messages/{messageId}/await", get(long_poll::message))
        .route("/sessions/{id}/messages/{messageId}/acknowledge", post(messages::acknowledge))
        .route("/sessions/{id}/messages/{messageId}/cancel", post(messages::cancel))
        .route("/sessions/{id}/await", get(long_poll::session))
        .route("/answers", get(messages::answers))
        .route("/sessions/{id}/timeline", get(timeline::list::<Agent>))
        .route("/sessions/{id}/events", get(sse::events::<Agent>))
        .route("/sessions/{id}/close", post(sessions::close::<Agent>))
        .route("/sessions/{id}/archive", post(sessions::archive))
        .route("/sessions/{id}/keys", get(public_keys::of_session::<Agent>))
        .route("/sessions/{id}/participants", post(participants::add).get(participants::list::<Agent>))
        .route("/sessions/{id}/participants/{participantId}", delete(participants::remove))
        .route("/sessions/{id}/guest-tokens", post(guests::create).get(guests::list))
        .route("/sessions/{id}/guest-tokens/{tokenId}", delete(guests::revoke))
        .route("/sessions/{id}/typing", post(live::typing::<Agent>))
        .route("/interactions", post(interactions::create).get(interactions::list::<Agent>))
        .route("/interactions/{id}", get(interactions::get::<Agent>))
        .route("/interactions/{id}/await", get(long_poll::interaction))
        .route("/interactions/{id}/cancel", post(interactions::cancel))
        .route("/interactions/{id}/acknowledge", post(interactions::acknowledge))
        .route("/interactions/{id}/messages", post(interactions::post_message).get(interactions::messages))
        .route("/interactions/{id}/blocks", post(interactions::push_blocks))
}

fn human() -> Router<App> {
    Router::new()
        .route("/me", get(me::person))
        .route("/public-key", put(public_keys::put::<Person>))
        .route(
            "/key-backup",
            get(public_keys::get_backup).put(public_keys::put_backup).delete(public_keys::delete_backup),
        )
        .route("/password", post(sign_ins::change_password))
        .route("/sign-ins", get(sign_ins::list))
        .route("/sign-ins/{id}", delete(sign_ins::end))
        .route("/feed", get(sessions::feed))
        .route("/agents", get(me::agents_of_human))
        .route("/sessions", post(sessions::create_by_human).get(sessions::list::<Person>))
        .route("/sessions/{id}", get(sessions::get::<Person>))
        .route("/sessions/{id}/messages", post(messages::post::<Person>).get(messages::list::<Person>))
        .route("/sessions/{id}/messages/{messageId}", get(messages::get::<Person>))
        .route("/sessions/{id}/timeline", get(timeline::list::<Person>))
        .route("/sessions/{id}/events", get(sse::events::<Person>))
        .route("/sessions/{id}/close", post(sessions::close::<HumanOnly>))
        .route("/sessions/{id}/keys", get(public_keys::of_session::<Person>))
        .route("/sessions/{id}/participants", get(participants::list::<Person>))
        .route("/sessions/{id}/typing", post(live::typing::<Person>))
        .route("/sessions/{id}/read", post(live::read))
        .route("/interactions", get(interactions::list::<Person>))
        .route("/interactions/{id}", get(interactions::get::<Person>))
        .route("/interactions/{id}/respond", post(interactions::respond))
}

fn auth() -> Router<App> {
    Router::new()
        .route("/login", post(accounts::login))
        .route("/refresh", post(accounts::refresh))
        .route("/logout", post(accounts::logout))
        .route("/setup", post(accounts::setup))
}

fn managing() -> Router<App> {
    Router::new()
        .route("/keys", post(keys::create).get(keys::list))
        .route("/keys/{id}", delete(keys::revoke))
        .route("/agents", post(agents::create).get(agents::list))
        .route("/agents/{id}", delete(agents::deactivate))
        .route("/humans", post(humans::create).get(humans::list))
        .route("/humans/{id}", delete(humans::deactivate))
        .route("/humans/{id}/setup-link", post(humans::create_setup_link))
        .route("/spaces", post(spaces::create).get(spaces::list))
        .route("/spaces/{id}", delete(spaces::deactivate))
        .route("/attestations/{principalId}", put(public_keys::attest))
        .route("/audit", get(audit::list))
}

/// CORS for the configured origins, if there are any.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    let header = HeaderName::from_static;
    Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header("x-api-key"),
                header("x-hiloop"),
                header("x-request-id"),
                header("idempotency-key"),
                header("last-event-id"),
                header("prefer"),
            ])
            .expose_headers([
                header("x-request-id"),
                header("idempotent-replayed"),
                header("ratelimit"),
                header("ratelimit-policy"),
                header::RETRY_AFTER,
            ])
            .max_age(Duration::from_secs(3600)),
    )
}
