//! The write transaction of one batch of a timeline writer: what it loads and what it writes.

use async_trait::async_trait;
use crate::domain::decide::NewGuest;
use crate::domain::interaction::InteractionState;
use crate::domain::message::{MessageState, Settlement};
use crate::domain::participant::{Participation, TakenName};
use crate::domain::{CommittedEvent, KeyId, MessageId, MessageStatus, Participant, ParticipantId, PrincipalId, Session, SessionId, SpaceId, Timestamp};
use crate::store::{SavedReply, StoreResult};
use uuid::Uuid;

/// One write transaction: what is loaded is locked until it ends; dropped without `commit`, it never was.
#[async_trait]
pub trait WriteTx: Send {
    /// Loads and locks the sessions that are named, in the order of their ids, and reads the rest: of replies those
    /// that were saved since `since`.
    async fn load(&mut self, named: &Named, since: Timestamp) -> StoreResult<Loaded>;
    async fn pending_messages(&mut self, session: SessionId) -> StoreResult<Vec<MessageState>>;
    async fn participant(&mut self, session: SessionId, id: ParticipantId) -> StoreResult<Option<Participant>>;
    async fn participant_of(&mut self, session: SessionId, principal: PrincipalId) -> StoreResult<Option<Participant>>;
    /// How many guests take part in the session.
    async fn count_guests(&mut self, session: SessionId) -> StoreResult<i64>;
    /// As [`crate::store::DirectoryTx::hold_key`].
    async fn hold_key(&mut self, key: KeyId) -> StoreResult<bool>;
    /// The names of those who take part: of everybody, or of guests alone.
    async fn participant_names(&mut self, session: SessionId, of_everybody: bool) -> StoreResult<Vec<TakenName>>;
    /// When the newest key was made of which the session's timeline tells for this participant, if it does.
    async fn told_key(&mut self, session: SessionId, principal: PrincipalId) -> StoreResult<Option<Timestamp>>;
    /// What the session is as an interaction, if it is one.
    async fn interaction(&mut self, session: SessionId) -> StoreResult<Option<InteractionState>>;
    /// Writes what a batch has done so far.
    async fn apply(&mut self, writes: WriteSet) -> StoreResult<()>;
    /// Writes the rest and makes all of it durable.
    async fn commit(self: Box<Self>, writes: WriteSet) -> StoreResult<()>;
}

/// How long a transaction waits for a row that somebody else holds before it ends as [`crate::store::StoreError::Busy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// Longer than any healthy writer takes.
    Brief,
    /// So long that one that has died is let go by the database.
    Long,
}

/// What a batch names, and so has to know before it begins.
#[derive(Debug, Default)]
pub struct Named {
    pub sessions: Vec<(SpaceId, SessionId)>,
    /// Who has to take part in which session.
    pub members: Vec<(SessionId, PrincipalId)>,
    /// Who is to be a human or guest of which session.
    pub answerers: Vec<(SessionId, PrincipalId)>,
    /// Ids of sessions to create that clients have chosen.
    pub new_sessions: Vec<SessionId>,
    pub messages: Vec<(SessionId, MessageId)>,
    /// The scopes and keys under which replies may be kept.
    pub replies: Vec<(String, String)>,
}

/// What there is of what a batch names.
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order of their ids.
    pub sessions: Vec<Session>,
    pub members: Vec<(SessionId, PrincipalId, Participation)>,
    /// Those who are, and see the session.
    pub answerers: Vec<(SessionId, PrincipalId)>,
    /// Those that are taken, in whichever space.
    pub taken: Vec<SessionId>,
    pub messages: Vec<MessageState>,
    pub replies: Vec<SavedReply>,
}

/// Everything that one batch writes.
#[derive(Debug, Default)]
pub struct WriteSet {
    pub new_sessions: Vec<Session>,
    pub changed_sessions: Vec<Session>,
    pub events: Vec<CommittedEvent>,
    /// New messages with their ordinal in the session, from 1.
    pub new_messages: Vec<(MessageState, i64)>,
    pub settled: Vec<(MessageId, MessageStatus, Settlement)>,
    pub new_participants: Vec<Participant>,
    pub gone_participants: Vec<(Participant, Timestamp)>,
    pub new_guests: Vec<(SpaceId, Participant, NewGuest)>,
    /// Of whose key, made when, a session was told.
    pub told_keys: Vec<(SessionId, PrincipalId, Timestamp)>,
    pub read_marks: Vec<NewMark>,
    /// Which sessions are interactions, with the message that asks and what they are called.
    pub new_interactions: Vec<(SessionId, MessageId, String)>,
    pub acknowledged: Vec<Acknowledged>,
    pub replies: Vec<SavedReply>,
}

/// How far somebody has read who has just written: once for each, never backwards.
#[derive(Clone, Copy, Debug)]
pub struct NewMark {
    pub session: SessionId,
    pub principal: PrincipalId,
    pub seq: i64,
    /// How many messages stand at or below `seq`.
    pub count: i64,
}

/// A question whose outcome was taken, and the event that says so.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    pub session: SessionId,
    pub message: MessageId,
    pub seq: i64,
    pub at: Timestamp,
}

/// The id column of an event's subject: the message that it settled or the principal that it removed.
pub(crate) fn subject_of(event: &CommittedEvent) -> Option<Uuid> {
    event.settles.map(Into::into).or(event.removes.map(|id| id.0))
}
