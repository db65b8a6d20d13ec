//! The chat page, from files that were built into the program.

use super::{docs, error, security_headers};
use crate::protocol::error::ErrorCode;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// The built chat, or (from a build without Node) a page with build instructions. See `build.rs`.
#[derive(RustEmbed)]
#[folder = "$OUT_DIR/web"]
struct Files;

/// The web chat
#[utoipa::path(
    get, path = "/", operation_id = "getChat",
    responses((status = 200, description = "The page", body = String, content_type = "text/html"), (status = 304, description = "Not modified")),
)]
pub async fn index(headers: HeaderMap) -> Response {
    serve("index.html", &headers)
}

/// A file of this page or of `/docs`, else 404. Methods other than GET and HEAD get 405.
pub async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let file = match path.strip_prefix("docs/").and_then(docs::file) {
        Some(file) => file,
        None => serve(path, &headers),
    };
    if file.status() == StatusCode::NOT_FOUND || [Method::GET, Method::HEAD].contains(&method) {
        return file;
    }
    let mut refused = error::method_not_allowed().await;
    refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD"));
    refused
}

fn serve(path: &str, headers: &HeaderMap) -> Response {
    let Some(file) = Files::get(path) else {
        return error::reply(ErrorCode::NOT_FOUND, "There is nothing at this path");
    };
    let tag = etag(&file);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        security_headers::add(response.headers_mut());
        return response;
    }
    // Names under assets/ carry a hash of their content.
    let lasting = path.starts_with("assets/");
    let caching = if lasting { "public, max-age=31536000, immutable" } else { "no-cache" };
    let kind = mime_guess::from_path(path).first_or_octet_stream().to_string();
    let mut response = file.data.into_owned().into_response();
    let headers = response.headers_mut();
    for (name, value) in
        [(header::CONTENT_TYPE, kind.as_str()), (header::CACHE_CONTROL, caching), (header::ETAG, tag.as_str())]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    security_headers::add(headers);
    response
}

fn etag(file: &EmbeddedFile) -> String {
    use std::fmt::Write as _;
    let mut tag = String::from("\"");
    for byte in &file.metadata.sha256_hash()[..16] {
        // Writing to a String can't fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}
