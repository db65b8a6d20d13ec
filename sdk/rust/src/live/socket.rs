//! A WebSocket over a connection of the HTTP client, which shares its proxy and TLS settings.

use crate::error::{Error, innermost};
use crate::http::Http;
use crate::net::{ATTEMPT, request_id};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{Response, StatusCode, Upgraded};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

const WHAT: &str = "the WebSocket";
/// The largest frame: an event holds a message of two fields of 256 KiB, each escaped at most.
const LARGEST: usize = 2 << 20;

/// Opens a WebSocket. An error that is not transient is final.
pub(super) async fn open(http: &Http) -> Result<WebSocketStream<Upgraded>, Error> {
    let late = |_| Err(unreachable("no reply in time"));
    tokio::time::timeout(ATTEMPT, handshake(http)).await.unwrap_or_else(late)
}

async fn handshake(http: &Http) -> Result<WebSocketStream<Upgraded>, Error> {
    let key = STANDARD.encode(random());
    let Some(request) = http.socket("/v1/ws") else { return Err(unreachable("there are none")) };
    let request = request
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key);
    let lost = |error: reqwest::Error| unreachable(innermost(&error));
    let reply = request.send().await.map_err(lost)?;
    if reply.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(reply).await);
    }
    let accepted = reply.headers().get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err(Error::unexpected(WHAT, "the handshake does not match"));
    }
    let stream = reply.upgrade().await.map_err(lost)?;
    let limits = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    Ok(WebSocketStream::from_raw_socket(stream, Role::Client, Some(limits)).await)
}

async fn refused(reply: Response) -> Error {
    let (status, id) = (reply.status(), request_id(reply.headers()));
    let error = Error::refused(WHAT, status.as_u16(), id, &reply.bytes().await.unwrap_or_default());
    // An error without a code is that of a proxy, which may not pass WebSockets on.
    if error.code.is_empty() { unreachable(format!("status {status}")) } else { error }
}

fn unreachable(problem: impl Into<String>) -> Error {
    Error::local(WHAT, Error::UNREACHABLE, problem)
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    // The key guards nothing (RFC 6455 section 1.3): any bytes will do.
    let _ = getrandom::fill(&mut bytes);
    bytes
}
