//! The shape of an event on the wire, for the published documents. [`encode`] writes the text itself.

pub mod encode;

use crate::domain::Timestamp;
use crate::domain::message::Response;
use crate::domain::{
    Actor, Envelope, KeyEntry, Message, MessageId, Participant, ParticipantId, Priority, Session, SessionId,
};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// An event of a session's timeline. `seq` counts 1, 2, 3 … in each session, gapless and in commit order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    pub session_id: SessionId,
    #[schema(minimum = 1)]
    pub seq: i64,
    pub at: Timestamp,
    pub actor: Actor,
    #[serde(flatten)]
    pub body: EventBody,
}

/// The type of the event, and the data of that type.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", content = "data")]
pub enum EventBody {
    #[serde(rename = "session.created")]
    SessionCreated(SessionCreated),
    #[serde(rename = "session.updated")]
    SessionUpdated(SessionUpdated),
    #[serde(rename = "session.closed")]
    SessionClosed(SessionEnded),
    #[serde(rename = "session.archived")]
    SessionArchived(SessionEnded),
    #[serde(rename = "participant.added")]
    ParticipantAdded(ParticipantAdded),
    #[serde(rename = "participant.removed")]
    ParticipantRemoved(ParticipantRemoved),
    #[serde(rename = "participant.key_changed")]
    ParticipantKeyChanged(ParticipantKeyChanged),
    #[serde(rename = "message.created")]
    MessageCreated(MessageCreated),
    #[serde(rename = "message.completed")]
    MessageCompleted(MessageCompleted),
    #[serde(rename = "message.cancelled")]
    MessageCancelled(MessageNamed),
    #[serde(rename = "message.expired")]
    MessageExpired(MessageNamed),
    #[serde(rename = "message.acknowledged")]
    MessageAcknowledged(MessageNamed),
    #[serde(rename = "blocks.pushed")]
    BlocksPushed(BlocksPushed),
}

/// The new session with its first participants.
#[derive(Serialize, ToSchema)]
pub struct SessionCreated {
    pub session: Session,
    pub participants: Vec<Participant>,
}

/// The fields that a PATCH may change, after the change.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionUpdated {
    pub title: Option<String>,
    pub encrypted_title: Option<Envelope>,
    pub priority: Priority,
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Box<RawValue>>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionEnded {
    pub closed_at: Option<Timestamp>,
    pub archived_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
pub struct ParticipantAdded {
    pub participant: Participant,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantRemoved {
    pub participant_id: ParticipantId,
    pub participant: Participant,
}

/// The public key of a participant was replaced. Earlier content stays encrypted for the previous key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantKeyChanged {
    pub participant_id: ParticipantId,
    pub entry: KeyEntry,
    /// Whether the previous key has signed the new one.
    pub chained: bool,
}

#[derive(Serialize, ToSchema)]
pub struct MessageCreated {
    pub message: Message,
}

/// A message that required an answer was answered. The `message.created` of the answer is the event before.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageCompleted {
    pub message_id: MessageId,
    pub response: Response,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageNamed {
    pub message_id: MessageId,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlocksPushed {
    pub message_id: MessageId,
    pub encrypted_blocks: Envelope,
}
