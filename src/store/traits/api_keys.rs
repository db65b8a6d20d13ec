//! API keys: look-up, creation, and revocation with all that depends on a key.

use crate::domain::people::ApiKey;
use crate::domain::{
    AgentId, AuditEntry, AuditSource, Author, GuestId, HumanId, KeyId, Permission, Refusal, SessionId, SpaceId,
    Timestamp,
};
use crate::protocol::page::{Page, PageRequest};
use crate::store::{SecretHash, StoreResult};
use async_trait::async_trait;

/// API keys.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// The key with this secret, unless it is revoked or its agent or space is deactivated. The caller checks the expiry.
    async fn key_by_secret(&self, hash: &SecretHash) -> StoreResult<Option<KeyHolder>>;
    async fn keys(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<ApiKey>>;
    /// Revokes a key of the space; with `cascade` also the keys and guest tokens that were created with it, those created
    /// with these, and so on. With `cascade` the key itself may be revoked already. All or nothing.
    async fn revoke_key(&self, by: &Revoker, id: KeyId, cascade: bool) -> StoreResult<Result<Revoked, NotRevoked>>;
    /// Records the last use of keys and guest tokens, never moving it back.
    async fn note_uses(&self, uses: &Uses) -> StoreResult<()>;
}

/// A key to create.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub id: KeyId,
    pub space: SpaceId,
    pub hash: SecretHash,
    pub prefix: String,
    pub permission: Permission,
    pub agent: Option<AgentId>,
    pub expires_at: Option<Timestamp>,
    /// The author that lists show.
    pub created_by: Author,
    /// The key that it is created with, which must not be revoked meanwhile.
    pub created_by_key: Option<KeyId>,
}

impl NewKey {
    /// The same, created by this author rather than by the command line.
    #[must_use]
    pub fn made_by(self, author: Author) -> Self {
        Self { created_by_key: author.key_id, created_by: author, ..self }
    }
}

/// The caller that a key authenticates.
#[derive(Clone, Debug)]
pub struct KeyHolder {
    pub id: KeyId,
    pub space: SpaceId,
    pub permission: Permission,
    /// The key's agent with its name; none for a key that provisions agents.
    pub agent: Option<(AgentId, String)>,
    pub expires_at: Option<Timestamp>,
}

/// The last use of keys and guest tokens, to the minute.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    pub keys: Vec<(KeyId, Timestamp)>,
    pub guests: Vec<(GuestId, Timestamp)>,
}

/// The caller that revokes a key or deactivates an agent or space.
#[derive(Clone, Debug)]
pub struct Revoker {
    /// The space of the caller.
    pub space: SpaceId,
    /// The permission of the caller, above which nothing may be revoked.
    pub permission: Permission,
    pub author: Author,
    pub source: AuditSource,
    pub at: Timestamp,
}

/// Why a key was not revoked, or an agent or space not deactivated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRevoked {
    Missing,
    AbovePermission,
    /// The hub would be left without a key with `owner`, or without one that does not expire.
    LastOwner,
}

impl NotRevoked {
    /// The refusal, for a thing that is called `what`.
    pub fn refusal(self, what: &'static str) -> Refusal {
        match self {
            Self::Missing => Refusal::NotFound(what),
            Self::AbovePermission => {
                Refusal::Forbidden("A key with a higher permission than the caller's cannot be revoked".to_owned())
            }
            Self::LastOwner => Refusal::Conflict(
                "It is the last key of the hub with the permission 'owner', or the last that does not expire"
                    .to_owned(),
            ),
        }
    }
}

/// Everything that one call revoked.
#[derive(Debug, Default)]
pub struct Revoked {
    pub keys: Vec<KeyId>,
    pub guests: Vec<GuestOf>,
    /// Humans that were deactivated with a space.
    pub humans: Vec<HumanId>,
    /// The entries of the audit log.
    pub audited: Vec<AuditEntry>,
}

/// A guest with its space and session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestOf {
    pub id: GuestId,
    pub space: SpaceId,
    pub session: SessionId,
}
