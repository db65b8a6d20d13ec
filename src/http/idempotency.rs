//! `Idempotency-Key`: read from the request here. Changes of timelines keep their first reply in the transaction of the
//! timeline's writer; what makes things of the directory does so through [`Making`].
//!
//! A kept reply holds no secret. The secrets of keyed requests follow from the caller's own, so that a retry gets the
//! same one though it is stored nowhere.

use super::reply::{self, Reply};
use super::{ApiError, App};
use crate::auth::secret::Secret;
use crate::domain::principal::ManagerPrincipal;
use crate::domain::{Principal, Refusal, SessionId, SpaceId, Timestamp};
use crate::store::{DirectoryTx, SavedReplyKind, SecretHash};
use crate::timeline::{Action, By, Claim, Idempotency, Outcome, Request};
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::Value;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use uuid::Uuid;

/// The `Idempotency-Key` of a request, if it has one.
pub struct IdempotencyKey {
    key: Option<String>,
    route: String,
    /// The API key of the request, from which a retry derives the same secret again.
    credential: Vec<u8>,
}

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
        Ok(Self { key, route: format!("{} {route}", parts.method), credential: credential.to_vec() })
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

impl IdempotencyKey {
    /// What the timeline's writer needs to know.
    pub fn of(&self, principal: &Principal, digest: SecretHash) -> Option<Idempotency> {
        let credential = Idempotency::credential_of(principal);
        Some(Idempotency::new(credential, &self.route, self.key.clone()?, digest))
    }

    /// The first reply to a request that can't be carried out (any more): whom it names may have left since. Where there
    /// is none, `refusal` stands.
    pub async fn recall(
        &self,
        app: &App,
        principal: &Arc<Principal>,
        digest: SecretHash,
        refusal: Refusal,
    ) -> Result<Outcome, Refusal> {
        let Some(idempotency) = self.of(principal, digest) else { return Err(refusal) };
        let request = Request {
            // Of no session at all, and so of no space.
            space: SpaceId(Uuid::nil()),
            session: SessionId::new(),
            by: By::Principal(Arc::clone(principal)),
            action: Action::Recall(refusal),
            idempotency: Some(idempotency),
        };
        app.timeline.submit(request).await
    }

    /// A new secret; with a key, the same one for every retry that knows the first reply's `id`, though it is stored
    /// nowhere.
    pub fn secret(&self, prefix: &str, id: &str) -> Secret {
        match &self.key {
            None => Secret::generate(prefix),
            Some(key) => Secret::derive(prefix, &self.credential, &format!("{} {key} {id}", self.route)),
        }
    }

    /// The same of a manager, who has no API key where it is a human: then it follows from a secret of the hub.
    pub fn secret_of(&self, app: &App, manager: &ManagerPrincipal, prefix: &str, id: &str) -> Secret {
        match (&self.key, manager.key) {
            (Some(key), None) => {
                let label = format!("{} {} {key} {id}", manager.credential, self.route);
                app.authenticator.jwts().derived_secret(prefix, &label)
            }
            _ => self.secret(prefix, id),
        }
    }

    /// Begins to make things of the directory, unless a request under this key has made them before.
    pub async fn begin(&self, app: &App, credential: Uuid, digest: SecretHash) -> Result<Begun, Refusal> {
        let now = app.clock.now();
        let idempotency = self.key.as_ref().map(|key| Idempotency::new(credential, &self.route, key.clone(), digest));
        let claim = idempotency.as_ref().map(|key| app.timeline.in_flight.claim(key)).transpose()?;
        let mut tx = app.store.begin_directory().await?;
        if let Some(key) = &idempotency
            && let Some(kept) = tx.claim_reply(&key.scope, &key.key, &key.request_hash, now).await?
        {
            if kept.request_hash != key.request_hash {
                return Err(Refusal::IdempotencyMismatch);
            }
            let SavedReplyKind::Body(body) = kept.kind else { return Err(Refusal::Internal) };
            return Ok(Begun::Before(serde_json::from_str(&body).map_err(|_| Refusal::Internal)?));
        }
        Ok(Begun::Now(Making { tx, now, idempotency, _claim: claim }))
    }
}

/// Whether there is something to do.
pub enum Begun {
    Now(Making),
    /// It was done before: the body of the first reply, where a secret is missing behind the text that precedes it.
    Before(Value),
}

/// Things of the directory in the making: nothing is made until they are kept.
pub struct Making {
    pub tx: Box<dyn DirectoryTx>,
    pub now: Timestamp,
    idempotency: Option<Idempotency>,
    _claim: Option<Claim>,
}

impl Making {
    /// Makes it durable, and the reply with it: its status, and its body, which must not hold a secret.
    pub async fn keep(self, status: StatusCode, body: &Value) -> Result<(), Refusal> {
        let kept =
            self.idempotency.map(|key| key.reply(status.as_u16(), SavedReplyKind::Body(body.to_string()), self.now));
        Ok(self.tx.commit(kept).await?)
    }
}

/// The reply to a POST that made something: its body, in which `secret` is put behind the text of a field.
pub fn with_secret(mut body: Value, field: &str, secret: &Secret) -> Reply {
    if let Some(text) = body[field].as_str() {
        body[field] = format!("{text}{}", secret.as_str()).into();
    }
    reply::created(&body)
}
