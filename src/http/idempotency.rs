//! `Idempotency-Key`: read from the request here, kept and checked in the transaction of the timeline's writer.

use super::ApiError;
use crate::auth::secret;
use crate::domain::Principal;
use crate::store::SecretHash;
use crate::timeline::Idempotency;
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;

/// The `Idempotency-Key` of a request, if it has one.
pub struct IdempotencyKey {
    key: Option<String>,
    route: String,
    /// A digest of the credential's secret, from which a retry derives the same secret again.
    credential: SecretHash,
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let key = match parts.headers.get("idempotency-key") {
            None => None,
            Some(value) => Some(Idempotency::check_key(value.to_str().unwrap_or_default())?),
        };
        let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let credential = parts.headers.get("x-api-key").map_or(&[][..], |value| value.as_bytes());
        Ok(Self {
            key,
            route: format!("{} {route}", parts.method),
            credential: secret::hash(&String::from_utf8_lossy(credential)),
        })
    }
}

impl IdempotencyKey {
    /// What the timeline's writer needs to know.
    pub fn of(&self, principal: &Principal, digest: SecretHash) -> Option<Idempotency> {
        Some(Idempotency::new(principal, &self.route, self.key.clone()?, digest))
    }

    /// A new secret; with a key, the same one for every retry that knows the first reply's `id`, though it is stored
    /// nowhere.
    pub fn secret(&self, prefix: &str, id: &str) -> secret::Secret {
        match &self.key {
            None => secret::Secret::generate(prefix),
            Some(key) => secret::Secret::derive(prefix, &self.credential, &format!("{} {key} {id}", self.route)),
        }
    }
}
