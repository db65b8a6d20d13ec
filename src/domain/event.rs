//! Events: the one kind of entry on a timeline.

use super::{MessageId, PrincipalId, SessionId, SpaceId, Timestamp};
use std::sync::Arc;

/// The types of event (contract section 4), with their names on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum EventType {
    SessionCreated,
    SessionUpdated,
    SessionClosed,
    SessionArchived,
    ParticipantAdded,
    ParticipantRemoved,
    ParticipantKeyChanged,
    MessageCreated,
    MessageCompleted,
    MessageCancelled,
    MessageExpired,
    MessageAcknowledged,
    BlocksPushed,
}

impl EventType {
    pub const ALL: &[Self] = &[
        Self::SessionCreated,
        Self::SessionUpdated,
        Self::SessionClosed,
        Self::SessionArchived,
        Self::ParticipantAdded,
        Self::ParticipantRemoved,
        Self::ParticipantKeyChanged,
        Self::MessageCreated,
        Self::MessageCompleted,
        Self::MessageCancelled,
        Self::MessageExpired,
        Self::MessageAcknowledged,
        Self::BlocksPushed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionCreated => "session.created",
            Self::SessionUpdated => "session.updated",
            Self::SessionClosed => "session.closed",
            Self::SessionArchived => "session.archived",
            Self::ParticipantAdded => "participant.added",
            Self::ParticipantRemoved => "participant.removed",
            Self::ParticipantKeyChanged => "participant.key_changed",
            Self::MessageCreated => "message.created",
            Self::MessageCompleted => "message.completed",
            Self::MessageCancelled => "message.cancelled",
            Self::MessageExpired => "message.expired",
            Self::MessageAcknowledged => "message.acknowledged",
            Self::BlocksPushed => "blocks.pushed",
        }
    }

    /// The type of an event as nodes of the previous release have it: the column `kind` of the store, and `kind` in
    /// messages between nodes. Readers of this version look at `type` first, where there is one.
    pub fn basic(self) -> Self {
        match self {
            // It concerns a participant, changes no counter and settles nothing.
            Self::ParticipantKeyChanged => Self::ParticipantAdded,
            known => known,
        }
    }

    /// The type of an event that is stored or sent as `kind` and, where that is not all, `type`. One that only a later
    /// version has counts as its `kind`.
    pub fn of(kind: &str, precise: Option<&str>) -> Option<Self> {
        precise.and_then(Self::parse).or_else(|| Self::parse(kind))
    }

    /// The type, if it is more specific than [`Self::basic`].
    pub fn precise(self) -> Option<&'static str> {
        (self.basic() != self).then(|| self.as_str())
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// An event as it is on the timeline: its position, and its JSON exactly as it goes out on the wire.
#[derive(Clone, Debug)]
pub struct CommittedEvent {
    pub space: SpaceId,
    pub session: SessionId,
    pub seq: i64,
    pub kind: EventType,
    pub at: Timestamp,
    /// The session's pending messages after this event.
    pub pending: i64,
    /// The message that this event settled, if it is one that settles.
    pub settles: Option<MessageId>,
    /// Who is no longer a participant since this event.
    pub removes: Option<PrincipalId>,
    /// The event's JSON.
    pub text: Arc<str>,
}

/// An event without its content, as a feed carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventHint {
    pub space: SpaceId,
    pub session: SessionId,
    pub seq: i64,
    pub kind: EventType,
    pub at: Timestamp,
    /// The session's pending messages after this event.
    pub pending: i64,
}

impl From<&CommittedEvent> for EventHint {
    fn from(event: &CommittedEvent) -> Self {
        let CommittedEvent { space, session, seq, kind, at, pending, .. } = *event;
        Self { space, session, seq, kind, at, pending }
    }
}
