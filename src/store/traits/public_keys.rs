//! Public keys of principals, the announcements of their changes, and the encrypted backups of people's private keys.

use async_trait::async_trait;
use crate::domain::keys::{Attestation, KeyChange, SessionKey};
use crate::domain::{HumanId, KeyEntry, Page, PageRequest, ParticipantType, PrincipalId, Scope, SessionId, SpaceId, Timestamp};
use crate::store::StoreResult;
use std::time::Duration;
use uuid::Uuid;

/// Entries of public keys, the announcement of their changes, and the encrypted backups of people's private keys.
#[async_trait]
pub trait PublicKeys: Send + Sync {
    /// The current entry of a principal of the space, with the id of its row.
    async fn current_key(&self, space: SpaceId, principal: PrincipalId) -> StoreResult<Option<(Uuid, KeyEntry)>>;
    /// Puts an entry in the place of the one that it names, and has the change announced; nothing is done unless that
    /// one is still the current one.
    async fn put_key(&self, new: &NewEntry) -> StoreResult<Put>;
    /// Keeps an attestation with the current entry of a principal of the space, if it has this `keyId`.
    async fn attest_key(
        &self,
        space: SpaceId,
        principal: PrincipalId,
        key_id: &str,
        attestation: &Attestation,
    ) -> StoreResult<Attested>;
    /// Every entry of everybody who takes part in the session or has, the oldest first.
    async fn session_keys(
        &self,
        scope: Scope,
        session: SessionId,
        page: PageRequest,
    ) -> StoreResult<Option<Page<SessionKey>>>;
    /// Changes that are still to be announced, those that have told nobody yet first: of each principal only the oldest,
    /// and those that rest if they were made at `settled` or before.
    async fn announcements(&self, settled: Timestamp, limit: i64) -> StoreResult<Vec<Announcement>>;
    /// The next active sessions, in the order of their ids, that have not been told of a change.
    async fn sessions_to_tell(&self, announcement: &Announcement, limit: i64) -> StoreResult<Vec<SessionId>>;
    /// Notes that every session up to `told` has been told; nothing if another node has noted more meanwhile.
    async fn note_told(&self, announcement: &Announcement, told: SessionId) -> StoreResult<()>;
    /// Notes that every session has been told. A session that was being made meanwhile may have begun with the key before:
    /// there is one more look when those are all there.
    async fn rest_announcement(&self, announcement: &Announcement) -> StoreResult<()>;
    async fn end_announcement(&self, announcement: &Announcement) -> StoreResult<()>;

    async fn key_backup(&self, human: HumanId) -> StoreResult<Option<String>>;
    async fn set_key_backup(&self, human: HumanId, body: &str, now: Timestamp) -> StoreResult<()>;
    /// `false` if there was none.
    async fn delete_key_backup(&self, human: HumanId) -> StoreResult<bool>;
}

/// A key entry to put in the place of another.
#[derive(Clone, Debug)]
pub struct NewEntry {
    pub space: SpaceId,
    pub kind: ParticipantType,
    pub principal: PrincipalId,
    pub entry: KeyEntry,
    /// The row that must be the current one; none if there must be no entry yet.
    pub replaces: Option<Uuid>,
    /// Whether the key of that one signed this one.
    pub chained: bool,
}

/// What came of a new key entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Done,
    /// Another entry is the current one by now.
    Raced,
    /// So many changes of this principal are still to be announced that no further one is taken.
    Unannounced,
    /// The principal has changed its key too often lately.
    TooOften(KeyChangeLimit),
}

/// How often a principal may change its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyChangeLimit {
    /// So many times at once, and then one time more in the time of `each`.
    pub changes: u32,
    pub each: Duration,
    /// How long to wait for the next one.
    pub wait: Duration,
}

/// What came of an attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attested {
    /// What the principal is.
    Done(ParticipantType),
    /// The current entry has another `keyId`.
    OtherKey,
    /// The space has no such principal, or that one has no entry.
    Unknown,
}

/// A change of key that sessions are still to be told of.
#[derive(Clone, Debug)]
pub struct Announcement {
    pub id: Uuid,
    pub space: SpaceId,
    pub change: KeyChange,
    /// The sessions up to this one have been told.
    pub after: Option<SessionId>,
    /// Whether all have been told before, and this is the last look for those that came about with an older key.
    pub is_last_look: bool,
}
