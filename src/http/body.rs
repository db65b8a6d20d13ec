//! JSON bodies: bounded, checked, and refused with a text that names the field.

use super::{ApiError, App, auth, error};
use crate::auth::Secret;
use crate::domain::Refusal;
use crate::limits::Payer;
use crate::limits::body_memory::Reservation;
use crate::net::client_address::client_network;
use crate::protocol::error::ErrorCode;
use crate::protocol::json::parse_object;
use crate::store::SecretHash;
use axum::extract::{FromRequest, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// A request's JSON. An empty body counts as `{}`.
pub struct Body<T> {
    pub value: T,
    /// SHA-256 of method, path, API key (a secret of the hub for a human who manages), acting agent and body. An
    /// `Idempotency-Key` is bound to it. It is stored. The secret in it keeps a reader of the store from finding a password by
    /// trial. Zeros without an `Idempotency-Key`, since nothing compares them then.
    pub digest: SecretHash,
    /// The memory that is reserved for it, until the request is answered.
    _held: Option<Reservation>,
}

/// Largest body of a route that takes no envelopes, in bytes.
const MAX_PLAIN: usize = 64 << 10;
/// Largest body under `/v1/auth`, where requests come without a credential (contract section 1), in bytes.
const MAX_AUTH: usize = 16 << 10;
/// A credential is verified again if the body took longer than this to arrive: a revocation takes effect within 2 s.
const VERIFY_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A body gives up its reserved memory if others wait for memory and it has arrived at less than this rate, in bytes a
/// second, after this time. A client that sends 1 MiB at this rate holds it for 6 s, and the others wait for 10 s.
const SLOWEST: u32 = 256 << 10;
const SLOW_AFTER: Duration = Duration::from_secs(2);
/// How often a slow body checks whether others wait.
const CHECK_EVERY: Duration = Duration::from_millis(250);
/// A body with more bytes than this is parsed on a blocking thread.
const LONG_TO_READ: usize = 64 << 10;

/// Why a body was refused before it was parsed.
pub enum BodyError {
    TooLarge(usize),
    NotJson,
    Encoded,
    /// The connection failed while the body came in.
    Broken,
    /// It took too long: a stalled client must not hold memory.
    Late,
    /// There is no memory for it now.
    Busy,
    /// Others waited for its memory, and it arrived too slowly to keep it.
    Slow,
    Bad(ApiError),
}

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        let unsupported = |text: &str| error::reply(ErrorCode::UNSUPPORTED_MEDIA_TYPE, text);
        let unavailable = |text: &str| {
            let mut response = error::reply(ErrorCode::UNAVAILABLE, text);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        };
        match self {
            Self::TooLarge(max) => {
                ApiError(Refusal::TooLarge(format!("The body must have at most {max} bytes"))).into_response()
            }
            Self::NotJson => unsupported("The body must be JSON, with 'Content-Type: application/json'"),
            Self::Encoded => {
                let mut response = unsupported("The body must be sent as it is, without 'Content-Encoding'");
                response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
                response
            }
            Self::Late => ApiError(Refusal::Invalid("The body did not arrive in time".to_owned())).into_response(),
            Self::Broken => ApiError(Refusal::Invalid("The body could not be read".to_owned())).into_response(),
            Self::Busy => unavailable("Too many large requests are at work, please retry"),
            Self::Slow => unavailable("The body arrived slowly while others waited for its room, please retry"),
            Self::Bad(error) => error.into_response(),
        }
    }
}

impl<T: DeserializeOwned + Send + 'static> FromRequest<App> for Body<T> {
    type Rejection = BodyError;

    async fn from_request(request: Request, app: &App) -> Result<Self, BodyError> {
        let (parts, body) = request.into_parts();
        if !body.is_end_stream() && is_encoded(&parts.headers) {
            return Err(BodyError::Encoded);
        }
        let payer = parts.extensions.get().copied();
        let payer = payer.unwrap_or_else(|| {
            Payer::Address(client_network(&parts.extensions, &parts.headers, &app.config.trusted_proxies))
        });
        let began = Instant::now();
        let (bytes, held) = arrive(app, payer, largest(&parts, app.config.max_body_bytes), body).await?;
        if began.elapsed() > VERIFY_AGAIN_AFTER && !matched_path(&parts).starts_with("/v1/auth/") {
            Box::pin(auth::verify_again(&parts, app)).await.map_err(BodyError::Bad)?;
        }
        if !bytes.is_empty() && !is_json(&parts.headers) {
            return Err(BodyError::NotJson);
        }
        let length = bytes.len();
        // The tokens of a human change, so a secret of the hub takes the place of the API key.
        let is_keyed = parts.headers.contains_key("idempotency-key");
        let is_human = !parts.headers.contains_key("x-api-key") && matched_path(&parts).starts_with("/v1/manage/");
        let of_hub = (is_keyed && is_human).then(|| app.authenticator.jwts().derived_secret("", "digests of requests"));
        let read = move || {
            let digest = if is_keyed { digest(&parts, of_hub.as_ref(), &bytes) } else { SecretHash::default() };
            parse(&bytes).map(|value| (value, digest)).map_err(|refusal| BodyError::Bad(ApiError(refusal)))
        };
        let (value, digest) = if length <= LONG_TO_READ {
            read()?
        } else {
            let _turn = app.body_memory.parser.acquire().await;
            let internal = |_| BodyError::Bad(ApiError(Refusal::Internal));
            tokio::task::spawn_blocking(read).await.map_err(internal)??
        };
        Ok(Self { value, digest, _held: held })
    }
}

/// The path of the route, from the root: the URI of a nested router lacks its beginning.
fn matched_path(parts: &Parts) -> &str {
    parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str)
}

/// Most bytes that the body of this request may have.
fn largest(parts: &Parts, max: usize) -> usize {
    let route = matched_path(parts);
    if route.starts_with("/v1/auth/") {
        return max.min(MAX_AUTH);
    }
    let last = route.rsplit('/').next().unwrap_or_default();
    let carries_envelopes = matches!(last, "sessions" | "messages" | "interactions" | "blocks" | "respond");
    if carries_envelopes || parts.method == Method::PATCH { max } else { max.min(MAX_PLAIN) }
}

/// Reserves memory for a body, then reads it.
async fn arrive(
    app: &App,
    payer: Payer,
    max: usize,
    mut body: axum::body::Body,
) -> Result<(Vec<u8>, Option<Reservation>), BodyError> {
    let announced = body.size_hint().exact().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced.is_some_and(|length| length > max) {
        return Err(BodyError::TooLarge(max));
    }
    let small = payer.unreserved();
    let room = async |bytes: usize| {
        let held = app.body_memory.reserve(payer, bytes).await.ok_or(BodyError::Busy)?;
        Ok::<_, BodyError>((held, Instant::now()))
    };
    let mut held = match announced {
        Some(length) if length > small => Some(room(length).await?),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0));
    let within = app.config.body_within;
    let until = Instant::now() + within;
    loop {
        // The time between two chunks is bounded too, by a part of the whole.
        let next = until.min(Instant::now() + within / 3);
        let frame = tokio::select! {
            biased;
            () = too_slow(held.as_ref(), bytes.len()) => return Err(BodyError::Slow),
            frame = timeout_at(next, body.frame()) => frame.map_err(|_| BodyError::Late)?,
        };
        let frame = match frame {
            None => return Ok((bytes, held.map(|(held, _)| held))),
            Some(frame) => frame.map_err(|_| BodyError::Broken)?,
        };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > max {
            return Err(BodyError::TooLarge(max));
        }
        if held.is_none() && bytes.len() + data.len() > small {
            // Its length is unknown: reserve the maximum.
            held = Some(room(max).await?);
        }
        bytes.extend_from_slice(&data);
    }
}

/// Returns when a body, of which `arrived` bytes have come, must give up the memory that it has held.
async fn too_slow(held: Option<&(Reservation, Instant)>, arrived: usize) {
    let Some((held, since)) = held else { return std::future::pending().await };
    let arrived = u32::try_from(arrived).unwrap_or(u32::MAX);
    let fast_until = *since + SLOW_AFTER + Duration::from_secs(1) * arrived / SLOWEST;
    if fast_until > Instant::now() {
        sleep_until(fast_until).await;
    }
    while !held.is_wanted() {
        sleep(CHECK_EVERY).await;
    }
}

fn digest(parts: &Parts, of_hub: Option<&Secret>, bytes: &[u8]) -> SecretHash {
    let key = parts.headers.get("x-api-key").map(|key| key.as_bytes());
    let credential = key.or(of_hub.map(|secret| secret.as_str().as_bytes())).unwrap_or_default();
    let mut digest = Sha256::new();
    for part in [
        parts.method.as_str().as_bytes(),
        parts.uri.path().as_bytes(),
        credential,
        parts.headers.get("x-hiloop").map_or(&[][..], |agent| agent.as_bytes()),
        bytes,
    ] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// Whether the body has a content coding, such as gzip.
fn is_encoded(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut codings = codings.flat_map(|value| value.to_str().unwrap_or("unknown").split(','));
    codings.any(|coding| !matches!(coding.trim().to_ascii_lowercase().as_str(), "" | "identity"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Reads JSON into a type; an error names the field.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    // Checked as a whole, since the parser skips unknown keys unread.
    if std::str::from_utf8(text).is_err() {
        return Err(Refusal::Invalid("The body is not valid UTF-8".to_owned()));
    }
    if !text.trim_ascii_start().starts_with(b"{") {
        // Otherwise an array would count as an object whose fields come in order.
        let what =
            if serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok() { "an object" } else { "valid JSON" };
        return Err(Refusal::Invalid(format!("The body must be {what}")));
    }
    parse_object(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BodyMemory;
    use futures::FutureExt as _;
    use uuid::Uuid;

    const MIB: usize = 1 << 20;

    #[tokio::test]
    async fn a_slow_body_keeps_its_room_until_others_wait_for_it() {
        let memory = BodyMemory::new(MIB);
        let payer = Payer::Space(Uuid::from_u128(1));
        let mut share = Vec::new();
        while memory.available() > 24 * MIB {
            share.push(memory.reserve(payer, MIB).await.expect("room"));
        }
        let mut body = (share.pop().expect("room"), Instant::now());
        let mut gives_way = |seconds: u64, arrived: usize| {
            body.1 = Instant::now() - Duration::from_secs(seconds);
            too_slow(Some(&body), arrived).now_or_never().is_some()
        };
        assert!(!gives_way(60, 0), "no other request waits");
        let mut waits = Box::pin(memory.reserve(payer, MIB));
        assert!(futures::poll!(waits.as_mut()).is_pending());
        assert!(gives_way(60, 0) && gives_way(3, 0));
        assert!(!gives_way(1, 0), "it has only begun");
        assert!(!gives_way(5, MIB), "it comes fast enough");
        assert!(gives_way(7, MIB));
        assert!(too_slow(None, 0).now_or_never().is_none(), "it holds nothing");
    }
}
