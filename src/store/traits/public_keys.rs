//! Public keys of principals, the announcements of their changes, and the encrypted backups of people's private keys.

use crate::domain::keys::{Attestation, KeyChange, SessionKey};
use crate::domain::{HumanId, KeyEntry, ParticipantType, PrincipalId, Scope, SessionId, SpaceId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::StoreResult;
use async_trait::async_trait;
use std::time::Duration;
use uuid::Uuid;

/// Public keys, announcements of their changes, and key backups.
#[async_trait]
pub trait PublicKeys: Send + Sync {
    /// The current entry of a principal of the space, with the id of its row.
    async fn current_key(&self, space: SpaceId, principal: PrincipalId) -> StoreResult<Option<(Uuid, KeyEntry)>>;
    /// Replaces the entry that `new` names, and queues the announcement of the change; does nothing unless that entry is
    /// still the current one.
    async fn put_key(&self, new: &NewEntry) -> StoreResult<Put>;
    /// Stores an attestation with the current entry of a principal of the space, if it has this `keyId`.
    async fn attest_key(
        &self,
        space: SpaceId,
        principal: PrincipalId,
        key_id: &str,
        attestation: &Attestation,
    ) -> StoreResult<Attested>;
    /// All entries of current and former participants of the session, oldest first.
    async fn session_keys(
        &self,
        scope: Scope,
        session: SessionId,
        page: PageRequest,
    ) -> StoreResult<Option<Page<SessionKey>>>;
    /// Changes to announce, those that were announced in no session first: the oldest change of each principal, and those
    /// in their last pass if they were made at `settled` or before.
    async fn announcements(&self, settled: Timestamp, limit: i64) -> StoreResult<Vec<Announcement>>;
    /// The next active sessions, by id, that a change is still to be announced in.
    async fn sessions_to_announce(&self, announcement: &Announcement, limit: i64) -> StoreResult<Vec<SessionId>>;
    /// Records that a change was announced in every session up to `session`; does nothing if another node is further.
    async fn note_announced(&self, announcement: &Announcement, session: SessionId) -> StoreResult<()>;
    /// Records that a change was announced in every session. A session that was being created meanwhile may have started
    /// with the previous key, so that one last pass follows later.
    async fn rest_announcement(&self, announcement: &Announcement) -> StoreResult<()>;
    async fn end_announcement(&self, announcement: &Announcement) -> StoreResult<()>;

    async fn key_backup(&self, human: HumanId) -> StoreResult<Option<String>>;
    async fn set_key_backup(&self, human: HumanId, body: &str, now: Timestamp) -> StoreResult<()>;
    /// `false` if there was none.
    async fn delete_key_backup(&self, human: HumanId) -> StoreResult<bool>;
}

/// A new key entry.
#[derive(Clone, Debug)]
pub struct NewEntry {
    pub space: SpaceId,
    pub kind: ParticipantType,
    pub principal: PrincipalId,
    pub entry: KeyEntry,
    /// The row that must be the current one; none if there must be no entry yet.
    pub replaces: Option<Uuid>,
    /// Whether the replaced key signed this one.
    pub chained: bool,
}

/// The outcome of a new key entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    Done,
    /// Another entry has become the current one.
    Raced,
    /// Too many changes of this principal are still to be announced.
    Unannounced,
    /// The principal has changed its key too often.
    TooOften(KeyChangeLimit),
}

/// How often a principal may change its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyChangeLimit {
    /// The burst; then one change in each interval of `each`.
    pub changes: u32,
    pub each: Duration,
    /// Time until the next change is accepted.
    pub wait: Duration,
}

/// The outcome of an attestation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attested {
    /// The type of the principal.
    Done(ParticipantType),
    /// The current entry has another `keyId`.
    OtherKey,
    /// The space has no such principal, or the principal has no entry.
    Unknown,
}

/// A key change that is still to be announced.
#[derive(Clone, Debug)]
pub struct Announcement {
    pub id: Uuid,
    pub space: SpaceId,
    pub change: KeyChange,
    /// It was announced in the sessions up to this one.
    pub after: Option<SessionId>,
    /// Whether it was announced in all sessions, and this is the last pass, for sessions that were created meanwhile.
    pub is_last_pass: bool,
}
