//! Sessions, their participants, feeds and read marks.

use async_trait::async_trait;
use crate::domain::{Page, PageRequest, Participant, ParticipantId, PrincipalId, Priority, Scope, Session, SessionId, SessionStatus, SpaceId, Timestamp};
use crate::store::StoreResult;

/// Sessions, who takes part in them, and how far they have read.
#[async_trait]
pub trait Sessions: Send + Sync {
    async fn session(&self, scope: Scope, id: SessionId) -> StoreResult<Option<Session>>;
    /// Newest activity first; archived ones only when asked for by `status`.
    async fn sessions(
        &self,
        scope: Scope,
        status: Option<SessionStatus>,
        page: PageRequest,
    ) -> StoreResult<Page<Listed>>;
    /// These sessions of a list with the titles that were left out; no more once `max_bytes` of titles are passed.
    async fn sessions_of(&self, scope: Scope, listed: &[&Listed], max_bytes: i64) -> StoreResult<Taken<Session>>;
    /// What needs this participant (contract section 6): pending first, archived left out.
    async fn feed(&self, scope: Scope, principal: PrincipalId, page: PageRequest) -> StoreResult<Page<FeedEntry>>;
    /// How many sessions have changed since their list entries were written, at most `limit`.
    async fn unlisted(&self, limit: i64) -> StoreResult<i64>;
    /// Writes the list entries of at most `limit` sessions in which nothing has happened since `quiet_since`, of the
    /// first spaces after this one. Returns the last one's space; `None` if there is none, or others have them in hand.
    async fn list_sessions(
        &self,
        quiet_since: Timestamp,
        after: Option<SpaceId>,
        limit: i64,
    ) -> StoreResult<Option<SpaceId>>;
    /// Those who see the session: a human who is deactivated is none of them.
    async fn participants(
        &self,
        scope: Scope,
        session: SessionId,
        page: PageRequest,
    ) -> StoreResult<Option<Page<Participant>>>;
    /// The ids of everyone who takes part, as `participants` has them.
    async fn member_ids(&self, space: SpaceId, session: SessionId) -> StoreResult<Vec<PrincipalId>>;
    /// How many bytes of events the sessions of each of these spaces hold; a space without sessions is left out.
    async fn space_bytes(&self, spaces: &[SpaceId]) -> StoreResult<Vec<SpaceSize>>;
    /// Counts the bytes of at most `limit` sessions of the space of which they are not known; `false` if none is left.
    async fn count_session_bytes(&self, space: SpaceId, limit: i64) -> StoreResult<bool>;
    /// Notes how far a participant has read, never backwards and never past the end. `None` if they don't take part.
    async fn mark_read(
        &self,
        scope: Scope,
        session: SessionId,
        principal: PrincipalId,
        seq: i64,
    ) -> StoreResult<Option<ReadMark>>;
}

/// A session of a list, less an encrypted title that is large.
#[derive(Clone, Debug)]
pub struct Listed {
    pub session: Session,
    /// How many bytes of title were left out; 0 if the session is whole.
    pub left_out: i64,
}

/// One entry of a human's feed.
#[derive(Clone, Debug)]
pub struct FeedEntry {
    pub listed: Listed,
    pub unread_count: i64,
    pub highest_priority: Option<Priority>,
    pub next_deadline_at: Option<Timestamp>,
}

/// What was found of the first `count` that were asked for: the others did not fit.
#[derive(Clone, Debug)]
pub struct Taken<T> {
    pub count: usize,
    pub data: Vec<T>,
}

/// How far a participant has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadMark {
    pub participant: ParticipantId,
    pub seq: i64,
    /// Whether this call moved it.
    pub moved: bool,
}

/// How many bytes of events a space holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceSize {
    pub space: SpaceId,
    pub bytes: i64,
    /// Whether there are sessions whose bytes are not known, and not among these.
    pub is_partial: bool,
}
