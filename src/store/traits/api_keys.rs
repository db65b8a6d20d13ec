//! API keys: look-up, creation, and revocation with all that depends on a key.

use async_trait::async_trait;
use crate::domain::people::ApiKey;
use crate::domain::{AgentId, AuditEntry, AuditSource, Author, GuestId, HumanId, KeyId, Page, PageRequest, Permission, Refusal, SessionId, SpaceId, Timestamp};
use crate::store::{SecretHash, StoreResult};

/// API keys.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// The key with this secret, unless it is revoked or its agent or space is deactivated. Expiry is the caller's to
    /// check.
    async fn key_by_secret(&self, hash: &SecretHash) -> StoreResult<Option<KeyHolder>>;
    async fn keys(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<ApiKey>>;
    /// Revokes a key of the space; with `cascade` also the keys and guest tokens that it made, those that these made,
    /// and so on, for which the key itself may be revoked already. All of it or nothing.
    async fn revoke_key(&self, by: &Revoker, id: KeyId, cascade: bool) -> StoreResult<Result<Revoked, NotRevoked>>;
    /// Notes when keys and guest tokens were used last, never backwards.
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
    /// As lists show it.
    pub created_by: Author,
    /// The key that it is made with, and that must not be revoked meanwhile.
    pub created_by_key: Option<KeyId>,
}

impl NewKey {
    /// The same, made by somebody else than the command line.
    #[must_use]
    pub fn made_by(self, author: Author) -> Self {
        Self { created_by_key: author.key_id, created_by: author, ..self }
    }
}

/// Who a key speaks for.
#[derive(Clone, Debug)]
pub struct KeyHolder {
    pub id: KeyId,
    pub space: SpaceId,
    pub permission: Permission,
    /// The key's own agent with its name; none for one that provisions agents.
    pub agent: Option<(AgentId, String)>,
    pub expires_at: Option<Timestamp>,
}

/// When keys and guest tokens were used last, to the minute.
#[derive(Clone, Debug, Default)]
pub struct Uses {
    pub keys: Vec<(KeyId, Timestamp)>,
    pub guests: Vec<(GuestId, Timestamp)>,
}

/// Who revokes keys, or ends what has keys.
#[derive(Clone, Debug)]
pub struct Revoker {
    /// The space in which it is done.
    pub space: SpaceId,
    /// Nothing above it may be revoked.
    pub permission: Permission,
    pub author: Author,
    pub source: AuditSource,
    pub at: Timestamp,
}

/// Why a key was not revoked, or its agent or space not deactivated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRevoked {
    Missing,
    AbovePermission,
    /// No key with `owner` would be left in the hub, or none that does not expire.
    LastOwner,
}

impl NotRevoked {
    /// The same as a refusal, of what was to be ended.
    pub fn refusal(self, what: &'static str) -> Refusal {
        match self {
            Self::Missing => Refusal::NotFound(what),
            Self::AbovePermission => Refusal::Forbidden("Nobody revokes a key above their own permission".to_owned()),
            Self::LastOwner => Refusal::Conflict(
                "It is the last key of the hub with the permission 'owner', or the last that does not expire"
                    .to_owned(),
            ),
        }
    }
}

/// What was revoked at once.
#[derive(Debug, Default)]
pub struct Revoked {
    pub keys: Vec<KeyId>,
    pub guests: Vec<GuestOf>,
    /// Humans who were deactivated with it.
    pub humans: Vec<HumanId>,
    /// What the audit log says of it.
    pub audited: Vec<AuditEntry>,
}

/// A guest, and where they are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestOf {
    pub id: GuestId,
    pub space: SpaceId,
    pub session: SessionId,
}
