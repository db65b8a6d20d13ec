//! JSON bodies: bounded, checked, and refused with a text that names the field.

use super::{ApiError, App, error};
use crate::domain::Refusal;
use crate::store::SecretHash;
use crate::wire::parse_object;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// A request's JSON. An empty body counts as `{}`.
pub struct Body<T> {
    pub value: T,
    /// SHA-256 of method, path, API key (a secret of the hub for a human who manages), acting agent and body: what an `Idempotency-Key` stands for. It is stored, and
    /// with the API key in it nobody who reads the store can find a password by trying.
    pub digest: SecretHash,
}

/// The body of a request that needs none: an object whose keys are ignored, or nothing.
#[derive(ToSchema)]
pub struct NoBody {}

/// Why a body was refused, before anything looked at its meaning.
pub enum BodyError {
    TooLarge(usize),
    NotJson,
    /// The connection failed while the body came in.
    Broken,
    /// It took longer than it may: whoever stalls must not hold on to memory.
    Late,
    Bad(ApiError),
}

impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        match self {
            Self::TooLarge(max) => {
                ApiError(Refusal::TooLarge(format!("The body must have at most {max} bytes"))).into_response()
            }
            Self::NotJson => error::reply(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "The body must be JSON, with 'Content-Type: application/json'",
            ),
            Self::Late => ApiError(Refusal::Invalid("The body did not arrive in time".to_owned())).into_response(),
            Self::Broken => ApiError(Refusal::Invalid("The body could not be read".to_owned())).into_response(),
            Self::Bad(error) => error.into_response(),
        }
    }
}

impl<T: DeserializeOwned + 'static> FromRequest<App> for Body<T> {
    type Rejection = BodyError;

    async fn from_request(request: Request, app: &App) -> Result<Self, BodyError> {
        let (parts, body) = request.into_parts();
        let max = app.config.max_body_bytes;
        let arrived = tokio::time::timeout(app.config.body_within, Limited::new(body, max).collect()).await;
        let bytes = match arrived.map_err(|_| BodyError::Late)? {
            Ok(collected) => collected.to_bytes(),
            Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => return Err(BodyError::TooLarge(max)),
            Err(_) => return Err(BodyError::Broken),
        };
        if !bytes.is_empty() && !is_json(&parts.headers) {
            return Err(BodyError::NotJson);
        }
        // Managers who are human bring ever new tokens; what stands for them is a secret of the hub.
        let of_hub = app.authenticator.jwts().derived_secret("", "digests of requests");
        let credential = match parts.headers.get("x-api-key") {
            Some(key) => key.as_bytes(),
            None if parts.uri.path().starts_with("/v1/manage/") => of_hub.as_str().as_bytes(),
            None => &[],
        };
        let mut digest = Sha256::new();
        for part in [
            parts.method.as_str().as_bytes(),
            parts.uri.path().as_bytes(),
            credential,
            parts.headers.get("x-hiloop").map_or(&[][..], |agent| agent.as_bytes()),
            &bytes,
        ] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let value = parse(&bytes).map_err(|refusal| BodyError::Bad(ApiError(refusal)))?;
        Ok(Self { value, digest: digest.finalize().into() })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Reads JSON into a type; an error names the field.
fn parse<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Refusal> {
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
    // Checked as a whole, since parts that nobody asks for are passed over unread.
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
