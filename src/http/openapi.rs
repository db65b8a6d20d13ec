//! The handlers of the OpenAPI document, by section; [`crate::protocol::openapi`] builds the document.
//!
//! Each handler is described by its `#[utoipa::path]`. `router.rs` has the routes; a test checks that both list the same
//! operations.

use super::{
    accounts, agents, asyncapi, audit, chat_page, docs, guests, humans, interactions, keys, live, long_poll, me,
    messages, ops, participants, public_keys,
};
use super::{security_headers, sessions, sign_ins, socket, spaces, sse, timeline};
use crate::protocol::error::{AlreadyResponded, LimitReached};
use crate::protocol::event::Event;
use crate::protocol::openapi::{Credential, Section, complete};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;
use utoipa::OpenApi;

const ABOUT: &str = "A self-hosted real-time messaging hub through which AI agents and people talk.\n\n\
    The base path is `/v1`. Requests and replies are JSON. Unknown keys of a request are ignored; a key of a reply \
    without a value is `null`, not absent. Ids are UUIDs that sort by time. Every error has the same shape: \
    `{\"error\":{\"code\",\"message\",\"details\"?}}`; an unknown path is a 404, an unsupported method a 405 \
    `METHOD_NOT_ALLOWED`. Live events are sent over a WebSocket: `/asyncapi.json` describes its frames.";

#[derive(OpenApi)]
#[openapi(paths(
    me::agent,
    public_keys::put,
    me::humans,
    me::agents,
    sessions::create_by_agent,
    sessions::list,
    sessions::get,
    sessions::update,
    sessions::close,
    sessions::archive,
    messages::post,
    messages::list,
    messages::get,
    messages::acknowledge,
    messages::answers,
    messages::cancel,
    long_poll::message,
    long_poll::session,
    timeline::list,
    sse::events,
    public_keys::of_session,
    participants::list,
    participants::add,
    participants::remove,
    guests::create,
    guests::list,
    guests::revoke,
    live::typing,
    interactions::create,
    interactions::list,
    interactions::get,
    interactions::cancel,
    interactions::acknowledge,
    interactions::post_message,
    interactions::messages,
    interactions::push_blocks,
    long_poll::interaction,
))]
struct AgentApi;

#[derive(OpenApi)]
#[openapi(paths(
    me::person,
    public_keys::put,
    public_keys::get_backup,
    public_keys::put_backup,
    public_keys::delete_backup,
    me::agents_of_human,
    sign_ins::change_password,
    sign_ins::list,
    sign_ins::end,
    sessions::feed,
    sessions::create_by_human,
    sessions::list,
    sessions::get,
    sessions::close,
    messages::post,
    messages::list,
    messages::get,
    timeline::list,
    sse::events,
    public_keys::of_session,
    participants::list,
    live::typing,
    live::read,
    interactions::list,
    interactions::get,
    interactions::respond,
))]
struct HumanApi;

#[derive(OpenApi)]
#[openapi(paths(accounts::login, accounts::refresh, accounts::logout, accounts::setup))]
struct AuthApi;

#[derive(OpenApi)]
#[openapi(paths(
    keys::create,
    keys::list,
    keys::revoke,
    agents::create,
    agents::list,
    agents::deactivate,
    humans::create,
    humans::list,
    humans::deactivate,
    humans::create_setup_link,
    spaces::create,
    spaces::list,
    spaces::deactivate,
    public_keys::attest,
    audit::list,
))]
struct ManageApi;

#[derive(OpenApi)]
#[openapi(paths(agents::provision))]
struct ProvisionApi;

#[derive(OpenApi)]
#[openapi(paths(ops::metrics))]
struct MetricsApi;

#[derive(OpenApi)]
#[openapi(paths(socket::open))]
struct SocketApi;

#[derive(OpenApi)]
#[openapi(paths(ops::livez, ops::readyz, openapi, asyncapi::document, docs::index, chat_page::index))]
struct OperationsApi;

#[derive(OpenApi)]
#[openapi(
    info(title = "Hiloop Hub", description = ABOUT, license(name = "MIT", identifier = "MIT")),
    servers((url = "/")),
    components(schemas(Event, AlreadyResponded, LimitReached)),
)]
struct Hub;

const SECTIONS: &[Section] = &[
    Section {
        tag: "Agent",
        about: "For agents. An API key acts as its own agent, or as the agent named by `X-Hiloop`.",
        prefix: "/v1/agent",
        credential: Credential::Key,
        api: AgentApi::openapi,
    },
    Section {
        tag: "Human",
        about: "For people. A JWT of a human, or a guest token, which gives access to one session.",
        prefix: "/v1/human",
        credential: Credential::Bearer,
        api: HumanApi::openapi,
    },
    Section {
        tag: "Auth",
        about: "Accounts of the hub: sign in, refresh, sign out.",
        prefix: "/v1/auth",
        credential: Credential::Body,
        api: AuthApi::openapi,
    },
    Section {
        tag: "Manage",
        about: "Management of a space's keys, agents and humans requires a key with `manage` or the token of an admin; management of spaces requires a key with `owner`.",
        prefix: "/v1/manage",
        credential: Credential::Manager,
        api: ManageApi::openapi,
    },
    Section {
        tag: "Provision",
        about: "A provisioner key can only create agents.",
        prefix: "/v1/provision",
        credential: Credential::Provisioner,
        api: ProvisionApi::openapi,
    },
    Section {
        tag: "Socket",
        about: "Live events. `/asyncapi.json` describes the frames.",
        prefix: "/v1",
        credential: Credential::Any,
        api: SocketApi::openapi,
    },
    Section {
        tag: "Metrics",
        about: "Metrics for Prometheus. Requires a key with `manage`, except on the separate metrics port.",
        prefix: "",
        credential: Credential::Key,
        api: MetricsApi::openapi,
    },
    Section {
        tag: "Operations",
        about: "Health checks, API documents and web pages.",
        prefix: "",
        credential: Credential::None,
        api: OperationsApi::openapi,
    },
];

/// The document's JSON.
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let document = complete(Hub::openapi(), SECTIONS);
        serde_json::to_string_pretty(&document).unwrap_or_default()
    });
    &TEXT
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getOpenApi",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)),
)]
pub async fn openapi() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    let mut response = (StatusCode::OK, headers, text()).into_response();
    security_headers::add_to_documents(response.headers_mut());
    response
}
