//! The hub's own accounts: sign-ins and passwords of humans.

mod password;
mod sign_in;

use super::jwt::Bearer;
use super::passwords::HashPermits;
use super::{Attempts, Authenticator, Secret};
use crate::audit::Audit;
use crate::clock::Clock;
use crate::domain::people::Human;
use crate::domain::{
    Actor, ActorType, AuditEvent, AuditSource, AuditTarget, Author, ClientNetwork, HumanId, Refusal, Timestamp,
};
use crate::store::Store;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use uuid::Uuid;

/// Lifetime of an access token.
pub const ACCESS_SECONDS: i64 = 15 * 60;

/// The client of a request to sign in or out.
#[derive(Clone, Debug)]
pub struct Visit {
    pub from: ClientNetwork,
    pub source: AuditSource,
    pub user_agent: Option<String>,
}

/// The tokens of a sign-in.
#[derive(Debug)]
pub struct SignedIn {
    pub access_token: String,
    pub expires_at: Timestamp,
    pub refresh_token: Secret,
}

type OnRevocation = Box<dyn Fn(&HashSet<Uuid>) + Send + Sync>;

#[derive(Clone)]
pub struct Accounts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    authenticator: Arc<Authenticator>,
    attempts: Arc<Attempts>,
    hash_permits: Arc<HashPermits>,
    audit: Arc<Audit>,
    /// Called with the revoked ids.
    on_revocation: Arc<OnceLock<OnRevocation>>,
}

impl Accounts {
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        authenticator: Arc<Authenticator>,
        attempts: Arc<Attempts>,
        audit: Arc<Audit>,
    ) -> Self {
        let hash_permits = Arc::new(HashPermits::new());
        Self { store, clock, authenticator, attempts, hash_permits, audit, on_revocation: Arc::default() }
    }

    /// Sets the function that is called with revoked ids, so that live connections end. Set once.
    pub fn on_revocation(&self, revoke: impl Fn(&HashSet<Uuid>) + Send + Sync + 'static) {
        let _ = self.on_revocation.set(Box::new(revoke));
    }

    /// Ends the live connections of ended sign-ins, and rejects their tokens at once on this node.
    fn revoke(&self, subjects: Vec<Uuid>) {
        if let Some(revoke) = self.on_revocation.get() {
            revoke(&subjects.into_iter().collect());
        }
    }

    /// Adds an audit entry for an action by which a human is authenticated.
    async fn note(&self, event: AuditEvent, human: &Human, visit: &Visit, target: AuditTarget) {
        let entry = self.audit.entry(event, Some(human.space_id), &visit.source);
        self.audit.record(entry.by(author(human.id, &human.name)).on(target)).await;
    }

    /// An access token without a sign-in, as `hiloop token` prints it.
    pub fn access_token(&self, human: &Human, seconds: i64) -> Result<(String, Timestamp), Refusal> {
        self.token(human, None, self.clock.now().plus_seconds(seconds))
    }

    fn token(&self, human: &Human, sign_in: Option<Uuid>, ends_at: Timestamp) -> Result<(String, Timestamp), Refusal> {
        let expires_at = Timestamp(ends_at.0.div_euclid(1000).saturating_mul(1000));
        let bearer = Bearer { human: human.id.to_string(), email: &human.email, name: &human.name, sign_in };
        let token = self.authenticator.jwts().issue(bearer, self.clock.now(), expires_at)?;
        Ok((token, expires_at))
    }

    fn signed_in(
        &self,
        human: &Human,
        sign_in: Uuid,
        ends_at: Timestamp,
        refresh_token: Secret,
    ) -> Result<SignedIn, Refusal> {
        let ends_at = self.clock.now().plus_seconds(ACCESS_SECONDS).min(ends_at);
        let (access_token, expires_at) = self.token(human, Some(sign_in), ends_at)?;
        Ok(SignedIn { access_token, expires_at, refresh_token })
    }
}

fn author(human: HumanId, name: &str) -> Author {
    Author::without_key(Actor { kind: ActorType::Human, id: Some(human.0), name: name.to_owned() })
}
