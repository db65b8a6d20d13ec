//! `/docs`: the OpenAPI document as an interactive page. All its files are embedded in the program.

use super::security_headers;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use utoipa_swagger_ui::Config;

const INDEX: &str = include_str!("docs/index.html");
const START: &str = include_str!("docs/start.js");
const STYLE: &str = include_str!("docs/style.css");

/// The interactive API reference
#[utoipa::path(
    get, path = "/docs", operation_id = "getDocs",
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
)]
pub async fn index() -> Response {
    serve("text/html", INDEX.as_bytes().into())
}

/// A file of the page, by its name under `docs/`; without a name, the page itself.
pub fn file(name: &str) -> Option<Response> {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(Arc::default);
    match name {
        // The links are relative, so that a proxy may serve the hub under a path prefix.
        "" => {
            let page = INDEX.replace("\"openapi.json", "\"../openapi.json").replace("\"docs/", "\"");
            Some(serve("text/html", page.into_bytes().into()))
        }
        "start.js" => Some(serve("text/javascript", START.as_bytes().into())),
        "style.css" => Some(serve("text/css", STYLE.as_bytes().into())),
        "swagger-ui-bundle.js" | "swagger-ui.css" => {
            let file = utoipa_swagger_ui::serve(name, Arc::clone(&CONFIG)).ok()??;
            Some(serve(&file.content_type, file.bytes))
        }
        _ => None,
    }
}

fn serve(kind: &str, bytes: Cow<'static, [u8]>) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")];
    let mut response = (headers, Body::from(Bytes::from_owner(bytes))).into_response();
    security_headers::add_to_documents(response.headers_mut());
    response
}
