//! `Idempotency-Key`: its scope and digest, and the keys in progress on this node (contract section 1).
//!
//! The first reply is stored in the transaction that makes the change, so that a retry finds it even if the node died
//! in between. The keys in progress are in memory only, so that a second request gets its refusal without waiting. The
//! store guarantees that a key takes effect once.

use crate::domain::{Principal, Refusal, Timestamp};
use crate::store::{SavedReply, SavedReplyKind, SecretHash};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use uuid::Uuid;

/// An `Idempotency-Key` with its scope, and a digest of its request.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// The credential and the route.
    pub scope: String,
    pub key: String,
    pub request_hash: SecretHash,
}

impl Idempotency {
    /// A key that was sent with `credential`: the id of an API key, or of a human or guest, whose tokens change.
    pub fn new(credential: Uuid, route: &str, key: String, request_hash: SecretHash) -> Self {
        Self { scope: format!("{credential} {route}"), key, request_hash }
    }

    /// The credential that scopes the keys of a principal.
    pub fn credential_of(principal: &Principal) -> Uuid {
        match principal {
            Principal::Agent(agent) => agent.key.0,
            Principal::Human(human) => human.id.0,
            Principal::Guest(guest) => guest.id.0,
        }
    }

    /// Checks a key: 1 to 255 visible ASCII characters (contract section 1).
    pub fn check_key(key: &str) -> Result<String, Refusal> {
        if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(key.to_owned())
        } else {
            Err(Refusal::Invalid("'Idempotency-Key' must be 1 to 255 visible ASCII characters".to_owned()))
        }
    }

    /// The reply to store under this key.
    pub fn reply(&self, status: u16, kind: SavedReplyKind, now: Timestamp) -> SavedReply {
        SavedReply {
            scope: self.scope.clone(),
            key: self.key.clone(),
            request_hash: self.request_hash,
            status,
            kind,
            created_at: now,
        }
    }
}

type Keys = Mutex<HashSet<(String, String)>>;

/// The keys of requests in progress on this node.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<Keys>);

impl InFlight {
    /// Claims a key until the claim is dropped.
    pub fn claim(&self, idempotency: &Idempotency) -> Result<Claim, Refusal> {
        let key = (idempotency.scope.clone(), idempotency.key.clone());
        if !self.0.lock().insert(key.clone()) {
            return Err(Refusal::IdempotencyInFlight);
        }
        Ok(Claim { keys: Arc::clone(&self.0), key })
    }
}

/// A claimed key.
#[derive(Debug)]
pub struct Claim {
    keys: Arc<Keys>,
    key: (String, String),
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.keys.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_claimed_until_its_request_ends() {
        let in_flight = InFlight::default();
        let one = Idempotency::new(Uuid::nil(), "POST /a", "k".to_owned(), [0; 32]);
        let elsewhere = Idempotency::new(Uuid::nil(), "POST /b", "k".to_owned(), [0; 32]);
        let claim = in_flight.claim(&one).expect("free");
        assert_eq!(in_flight.claim(&one).expect_err("claimed"), Refusal::IdempotencyInFlight);
        in_flight.claim(&elsewhere).expect("another route");
        drop(claim);
        in_flight.claim(&one).expect("free again");
    }
}
