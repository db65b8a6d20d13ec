//! The write transaction of one batch of a timeline writer: its input and its rows.

use crate::domain::command::NewGuest;
use crate::domain::interaction::InteractionState;
use crate::domain::message::{MessageState, Settlement};
use crate::domain::participant::{Participation, TakenName};
use crate::domain::{
    CommittedEvent, KeyId, MessageId, MessageStatus, Participant, ParticipantId, PrincipalId, Session, SessionId,
    SpaceId, Timestamp,
};
use crate::store::{SavedReply, StoreResult};
use async_trait::async_trait;
use uuid::Uuid;

/// A write transaction. Loaded sessions are locked until it ends. It is rolled back when it is dropped before `commit`.
#[async_trait]
pub trait WriteTx: Send {
    /// Loads and locks the named sessions, in the order of their ids, and reads the rest. Replies saved before `since` are
    /// left out.
    async fn load(&mut self, named: &Named, since: Timestamp) -> StoreResult<Loaded>;
    async fn pending_messages(&mut self, session: SessionId) -> StoreResult<Vec<MessageState>>;
    async fn participant(&mut self, session: SessionId, id: ParticipantId) -> StoreResult<Option<Participant>>;
    async fn participant_of(&mut self, session: SessionId, principal: PrincipalId) -> StoreResult<Option<Participant>>;
    /// The number of guests in the session.
    async fn count_guests(&mut self, session: SessionId) -> StoreResult<i64>;
    /// As [`crate::store::DirectoryTx::hold_key`].
    async fn hold_key(&mut self, key: KeyId) -> StoreResult<bool>;
    /// The names of the participants, of all or of guests only.
    async fn participant_names(&mut self, session: SessionId, of_everybody: bool) -> StoreResult<Vec<TakenName>>;
    /// The creation time of the newest key of this participant that was announced in the session.
    async fn announced_key(&mut self, session: SessionId, principal: PrincipalId) -> StoreResult<Option<Timestamp>>;
    /// The interaction that the session is, if it is one.
    async fn interaction(&mut self, session: SessionId) -> StoreResult<Option<InteractionState>>;
    /// Writes the changes of a batch so far.
    async fn apply(&mut self, writes: WriteSet) -> StoreResult<()>;
    /// Writes the remaining changes and commits.
    async fn commit(self: Box<Self>, writes: WriteSet) -> StoreResult<()>;
}

/// How long a transaction waits for a locked row before it fails with [`StoreError::Busy`](crate::store::StoreError).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// Longer than any healthy writer takes.
    Brief,
    /// Long enough for the database to release the locks of a node that has died.
    Long,
}

/// Everything that a batch refers to, read before it is decided.
#[derive(Debug, Default)]
pub struct Named {
    pub sessions: Vec<(SpaceId, SessionId)>,
    /// Principals whose participation is to be read.
    pub members: Vec<(SessionId, PrincipalId)>,
    /// Principals that must be a human or guest of a session.
    pub answerers: Vec<(SessionId, PrincipalId)>,
    /// Ids of new sessions that were chosen by clients.
    pub new_sessions: Vec<SessionId>,
    pub messages: Vec<(SessionId, MessageId)>,
    /// Scopes and keys of saved replies.
    pub replies: Vec<(String, String)>,
}

/// The existing rows of a [`Named`].
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order of their ids.
    pub sessions: Vec<Session>,
    pub members: Vec<(SessionId, PrincipalId, Participation)>,
    /// Those that are, and see the session.
    pub answerers: Vec<(SessionId, PrincipalId)>,
    /// Ids that are taken, in any space.
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
    /// Key changes that were announced: the session, the principal, the time of the key.
    pub announced_keys: Vec<(SessionId, PrincipalId, Timestamp)>,
    pub read_marks: Vec<NewMark>,
    /// New interactions: the session, the question, the name of the type.
    pub new_interactions: Vec<(SessionId, MessageId, String)>,
    pub acknowledged: Vec<Acknowledged>,
    pub replies: Vec<SavedReply>,
}

/// The read mark of a principal that has just posted; at most one for each, never moved back.
#[derive(Clone, Copy, Debug)]
pub struct NewMark {
    pub session: SessionId,
    pub principal: PrincipalId,
    pub seq: i64,
    /// The number of messages at or below `seq`.
    pub count: i64,
}

/// An acknowledged question, with the event that records it.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    pub session: SessionId,
    pub message: MessageId,
    pub seq: i64,
    pub at: Timestamp,
}

/// The subject of an event in its row: the message that it settled or the principal that it removed.
pub(crate) fn subject_of(event: &CommittedEvent) -> Option<Uuid> {
    event.settles.map(Into::into).or(event.removes.map(|id| id.0))
}
