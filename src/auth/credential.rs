//! The credential of a request, from its headers (contract section 2).

use crate::domain::Refusal;
use crate::store::SecretHash;
use axum::http::{HeaderMap, HeaderName, header};
use sha2::{Digest as _, Sha256};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const ACTING_AGENT: HeaderName = HeaderName::from_static("x-hiloop");
/// Prefix of the token among the WebSocket protocols that a browser offers.
const BEARER_PROTOCOL: &str = "hiloop.bearer.";

fn unauthorized(text: &str) -> Refusal {
    Refusal::Unauthorized(text.to_owned())
}

/// The text of a header. A value that is not visible ASCII is an invalid credential. So is a header that is sent twice, of
/// which a proxy in front may have checked the other one.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(unauthorized("The credential must be sent once"));
    }
    value.to_str().map(Some).map_err(|_| unauthorized("The credential is not valid"))
}

/// The agent that the request names in `X-Hiloop`.
fn acting_agent(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(&ACTING_AGENT).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Invalid("Header 'X-Hiloop' must be sent once".to_owned()));
    }
    value.to_str().map(Some).map_err(|_| Refusal::Invalid("Header 'X-Hiloop' must be visible ASCII".to_owned()))
}

/// The API key of a request with the agent that it is to act as.
pub fn api_key_of(headers: &HeaderMap) -> Result<Option<(&str, Option<&str>)>, Refusal> {
    let Some(key) = text(headers, &API_KEY)? else { return Ok(None) };
    Ok(Some((key, acting_agent(headers)?)))
}

/// The bearer token of a request.
pub fn bearer_of(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let Some(value) = text(headers, &header::AUTHORIZATION)? else { return Ok(None) };
    // The scheme's name has no case (RFC 9110 section 11.1).
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(unauthorized("The Authorization header must be 'Bearer TOKEN'")),
    }
}

/// The protocols that a socket's handshake offers.
pub fn offered_protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// The token among the protocols that a socket's handshake offers.
pub fn protocol_token_of(headers: &HeaderMap) -> Option<&str> {
    offered_protocols(headers).find_map(|protocol| protocol.strip_prefix(BEARER_PROTOCOL))
}

/// A credential as it was sent, valid or not. An API key is not valid as a bearer token.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    ApiKey(&'a str),
    Bearer(&'a str),
}

impl<'a> Credential<'a> {
    pub fn api_key(headers: &'a HeaderMap) -> Option<Self> {
        text(headers, &API_KEY).ok().flatten().map(Self::ApiKey)
    }

    pub fn bearer(headers: &'a HeaderMap) -> Option<Self> {
        bearer_of(headers).ok().flatten().map(Self::Bearer)
    }

    /// The credential of a WebSocket handshake.
    pub fn of_socket(headers: &'a HeaderMap) -> Option<Self> {
        let token = || protocol_token_of(headers).map(Self::any);
        Self::api_key(headers).or_else(|| Self::bearer(headers)).or_else(token)
    }

    /// The kind of a token that was sent without a header of its own.
    pub fn any(token: &'a str) -> Self {
        if token.starts_with(super::secret::API_KEY) { Self::ApiKey(token) } else { Self::Bearer(token) }
    }

    /// The hash that identifies it in memory.
    pub fn hash(self) -> SecretHash {
        self.hash_as(None)
    }

    /// The same for a key that acts as `agent`.
    pub(super) fn hash_as(self, agent: Option<&str>) -> SecretHash {
        let (kind, token) = match self {
            Self::ApiKey(token) => ("key", token),
            Self::Bearer(token) => ("bearer", token),
        };
        let mut digest = Sha256::new();
        for part in [Some(kind), Some(token), agent].into_iter().flatten() {
            digest.update(part.as_bytes());
            digest.update(b"\0");
        }
        digest.finalize().into()
    }
}
