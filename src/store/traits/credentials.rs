//! The hub's own settings, revocations, and guest tokens.

use crate::domain::people::Guest;
use crate::domain::{GuestId, Scope, SessionId, SpaceId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::StoreResult;
use async_trait::async_trait;
use uuid::Uuid;

/// SHA-256 of a secret.
pub type SecretHash = [u8; 32];

/// Guest tokens (only their hashes), revocations, and the hub's own settings.
#[async_trait]
pub trait Credentials: Send + Sync {
    async fn setting(&self, name: &str) -> StoreResult<Option<String>>;
    /// Sets `name` unless it is set; returns the stored value.
    async fn setting_or(&self, name: &str, value: &str) -> StoreResult<String>;

    /// Revocations at `since` or later of keys, agents, humans, guests and spaces: (id of the entry, id that was revoked).
    /// They are kept for a day.
    async fn revoked_since(&self, since: Timestamp) -> StoreResult<Vec<(Uuid, Uuid)>>;
    /// The guest with this token, unless it is revoked. The caller checks the expiry.
    async fn guest_by_secret(&self, hash: &SecretHash) -> StoreResult<Option<Guest>>;

    /// The guests of a session whose tokens are not revoked, oldest first; `None` if the session is out of scope.
    async fn guests(&self, scope: Scope, session: SessionId, page: PageRequest) -> StoreResult<Option<Page<Guest>>>;
    /// A guest whose token is not revoked.
    async fn guest(&self, space: SpaceId, id: GuestId) -> StoreResult<Option<Guest>>;
}
