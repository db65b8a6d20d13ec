//! The document of the socket's frames.

use super::security_headers;
use crate::protocol::asyncapi;
use axum::http::header;
use axum::response::{IntoResponse, Response};

/// The socket's frames
#[utoipa::path(
    get, path = "/asyncapi.json", operation_id = "getAsyncApi",
    responses((status = 200, description = "AsyncAPI 3.0", body = serde_json::Value)),
)]
pub async fn document() -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    let mut response = (headers, asyncapi::text()).into_response();
    security_headers::add_to_documents(response.headers_mut());
    response
}
