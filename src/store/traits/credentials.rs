//! The hub's own settings, revocations, and guest tokens.

use async_trait::async_trait;
use crate::domain::people::Guest;
use crate::domain::{GuestId, Page, PageRequest, Scope, SessionId, SpaceId, Timestamp};
use crate::store::{SecretHash, StoreResult};
use uuid::Uuid;

/// Secrets, all hashed: guest tokens; and the hub's own settings.
#[async_trait]
pub trait Credentials: Send + Sync {
    async fn setting(&self, name: &str) -> StoreResult<Option<String>>;
    /// Sets `name` unless it is set already; returns the value that stands.
    async fn setting_or(&self, name: &str, value: &str) -> StoreResult<String>;

    /// What was revoked at `since` or later, by keys, agents, humans, guests and spaces: (the entry's own id, what was
    /// revoked). Kept for a day.
    async fn revoked_since(&self, since: Timestamp) -> StoreResult<Vec<(Uuid, Uuid)>>;
    /// The guest with this token, unless it is revoked. Expiry is the caller's to check.
    async fn guest_by_secret(&self, hash: &SecretHash) -> StoreResult<Option<Guest>>;

    /// The guests of a session who are not revoked, the oldest first; `None` if the session is out of scope.
    async fn guests(&self, scope: Scope, session: SessionId, page: PageRequest) -> StoreResult<Option<Page<Guest>>>;
    /// A guest who is not revoked.
    async fn guest(&self, space: SpaceId, id: GuestId) -> StoreResult<Option<Guest>>;
}
