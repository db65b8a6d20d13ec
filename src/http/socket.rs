//! The WebSocket handshake as a route.

use super::{ApiError, App, error};
use crate::domain::Refusal;
use crate::protocol::error::ErrorCode;
use crate::protocol::openapi::errors::UpgradeRequired;
use crate::ws;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

/// Open a socket
///
/// The credential is sent in a header, as `Sec-WebSocket-Protocol: hiloop.v1, hiloop.bearer.TOKEN`, or in an `auth` frame
/// within 10 seconds; never in the URL. The `Origin` of a browser must be the hub's own or a configured one.
#[utoipa::path(
    get, path = "/ws", operation_id = "openSocket",
    params(
        ("Connection" = String, Header, description = "`Upgrade`."),
        ("Upgrade" = String, Header, description = "`websocket`."),
        ("Sec-WebSocket-Version" = i64, Header, minimum = 13, maximum = 13),
        ("Sec-WebSocket-Key" = String, Header, min_length = 24, max_length = 24),
        ("Sec-WebSocket-Protocol" = Option<String>, Header, description = "`hiloop.v1`, optionally followed by `hiloop.bearer.TOKEN`."),
    ),
    responses((status = 101, description = "The socket is open; the first frame of the hub is `hello`"), UpgradeRequired),
)]
pub async fn open(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let headers = request.headers();
    let other_version = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version != "13");
    match ws::upgrade(app, request).await {
        // RFC 6455 section 4.4: a client may support several versions.
        Err(Refusal::Invalid(text)) if other_version => {
            let mut response = error::reply(ErrorCode::VALIDATION_ERROR, &text);
            *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
            response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            Ok(response)
        }
        outcome => Ok(outcome?),
    }
}
