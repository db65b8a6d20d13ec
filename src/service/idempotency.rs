//! `Idempotency-Key` of changes that the timeline's writer does not handle alone (contract section 1).
//!
//! Changes of timelines keep their first reply in the transaction of the timeline's writer; changes of the directory
//! keep it through [`DirectoryChange`]. A kept reply holds no secret: the secrets of keyed requests are derived from the
//! caller's own, so that a retry gets the same one although it is stored nowhere.

use crate::auth::Secret;
use crate::context::Context;
use crate::domain::principal::ManagerPrincipal;
use crate::domain::{Principal, Refusal, SessionId, SpaceId, Timestamp};
use crate::service::Answer;
use crate::store::{DirectoryTx, SavedReplyKind, SecretHash};
use crate::timeline::{Action, By, Claim, Idempotency, Outcome, Request};
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;

/// The `Idempotency-Key` of a request, if it has one, and its scope.
pub struct IdempotencyKey {
    key: Option<String>,
    route: String,
    /// The API key of the request, from which a retry derives the same secret again.
    credential: Vec<u8>,
}

impl IdempotencyKey {
    pub fn new(key: Option<String>, route: String, credential: Vec<u8>) -> Self {
        Self { key, route, credential }
    }

    /// The key in the form of the timeline's writer; `digest` identifies the request.
    pub fn of(&self, principal: &Principal, digest: SecretHash) -> Option<Idempotency> {
        let credential = Idempotency::credential_of(principal);
        Some(Idempotency::new(credential, &self.route, self.key.clone()?, digest))
    }

    /// A new secret. With a key it is the same one for every retry that has the first reply's `id`.
    pub fn secret(&self, prefix: &str, id: &str) -> Secret {
        match &self.key {
            None => Secret::generate(prefix),
            Some(key) => Secret::derive(prefix, &self.credential, &format!("{} {key} {id}", self.route)),
        }
    }

    /// The same for a manager. That of a human, who has no API key, is derived from a secret of the hub.
    pub fn secret_of(&self, app: &Context, manager: &ManagerPrincipal, prefix: &str, id: &str) -> Secret {
        match (&self.key, manager.key) {
            (Some(key), None) => {
                let label = format!("{} {} {key} {id}", manager.credential, self.route);
                app.authenticator.jwts().derived_secret(prefix, &label)
            }
            _ => self.secret(prefix, id),
        }
    }

    /// Begins a change of the directory, unless an earlier request under this key has made it.
    pub async fn begin(&self, app: &Context, credential: Uuid, digest: SecretHash) -> Result<Begun, Refusal> {
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
            return Ok(Begun::Replay(serde_json::from_str(&body).map_err(|_| Refusal::Internal)?));
        }
        Ok(Begun::New(DirectoryChange { tx, now, idempotency, _claim: claim }))
    }
}

/// The first reply to a request that cannot be carried out, or not any more: a participant that it names may have left
/// since. Without a first reply, the result is `refusal`.
pub async fn recall(
    app: &Context,
    principal: &Arc<Principal>,
    idempotency: Option<Idempotency>,
    refusal: Refusal,
) -> Result<Outcome, Refusal> {
    let Some(idempotency) = idempotency else { return Err(refusal) };
    let request = Request {
        // The request has no session, and so no space.
        space: SpaceId(Uuid::nil()),
        session: SessionId::new(),
        by: By::Principal(Arc::clone(principal)),
        action: Action::Recall(refusal),
        idempotency: Some(idempotency),
    };
    app.timeline.submit(request).await
}

/// Whether a change of the directory is to be made.
pub enum Begun {
    New(DirectoryChange),
    /// It was made before: the body of the first reply, without its secret.
    Replay(Value),
}

/// A change of the directory in its transaction, which ends without effect unless it is kept.
pub struct DirectoryChange {
    pub tx: Box<dyn DirectoryTx>,
    pub now: Timestamp,
    idempotency: Option<Idempotency>,
    _claim: Option<Claim>,
}

impl DirectoryChange {
    /// Makes the change durable, with its reply for a retry: the HTTP status, and the body, which must not hold a secret.
    pub async fn keep(self, status: u16, body: &Value) -> Result<(), Refusal> {
        let kept = self.idempotency.map(|key| key.reply(status, SavedReplyKind::Body(body.to_string()), self.now));
        Ok(self.tx.commit(kept).await?)
    }
}

/// The answer to a request that created a secret, which is appended to a field of the body.
pub fn with_secret(mut body: Value, field: &str, secret: &Secret) -> Answer {
    if let Some(text) = body[field].as_str() {
        body[field] = format!("{text}{}", secret.as_str()).into();
    }
    Answer::created(body.to_string())
}
