//! Ids in the path. An id that is not a UUID is a 400 that names the parameter.

use super::ApiError;
use crate::domain::Refusal;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use std::str::FromStr;

/// The first id of the path.
pub struct Id<A>(pub A);

/// The first two ids of the path.
pub struct Ids<A, B>(pub A, pub B);

fn parse<T: FromStr>(params: &RawPathParams, index: usize) -> Result<T, ApiError> {
    let (name, text) = params.iter().nth(index).ok_or(ApiError(Refusal::Internal))?;
    text.parse().map_err(|_| ApiError(Refusal::Invalid(format!("Path parameter '{name}' must be a UUID"))))
}

async fn params<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, ApiError> {
    RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|_| ApiError(Refusal::Invalid("The path is not valid UTF-8".to_owned())))
}

impl<S: Send + Sync, A: FromStr> FromRequestParts<S> for Id<A> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = params(parts, state).await?;
        Ok(Self(parse(&params, 0)?))
    }
}

impl<S: Send + Sync, A: FromStr, B: FromStr> FromRequestParts<S> for Ids<A, B> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = params(parts, state).await?;
        Ok(Self(parse(&params, 0)?, parse(&params, 1)?))
    }
}
