//! The middleware of every request: `X-Request-Id` on every reply; `no-store` and `nosniff` on replies of the API and on
//! errors; an access log line and a metric for each request, never with a body, a header or a query; a 500 where a handler
//! panics; a lingering close where a body is left unread.
//!
//! It is one layer, because each layer costs every request time, and every waiting request memory.

use super::{error, lingering_close};
use crate::metrics::Metrics;
use crate::protocol::error::ErrorCode;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The label of every path that is no route: web pages, and paths that do not exist.
const NO_ROUTE: &str = "none";

/// The method as a label. Clients can send any number of other methods, so these share one.
fn known(method: &Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
        _ => "other",
    }
}

/// Takes the caller's request id or makes one, runs the request, and completes the reply.
pub async fn middleware(State(metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(&REQUEST_ID)
        .filter(|value| (1..=128).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic));
    let unknown = HeaderValue::from_static("unknown");
    let id = match given {
        // Copied, since it is a part of the whole head, which would stay in memory as long as the request is at work.
        Some(given) => HeaderValue::from_bytes(given.as_bytes()).unwrap_or(unknown),
        // A UUID is always a valid header value.
        None => HeaderValue::from_str(&Uuid::now_v7().to_string()).unwrap_or(unknown),
    };
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let is_api = request.uri().path().starts_with("/v1/");
    let started = Instant::now();
    let handled = AssertUnwindSafe(next.run(lingering_close::guard(request))).catch_unwind();
    let handled = handled.instrument(span.clone()).await;
    let mut response = handled.unwrap_or_else(|_| span.in_scope(panicked));
    let (status, took) = (response.status().as_u16(), started.elapsed());
    let method = known(&method);
    metrics.request(method, route, status, took);
    span.in_scope(|| {
        let millis = took.as_millis();
        if status >= 500 {
            tracing::warn!(target: "hiloop::access", method, route, status, millis, "failed");
        } else {
            tracing::debug!(target: "hiloop::access", method, route, status, millis, "done");
        }
    });
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    if is_api || status >= 400 {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    response
}

/// A handler panicked: logged without the panic's text, which might hold content, and a 500 for the caller.
fn panicked() -> Response {
    tracing::error!("a handler panicked");
    error::reply(ErrorCode::INTERNAL, "Internal error")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::{Router, middleware};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn a_panic_of_a_handler_gets_a_complete_error_reply() {
        async fn broken() -> Response {
            tokio::task::yield_now().await;
            panic!("a bug for this test")
        }
        let metrics = Arc::new(Metrics::new().expect("valid metric names"));
        let routes = Router::new()
            .fallback(broken)
            .layer(middleware::from_fn_with_state(Arc::clone(&metrics), super::middleware));
        let request = Request::get("/anything").header("x-request-id", "mine").body(Body::empty()).expect("a request");
        let Ok(response) = routes.oneshot(request).await;
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(
            (response.status().as_u16(), &response.headers()[REQUEST_ID]),
            (500, &HeaderValue::from_static("mine"))
        );
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("\"INTERNAL\""), "{body:?}");
        let text = metrics.render(&crate::metrics::ScrapeValues::default()).expect("text");
        assert!(text.contains(r#"route="none",status="500""#), "{text}");
    }
}
