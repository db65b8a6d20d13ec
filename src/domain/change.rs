//! Changes: the events that a command appends, and their effect on the session.

use super::command::NewGuest;
use super::keys::KeyChange;
use super::message::Response;
use super::session::SessionPatch;
use super::{
    Envelope, EventType, Message, MessageId, MessageStatus, Participant, ParticipantId, Session, SessionStatus,
    Timestamp,
};

/// One event to append, without its position.
#[derive(Clone, Debug)]
pub enum Change {
    SessionCreated(Vec<Participant>),
    SessionUpdated(SessionPatch),
    SessionClosed,
    SessionArchived,
    ParticipantAdded(Participant, Option<NewGuest>),
    ParticipantRemoved(Participant),
    ParticipantKeyChanged(ParticipantId, Box<KeyChange>),
    MessageCreated(Box<Message>),
    MessageCompleted(MessageId, Box<Response>),
    MessageCancelled(MessageId),
    MessageExpired(MessageId),
    MessageAcknowledged(MessageId),
    BlocksPushed(MessageId, Envelope),
}

impl Change {
    pub fn event_type(&self) -> EventType {
        match self {
            Self::SessionCreated(_) => EventType::SessionCreated,
            Self::SessionUpdated(_) => EventType::SessionUpdated,
            Self::SessionClosed => EventType::SessionClosed,
            Self::SessionArchived => EventType::SessionArchived,
            Self::ParticipantAdded(..) => EventType::ParticipantAdded,
            Self::ParticipantRemoved(_) => EventType::ParticipantRemoved,
            Self::ParticipantKeyChanged(..) => EventType::ParticipantKeyChanged,
            Self::MessageCreated(_) => EventType::MessageCreated,
            Self::MessageCompleted(..) => EventType::MessageCompleted,
            Self::MessageCancelled(_) => EventType::MessageCancelled,
            Self::MessageExpired(_) => EventType::MessageExpired,
            Self::MessageAcknowledged(_) => EventType::MessageAcknowledged,
            Self::BlocksPushed(..) => EventType::BlocksPushed,
        }
    }

    /// The message that this change settles, and as what.
    pub fn settles(&self) -> Option<(MessageId, MessageStatus)> {
        match self {
            Self::MessageCompleted(id, _) => Some((*id, MessageStatus::Completed)),
            Self::MessageCancelled(id) => Some((*id, MessageStatus::Cancelled)),
            Self::MessageExpired(id) => Some((*id, MessageStatus::Expired)),
            _ => None,
        }
    }
}

/// Applies `change`, which happens at `at`, to the session: its counters, status and times. Returns the
/// change's `seq`, which a new message also takes over.
pub fn evolve(session: &mut Session, change: &mut Change, at: Timestamp) -> i64 {
    session.last_seq += 1;
    session.updated_at = at;
    match change {
        Change::MessageCreated(message) => {
            message.seq = session.last_seq;
            session.message_count += 1;
            session.pending_count += i64::from(message.status == MessageStatus::Pending);
        }
        Change::MessageCompleted(..) | Change::MessageCancelled(_) | Change::MessageExpired(_) => {
            session.pending_count -= 1;
        }
        Change::SessionClosed => {
            session.status = SessionStatus::Closed;
            session.closed_at = Some(at);
        }
        Change::SessionArchived => {
            session.status = SessionStatus::Archived;
            session.archived_at = Some(at);
        }
        Change::SessionUpdated(patch) => {
            if let Some(title) = &patch.title {
                session.title.clone_from(title);
            }
            if let Some(title) = &patch.encrypted_title {
                session.encrypted_title.clone_from(title);
            }
            if let Some(priority) = patch.priority {
                session.priority = priority;
            }
            if let Some(metadata) = &patch.metadata {
                session.metadata.clone_from(metadata);
            }
        }
        Change::SessionCreated(_)
        | Change::ParticipantAdded(..)
        | Change::ParticipantRemoved(_)
        | Change::ParticipantKeyChanged(..)
        | Change::MessageAcknowledged(_)
        | Change::BlocksPushed(..) => {}
    }
    session.last_seq
}
