//! Reading timelines and the messages on them.

use async_trait::async_trait;
use crate::domain::{AgentId, CommittedEvent, Message, MessageId, MessageStatus, Page, PageRequest, ParticipantId, PrincipalId, Scope, SessionId, SpaceId, Timestamp};
use crate::store::{StoreResult, Taken};

/// Reading timelines and the messages on them.
#[async_trait]
pub trait Timelines: Send + Sync {
    /// The messages after the first `after` ones, in order: at most `limit`, and no more once `max_bytes` are passed.
    async fn messages_after(
        &self,
        scope: Scope,
        session: SessionId,
        after: i64,
        limit: i64,
        max_bytes: i64,
    ) -> StoreResult<Option<MessagePage>>;
    /// The last message of each of these sessions, given with how many it has; no more once `max_bytes` are passed.
    async fn last_messages(
        &self,
        scope: Scope,
        sessions: &[(SessionId, i64)],
        max_bytes: i64,
    ) -> StoreResult<Taken<Message>>;
    async fn message(&self, scope: Scope, session: SessionId, id: MessageId) -> StoreResult<Option<Message>>;
    /// Where the timeline stands, or `None` if it is out of scope.
    async fn head(&self, scope: Scope, session: SessionId) -> StoreResult<Option<Head>>;
    /// As `head`, with the caller's own participation.
    async fn standing(&self, scope: Scope, session: SessionId, principal: PrincipalId)
    -> StoreResult<Option<Standing>>;
    /// The `seq` of the last message that `sender` wrote, 0 if there is none; `None` if the session is out of scope.
    async fn last_said_by(&self, scope: Scope, session: SessionId, sender: PrincipalId) -> StoreResult<Option<i64>>;
    /// As `head`, with the first message after `after` of a human or guest, at the same moment.
    async fn first_said(&self, scope: Scope, session: SessionId, after: i64) -> StoreResult<Option<Said>>;
    /// The settled questions of `agent` whose outcome nobody has taken, in the order in which they settled.
    async fn unacknowledged(
        &self,
        scope: Scope,
        agent: AgentId,
        page: PageRequest,
    ) -> StoreResult<Page<(SessionId, MessageId)>>;
    /// Those of these messages that are there, in their order; no more once `max_bytes` are passed.
    async fn messages_of(
        &self,
        scope: Scope,
        messages: &[(SessionId, MessageId)],
        max_bytes: i64,
    ) -> StoreResult<Taken<Message>>;
    /// As `head`, with the status of a message at the same moment. `None` if either is out of scope.
    async fn outlook(&self, scope: Scope, session: SessionId, id: MessageId) -> StoreResult<Option<Outlook>>;
    /// The events after `after`, in order: at most `limit`, and no more once `max_bytes` are passed.
    async fn events_after(
        &self,
        scope: Scope,
        session: SessionId,
        after: i64,
        limit: i64,
        max_bytes: i64,
    ) -> StoreResult<Option<EventPage>>;
    /// The `seq` of the last event before `seq` that is older than `floor`, without what it says: the place before the
    /// first event that is kept if there is none. `None` if the session is out of scope.
    async fn last_older(
        &self,
        scope: Scope,
        session: SessionId,
        seq: i64,
        floor: Timestamp,
    ) -> StoreResult<Option<i64>>;
    /// Where the timeline of each of these sessions stands: one query for a node's reconcile tick.
    async fn last_seqs(&self, sessions: &[(SpaceId, SessionId)]) -> StoreResult<Vec<(SessionId, Head)>>;
    /// Where the sessions of these spaces stand that have had an event at or after `since`.
    async fn active_since(&self, spaces: &[SpaceId], since: Timestamp) -> StoreResult<Vec<ActiveSession>>;
    /// Pending messages whose deadline is at or before `now`, the most overdue first.
    async fn due_messages(&self, now: Timestamp, limit: i64) -> StoreResult<Vec<DueMessage>>;
}

/// Where a timeline stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub space: SpaceId,
    pub last_seq: i64,
    pub first_seq: i64,
    /// The time of the event at `last_seq`.
    pub at: Timestamp,
}

/// Where a timeline stands, and who somebody is on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub head: Head,
    /// The caller's own participation; none for a key that sees the whole space without taking part.
    pub participant: Option<ParticipantId>,
    /// Whether more than 20 people take part, so that presence is told in batches (contract section 8).
    pub is_crowd: bool,
}

/// Where a timeline stands, and one of its messages on it: all that whoever waits for the message has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    pub head: Head,
    pub status: MessageStatus,
}

/// Where a timeline stands, and the first message that a person wrote after some event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    pub head: Head,
    pub message: Option<MessageId>,
}

/// A stretch of a timeline.
#[derive(Clone, Debug)]
pub struct EventPage {
    pub events: Vec<CommittedEvent>,
    pub head: Head,
}

/// A stretch of a session's messages, and how many there are in all.
#[derive(Clone, Debug)]
pub struct MessagePage {
    pub total: i64,
    pub messages: Vec<Message>,
}

/// A session that has moved lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveSession {
    pub space: SpaceId,
    pub id: SessionId,
    pub last_seq: i64,
    /// When its last event came.
    pub at: Timestamp,
}

/// A pending message whose deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueMessage {
    pub space: SpaceId,
    pub session: SessionId,
    pub message: MessageId,
}
