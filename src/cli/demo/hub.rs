//! The HTTP client of the demo: requests with retries that outlast a restart of the hub, and the WebSocket upgrade.

use super::print_progress;
use crate::backoff::Backoff;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONNECTION, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use reqwest::header::{HeaderMap, SEC_WEBSOCKET_VERSION};
use reqwest::{Client, Method, Response, StatusCode, Upgraded};
use serde_json::Value;
use std::time::Duration;
use thiserror::Error;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use uuid::Uuid;

/// Timeout of the first contact, after which the URL counts as wrong.
const FIRST_CONTACT: Duration = Duration::from_secs(30);
/// How long a request is retried afterwards; well below the 24 h for which the hub keeps an `Idempotency-Key`.
const PATIENCE: Duration = Duration::from_secs(12 * 3600);
/// Timeout of one attempt, beside the wait of a long-poll.
const ATTEMPT: Duration = Duration::from_secs(15);
/// How long the hub may hold a long-poll.
const LONG_POLL: Duration = Duration::from_secs(25);
/// The longest pause that `Retry-After` can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// An error between the demo and the hub.
#[derive(Debug, Error)]
pub(super) enum HubError {
    #[error("{setting}: {problem}")]
    Setting { setting: &'static str, problem: String },
    #[error("the hub refused {what}: {status} {code}: {message}")]
    Refused { what: String, status: u16, code: String, message: String },
    #[error("cannot reach the hub at {url}: {problem}")]
    Unreachable { url: String, problem: String },
    #[error("the hub closed the connection: {0}")]
    Disconnected(String),
    #[error("unexpected reply of the hub to {0}")]
    BadReply(String),
}

impl HubError {
    /// Whether the session has been closed.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == "SESSION_CLOSED")
    }
}

/// A failed attempt.
enum Failure {
    /// To be retried, after a time that the hub may have named.
    Passing(String, Option<Duration>),
    Lasting(HubError),
}

pub(super) struct Hub {
    client: Client,
    url: String,
    key: HeaderValue,
}

impl Hub {
    pub(super) fn new(url: &str, key: Option<&str>) -> Result<Self, HubError> {
        let bad = |problem: String| HubError::Setting { setting: "--url", problem };
        let url = url.trim_end_matches('/').to_owned();
        let parsed = reqwest::Url::parse(&url).map_err(|error| bad(error.to_string()))?;
        let mut builder = Client::builder().connect_timeout(Duration::from_secs(5));
        builder = match parsed.scheme() {
            "https" => builder,
            // Without TLS no certificate authorities are needed.
            "http" => builder.tls_certs_only([]),
            _ => return Err(bad("must begin with http:// or https://".to_owned())),
        };
        let client = builder.build().map_err(|error| bad(innermost(&error)))?;
        Ok(Self { client, url, key: header_value(key.unwrap_or_default())? })
    }

    pub(super) fn with_key(self, key: &str) -> Result<Self, HubError> {
        Ok(Self { key: header_value(key)?, ..self })
    }

    /// Waits until the hub answers at all.
    pub(super) async fn first_contact(&self) -> Result<(), HubError> {
        self.call(&Method::GET, "/livez", None, ATTEMPT, FIRST_CONTACT).await.map(drop)
    }

    /// Posts `body` once, however many attempts that takes.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, HubError> {
        self.call(&Method::POST, path, Some(body), ATTEMPT, PATIENCE).await
    }

    /// A long-poll for a message: returns it once it has settled, or as it is at the timeout.
    pub(super) async fn await_message(&self, session: &str, message: &str) -> Result<Value, HubError> {
        let wait = LONG_POLL.as_secs();
        let path = format!("/v1/agent/sessions/{session}/messages/{message}/await?timeout={wait}");
        self.call(&Method::GET, &path, None, LONG_POLL + ATTEMPT, PATIENCE).await
    }

    async fn call(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        attempt: Duration,
        patience: Duration,
    ) -> Result<Value, HubError> {
        let started = Instant::now();
        let mut backoff = Backoff::new();
        let idempotency_key = Uuid::now_v7().to_string();
        let mut is_reported = false;
        loop {
            let (problem, pause) = match self.attempt(method, path, body, attempt, &idempotency_key).await {
                Ok(reply) => return Ok(reply),
                Err(Failure::Lasting(error)) => return Err(error),
                Err(Failure::Passing(problem, pause)) => (problem, pause),
            };
            if started.elapsed() > patience {
                return Err(HubError::Unreachable { url: self.url.clone(), problem });
            }
            if !std::mem::replace(&mut is_reported, true) {
                print_progress(&format!("… {method} {path}: {problem}; trying again"));
            }
            tokio::time::sleep(pause.unwrap_or_default().max(backoff.next())).await;
        }
    }

    async fn attempt(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        timeout: Duration,
        idempotency_key: &str,
    ) -> Result<Value, Failure> {
        let mut request = self.client.request(method.clone(), self.at(path)).timeout(timeout);
        if !self.key.is_empty() {
            request = request.header("x-api-key", self.key.clone());
        }
        if let Some(body) = body {
            request = request.header("idempotency-key", idempotency_key).json(body);
        }
        let reply = request.send().await.map_err(|error| passing(&error))?;
        let (status, pause) = (reply.status(), retry_after(reply.headers()));
        let bytes = reply.bytes().await.map_err(|error| passing(&error))?;
        if status.is_success() {
            // Not every reply is an object.
            return Ok(serde_json::from_slice(&bytes).unwrap_or_default());
        }
        let error = refusal(&format!("{method} {path}"), status, &bytes);
        let again = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        ) || matches!(&error, HubError::Refused { code, .. } if code == "IDEMPOTENCY_IN_FLIGHT");
        Err(if again { Failure::Passing(format!("status {status}"), pause) } else { Failure::Lasting(error) })
    }

    /// Opens a WebSocket over a connection of the HTTP client. `Refused` is final; other errors may pass.
    pub(super) async fn socket(&self) -> Result<WebSocketStream<Upgraded>, HubError> {
        tokio::time::timeout(ATTEMPT, self.socket_now())
            .await
            .unwrap_or_else(|_| Err(self.out_of_reach("no reply in time".to_owned())))
    }

    async fn socket_now(&self) -> Result<WebSocketStream<Upgraded>, HubError> {
        let key = STANDARD.encode(random());
        let request = self
            .client
            .get(self.at("/v1/ws"))
            .header("x-api-key", self.key.clone())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key);
        let reply = request.send().await.map_err(|error| self.out_of_reach(innermost(&error)))?;
        if reply.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.no_upgrade(reply).await);
        }
        if reply.headers().get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes)
            != Some(derive_accept_key(key.as_bytes()).as_bytes())
        {
            return Err(HubError::BadReply("the WebSocket upgrade".to_owned()));
        }
        let stream = reply.upgrade().await.map_err(|error| self.out_of_reach(innermost(&error)))?;
        Ok(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
    }

    async fn no_upgrade(&self, reply: Response) -> HubError {
        let status = reply.status();
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
            return refusal("the WebSocket", status, &reply.bytes().await.unwrap_or_default());
        }
        self.out_of_reach(format!("status {status}"))
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn out_of_reach(&self, problem: String) -> HubError {
        HubError::Unreachable { url: self.url.clone(), problem }
    }
}

fn header_value(key: &str) -> Result<HeaderValue, HubError> {
    let bad = |_| HubError::Setting { setting: "--key", problem: "holds characters that no key has".to_owned() };
    let mut value = HeaderValue::from_str(key).map_err(bad)?;
    value.set_sensitive(true);
    Ok(value)
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    // The key guards nothing (RFC 6455 section 1.3): any bytes will do.
    let _ = getrandom::fill(&mut bytes);
    bytes
}

fn passing(error: &reqwest::Error) -> Failure {
    Failure::Passing(innermost(error), None)
}

/// The cause at the bottom, which says more than the layers above it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

fn refusal(what: &str, status: StatusCode, body: &[u8]) -> HubError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| body["error"][key].as_str().unwrap_or_default().to_owned();
    HubError::Refused { what: what.to_owned(), status: status.as_u16(), code: text("code"), message: text("message") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_named_when_they_are_wrong() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let problem = |url: &str, key| Hub::new(url, key).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(problem("ftp://host", None).starts_with("--url: "));
        assert!(problem("host", None).starts_with("--url: "));
        assert!(problem("http://host", Some("hlp_\n")).starts_with("--key: "));
        assert_eq!(problem("http://host/", Some("hlp_0")), "");
    }

    #[test]
    fn a_closed_session_is_told_from_other_refusals() {
        let body = br#"{"error":{"code":"SESSION_CLOSED","message":"The session is closed"}}"#;
        assert!(refusal("it", StatusCode::CONFLICT, body).is_closed());
        let other = refusal("POST /x", StatusCode::BAD_GATEWAY, b"<html>");
        assert!(!other.is_closed());
        assert_eq!(other.to_string(), "the hub refused POST /x: 502 : ");
    }

    #[test]
    fn pauses_are_bounded() {
        let pause = |value| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]));
        assert_eq!(pause("2"), Some(Duration::from_secs(2)));
        assert_eq!(pause("86400"), Some(LONGEST_PAUSE));
        assert_eq!(pause("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }
}
