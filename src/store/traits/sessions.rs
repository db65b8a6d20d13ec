//! Sessions, their participants, feeds and read marks.

use crate::domain::{
    Participant, ParticipantId, PrincipalId, Priority, Scope, Session, SessionId, SessionStatus, SpaceId, Timestamp,
};
use crate::protocol::page::{Page, PageRequest};
use crate::store::StoreResult;
use async_trait::async_trait;

/// Sessions, participants, lists and read marks.
#[async_trait]
pub trait Sessions: Send + Sync {
    async fn session(&self, scope: Scope, id: SessionId) -> StoreResult<Option<Session>>;
    /// Newest activity first; archived sessions only if `status` asks for them.
    async fn sessions(
        &self,
        scope: Scope,
        status: Option<SessionStatus>,
        page: PageRequest,
    ) -> StoreResult<Page<Listed>>;
    /// These sessions of a list with the titles that were left out, up to `max_bytes` of titles.
    async fn sessions_of(&self, scope: Scope, listed: &[&Listed], max_bytes: i64) -> StoreResult<Taken<Session>>;
    /// The feed of a participant (contract section 6): pending first, without archived sessions.
    async fn feed(&self, scope: Scope, principal: PrincipalId, page: PageRequest) -> StoreResult<Page<FeedEntry>>;
    /// The number of sessions that have changed since their list entries were written, at most `limit`.
    async fn unlisted(&self, limit: i64) -> StoreResult<i64>;
    /// Writes the list entries of at most `limit` sessions without activity since `quiet_since`, from the first spaces
    /// after `after`. Returns the space of the last one; `None` if there is none, or other nodes have locked them.
    async fn list_sessions(
        &self,
        quiet_since: Timestamp,
        after: Option<SpaceId>,
        limit: i64,
    ) -> StoreResult<Option<SpaceId>>;
    /// The participants of a session, without deactivated humans.
    async fn participants(
        &self,
        scope: Scope,
        session: SessionId,
        page: PageRequest,
    ) -> StoreResult<Option<Page<Participant>>>;
    /// The ids of the participants, as `participants` returns them.
    async fn member_ids(&self, space: SpaceId, session: SessionId) -> StoreResult<Vec<PrincipalId>>;
    /// The bytes of events in each of these spaces; a space without sessions is left out.
    async fn space_bytes(&self, spaces: &[SpaceId]) -> StoreResult<Vec<SpaceSize>>;
    /// Counts the bytes of at most `limit` sessions of the space for which they are unknown; `false` if none is left.
    async fn count_session_bytes(&self, space: SpaceId, limit: i64) -> StoreResult<bool>;
    /// Moves the read mark of a participant, never back and never past the end. `None` if the principal does not participate.
    async fn mark_read(
        &self,
        scope: Scope,
        session: SessionId,
        principal: PrincipalId,
        seq: i64,
    ) -> StoreResult<Option<ReadMark>>;
}

/// A session of a list, without its encrypted title if that is large.
#[derive(Clone, Debug)]
pub struct Listed {
    pub session: Session,
    /// Bytes of the title that was left out; 0 if the session is complete.
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

/// The items found among the first `count` of the request; the others exceed the byte limit.
#[derive(Clone, Debug)]
pub struct Taken<T> {
    pub count: usize,
    pub data: Vec<T>,
}

/// The read mark of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadMark {
    pub participant: ParticipantId,
    pub seq: i64,
    /// Whether this call moved it.
    pub moved: bool,
}

/// The bytes of events in a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceSize {
    pub space: SpaceId,
    pub bytes: i64,
    /// Whether there are sessions whose bytes are unknown and not included.
    pub is_partial: bool,
}
