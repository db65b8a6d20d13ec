//! The WebSocket handshake: checks of the request, its origin and its credential (contract section 8).

use super::connection;
use crate::auth::Caller;
use crate::auth::credential::{api_key_of, bearer_of, offered_protocols, protocol_token_of};
use crate::context::App;
use crate::domain::{ClientNetwork, Principal, Refusal};
use crate::net::ClientStream;
use crate::net::client_address::client_network;
use crate::net::web_origin::LocalAddress;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const PROTOCOL: &str = "hiloop.v1";

/// Replies to the handshake, and serves the connection in a task of its own.
pub async fn upgrade(app: App, mut request: Request) -> Result<Response, Refusal> {
    if request.version() < Version::HTTP_11 {
        return Err(Refusal::Invalid("A WebSocket handshake requires HTTP/1.1".to_owned()));
    }
    let headers = request.headers();
    let key = websocket_key(headers)?;
    check_origin(&app, &request)?;
    if app.draining.is_cancelled() {
        return Err(Refusal::Unavailable);
    }
    let since = std::time::Instant::now();
    let network = client_network(request.extensions(), headers, &app.config.trusted_proxies);
    let principal = principal(&app, headers, network).await?.map(|principal| (principal, since));
    let permit = match &principal {
        Some((principal, _)) => app.connections.hold(principal)?,
        None => app.connections.hold_unauthenticated(network)?,
    };
    let counted = (permit, app.connections.upgraded()?);
    let selected = offered_protocols(headers).any(|protocol| protocol == PROTOCOL);

    let upgrade = hyper::upgrade::on(&mut request);
    #[allow(clippy::disallowed_methods)] // ends with its connection, and catches its own panics
    tokio::spawn(async move {
        // The client may have gone before the upgrade.
        let Ok(upgraded) = upgrade.await else { return };
        let Ok(parts) = upgraded.downcast::<TokioIo<ClientStream>>() else {
            return tracing::error!("an upgraded connection has an unexpected type");
        };
        // Copied, since it may be a small part of a large buffer that would live as long as the socket.
        let early = parts.read_buf.to_vec();
        drop(parts.read_buf);
        connection::serve(app, parts.io.into_inner().into_inner(), early, principal, network, counted).await;
    });

    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::from_str(&derive_accept_key(&key)).map_err(|_| Refusal::Internal)?;
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if selected {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    }
    Ok(response)
}

/// Checks the handshake (RFC 6455 section 4.2.1); returns the client's key.
fn websocket_key(headers: &HeaderMap) -> Result<Vec<u8>, Refusal> {
    let has = |name: header::HeaderName, wanted: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|token| token.trim().eq_ignore_ascii_case(wanted))
    };
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return Err(Refusal::Invalid("Header 'Upgrade: websocket' is required".to_owned()));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(Refusal::Invalid("Header 'Sec-WebSocket-Version' must be 13".to_owned()));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
    let key =
        key.ok_or_else(|| Refusal::Invalid("Header 'Sec-WebSocket-Key' must be the base64 of 16 bytes".to_owned()))?;
    Ok(key.as_bytes().to_vec())
}

/// Checks the origin of a browser's page: the hub's own or a configured one. Other clients send no `Origin`. The `Host`
/// header is ignored, because a foreign page's host name may resolve to the hub.
fn check_origin(app: &App, request: &Request) -> Result<(), Refusal> {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    let local = request.extensions().get::<LocalAddress>().map(|local| local.0);
    if app.config.allowed_origins.contains(origin.to_str().unwrap_or_default(), local) {
        return Ok(());
    }
    Err(Refusal::Forbidden(
        "This origin is not allowed to open sockets; HILOOP_PUBLIC_URL and HILOOP_CORS_ORIGINS set the allowed origins"
            .to_owned(),
    ))
}

/// The principal of the credential in the headers; `None` if the client authenticates by its first frame.
async fn principal(app: &App, headers: &HeaderMap, from: ClientNetwork) -> Result<Option<Arc<Principal>>, Refusal> {
    if let Some((key, agent)) = api_key_of(headers)? {
        return match app.authenticator.api_key(key, agent, from).await? {
            Caller::Principal(principal) => Ok(Some(principal)),
            Caller::Provisioner(_) => Err(Refusal::Forbidden("A provisioner key opens no sockets".to_owned())),
        };
    }
    if let Some(token) = bearer_of(headers)? {
        return Ok(Some(app.authenticator.bearer(token, from).await?));
    }
    match protocol_token_of(headers) {
        Some(token) => Ok(Some(app.authenticator.any(token, None, from).await?)),
        None => Ok(None),
    }
}
