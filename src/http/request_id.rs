//! `X-Request-Id` on every reply; a line of log and a figure for each request: never a body, a header or a query.

use crate::metrics::Metrics;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Stands for every path that is no route: pages, and what is not there.
const NO_ROUTE: &str = "none";

/// The method, if it is one of those that routes have: a client may make up any number of others.
fn known(method: &Method) -> &str {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
        _ => "other",
    }
}

/// Takes the caller's id or makes one, and returns it.
pub async fn middleware(State(metrics): State<Arc<Metrics>>, mut request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(&REQUEST_ID)
        .filter(|value| (1..=128).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic));
    let id = given.cloned().unwrap_or_else(|| {
        // A UUID is always a valid header value.
        HeaderValue::from_str(&Uuid::now_v7().to_string()).unwrap_or(HeaderValue::from_static("unknown"))
    });
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
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
    response.headers_mut().insert(REQUEST_ID, id);
    response
}
