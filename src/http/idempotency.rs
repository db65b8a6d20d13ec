//! Reads `Idempotency-Key` from a request; [`crate::service::idempotency`] carries it out.

use super::ApiError;
use crate::domain::Refusal;
use crate::service::idempotency::IdempotencyKey;
use crate::timeline::Idempotency;
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut keys = parts.headers.get_all("idempotency-key").iter();
        let key = match (keys.next(), keys.next()) {
            (None, _) => None,
            (Some(value), None) => Some(Idempotency::check_key(value.to_str().unwrap_or_default())?),
            (Some(_), Some(_)) => {
                return Err(Refusal::Invalid("Header 'Idempotency-Key' must be sent once".to_owned()).into());
            }
        };
        let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let credential = parts.headers.get("x-api-key").map_or(&[][..], |value| value.as_bytes());
        Ok(Self::new(key, format!("{} {route}", parts.method), credential.to_vec()))
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255));
        let parameter = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .description(Some(
                "Makes a retry safe: the same request with the same key within 24 hours is answered with the first \
                 reply and `Idempotent-Replayed: true`. Kept for each credential and route.",
            ))
            .schema(Some(schema.pattern(Some("^[!-~]+$"))));
        vec![parameter.build()]
    }
}
