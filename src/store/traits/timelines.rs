//! Reading timelines and the messages on them.

use crate::domain::{
    AgentId, CommittedEvent, Message, MessageId, MessageStatus, ParticipantId, PrincipalId, Scope, SessionId, SpaceId,
    Timestamp,
};
use crate::protocol::page::{Page, PageRequest};
use crate::store::{StoreResult, Taken};
use async_trait::async_trait;

/// Events, messages and positions of timelines.
#[async_trait]
pub trait Timelines: Send + Sync {
    /// The messages after the first `after` ones, in order, up to `limit` messages and `max_bytes`.
    async fn messages_after(
        &self,
        scope: Scope,
        session: SessionId,
        after: i64,
        limit: i64,
        max_bytes: i64,
    ) -> StoreResult<Option<MessagePage>>;
    /// The last message of each of these sessions, given with its number of messages, up to `max_bytes`.
    async fn last_messages(
        &self,
        scope: Scope,
        sessions: &[(SessionId, i64)],
        max_bytes: i64,
    ) -> StoreResult<Taken<Message>>;
    async fn message(&self, scope: Scope, session: SessionId, id: MessageId) -> StoreResult<Option<Message>>;
    /// The head of the timeline, or `None` if it is out of scope.
    async fn head(&self, scope: Scope, session: SessionId) -> StoreResult<Option<Head>>;
    /// As `head`, with the participation of a principal.
    async fn head_with_participant(
        &self,
        scope: Scope,
        session: SessionId,
        principal: PrincipalId,
    ) -> StoreResult<Option<HeadWithParticipant>>;
    /// The `seq` of the last message of `sender`, 0 if there is none; `None` if the session is out of scope.
    async fn last_message_by(&self, scope: Scope, session: SessionId, sender: PrincipalId) -> StoreResult<Option<i64>>;
    /// As `head`, with the first message of a human or guest after `after`, from one snapshot.
    async fn first_message_after(
        &self,
        scope: Scope,
        session: SessionId,
        after: i64,
    ) -> StoreResult<Option<HeadWithMessage>>;
    /// The settled questions of `agent` that are not acknowledged, in the order in which they settled.
    async fn unacknowledged(
        &self,
        scope: Scope,
        agent: AgentId,
        page: PageRequest,
    ) -> StoreResult<Page<(SessionId, MessageId)>>;
    /// Those of these messages that exist, in this order, up to `max_bytes`.
    async fn messages_of(
        &self,
        scope: Scope,
        messages: &[(SessionId, MessageId)],
        max_bytes: i64,
    ) -> StoreResult<Taken<Message>>;
    /// As `head`, with the status of a message, from one snapshot. `None` if either is out of scope.
    async fn head_with_status(
        &self,
        scope: Scope,
        session: SessionId,
        id: MessageId,
    ) -> StoreResult<Option<HeadWithStatus>>;
    /// The events after `after`, in order, up to `limit` events and `max_bytes`.
    async fn events_after(
        &self,
        scope: Scope,
        session: SessionId,
        after: i64,
        limit: i64,
        max_bytes: i64,
    ) -> StoreResult<Option<EventPage>>;
    /// The `seq` of the last event before `seq` that is older than `floor`, or else that before the first stored event.
    /// `None` if the session is out of scope.
    async fn last_older(
        &self,
        scope: Scope,
        session: SessionId,
        seq: i64,
        floor: Timestamp,
    ) -> StoreResult<Option<i64>>;
    /// The heads of these sessions, with one query for a node's reconcile tick.
    async fn last_seqs(&self, sessions: &[(SpaceId, SessionId)]) -> StoreResult<Vec<(SessionId, Head)>>;
    /// The sessions of these spaces with an event at or after `since`.
    async fn active_since(&self, spaces: &[SpaceId], since: Timestamp) -> StoreResult<Vec<ActiveSession>>;
    /// Pending messages whose deadline is at or before `now`, most overdue first.
    async fn due_messages(&self, now: Timestamp, limit: i64) -> StoreResult<Vec<DueMessage>>;
}

/// The head of a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub space: SpaceId,
    pub last_seq: i64,
    pub first_seq: i64,
    /// The time of the event at `last_seq`.
    pub at: Timestamp,
}

/// The head of a timeline, with the participation of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadWithParticipant {
    pub head: Head,
    /// None for a key that sees the whole space without participating.
    pub participant: Option<ParticipantId>,
    /// Whether more than 20 people participate, so that presence is sent in batches (contract section 8).
    pub is_crowd: bool,
}

/// The head of a timeline with the status of a message, for a long-poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadWithStatus {
    pub head: Head,
    pub status: MessageStatus,
}

/// The head of a timeline, with the first message of a person after some event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadWithMessage {
    pub head: Head,
    pub message: Option<MessageId>,
}

/// A page of a timeline.
#[derive(Clone, Debug)]
pub struct EventPage {
    pub events: Vec<CommittedEvent>,
    pub head: Head,
}

/// A page of a session's messages, and their total.
#[derive(Clone, Debug)]
pub struct MessagePage {
    pub total: i64,
    pub messages: Vec<Message>,
}

/// A session with recent activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveSession {
    pub space: SpaceId,
    pub id: SessionId,
    pub last_seq: i64,
    /// The time of its last event.
    pub at: Timestamp,
}

/// A pending message whose deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueMessage {
    pub space: SpaceId,
    pub session: SessionId,
    pub message: MessageId,
}
