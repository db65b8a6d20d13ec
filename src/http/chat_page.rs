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

/// The content codings that the build has made of the larger files, and the ends of their names; the smallest one first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

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
    let is_compressed = ENCODINGS.iter().any(|(_, ending)| path.ends_with(ending));
    let Some(whole) = Files::get(path).filter(|_| !is_compressed) else {
        return error::reply(ErrorCode::NOT_FOUND, "There is nothing at this path");
    };
    let smaller = ENCODINGS.iter().filter(|(encoding, _)| accepts(headers, encoding));
    let smaller = smaller.filter_map(|(encoding, ending)| Some((*encoding, Files::get(&format!("{path}{ending}"))?)));
    let (encoding, file) = smaller.map(|(encoding, file)| (Some(encoding), file)).next().unwrap_or((None, whole));
    let tag = etag(&file);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        response.headers_mut().insert(header::VARY, HeaderValue::from_name(header::ACCEPT_ENCODING));
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
    headers.insert(header::VARY, HeaderValue::from_name(header::ACCEPT_ENCODING));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    security_headers::add(headers);
    response
}

/// Whether a request takes a content coding: it is listed, and not with the weight 0 (RFC 9110, 12.5.3).
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        is_named && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_is_accepted_by_name_unless_its_weight_is_zero() {
        for (value, brotli, gzip) in [
            ("gzip, deflate, br, zstd", true, true),
            ("br;q=0, gzip;q=0.5", false, true),
            ("BR ; Q=0.001", true, false),
            ("*", false, false),
            ("gzip;q=x", false, false),
            ("", false, false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!((accepts(&headers, "br"), accepts(&headers, "gzip")), (brotli, gzip), "{value}");
        }
        assert!(!accepts(&HeaderMap::new(), "br"));
    }
}
