//! A request to change a session, and its outcome.

use super::idempotency::Idempotency;
use crate::domain::command::Command;
use crate::domain::interaction::NewInteraction;
use crate::domain::{
    Actor, MessageId, Participant, ParticipantId, Principal, PrincipalId, Refusal, Session, SessionId, SpaceId,
};
use crate::store::SavedReplyKind;
use std::sync::Arc;

/// The author of a change.
#[derive(Clone, Debug)]
pub enum By {
    Principal(Arc<Principal>),
    /// The hub itself.
    System,
}

impl By {
    pub(super) fn actor(&self) -> Actor {
        match self {
            Self::Principal(principal) => principal.actor(),
            Self::System => Actor::system(),
        }
    }

    /// The principal that must take part in the session for the command to be executed.
    pub(super) fn required_participant(&self) -> Option<PrincipalId> {
        match self {
            Self::Principal(principal) => principal.scope().participant(),
            Self::System => None,
        }
    }
}

/// The change that is requested.
#[derive(Clone, Debug)]
pub enum Action {
    Create {
        session: Box<Session>,
        /// Whether the client has chosen the id, which may be in use.
        has_chosen_id: bool,
        participants: Vec<Participant>,
        /// The question of an interaction.
        interaction: Option<Box<NewInteraction>>,
    },
    Command(Command),
    /// Only the stored reply of the request's idempotency key; this refusal if there is none.
    Recall(Refusal),
}

/// One request to change a session.
#[derive(Clone, Debug)]
pub struct Request {
    pub space: SpaceId,
    pub session: SessionId,
    pub by: By,
    pub action: Action,
    pub idempotency: Option<Idempotency>,
}

impl Request {
    /// About how many bytes of memory it takes.
    pub(super) fn size(&self) -> usize {
        let fixed = 512;
        fixed
            + match &self.action {
                Action::Create { participants, interaction, .. } => {
                    participants.len() * 768 + interaction.as_ref().map_or(0, |new| new.message.size())
                }
                Action::Command(Command::Post(message)) => message.size(),
                Action::Command(Command::PushBlocks(block)) => block.as_str().len(),
                Action::Command(Command::AnnounceKey(_)) => 1024,
                Action::Command(_) | Action::Recall(_) => 0,
            }
    }
}

/// The outcome of a request. Sent only once it is durable.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The JSON of the new message, and the last `seq` of its events. `reader` is the participant whose read mark
    /// moved, because a person who writes has read what comes before.
    Posted {
        json: String,
        last_seq: i64,
        reader: Option<ParticipantId>,
    },
    /// The message that settled. The caller reads it from the store.
    Settled(SessionId, MessageId),
    /// The message whose outcome was acknowledged. The caller reads it from the store.
    Acknowledged(SessionId, MessageId),
    Session(Box<Session>),
    Participant {
        participant: Box<Participant>,
        created: bool,
    },
    Removed(Box<Participant>),
    /// The interaction at `seq`. The caller reads it from the store.
    Interaction {
        session: SessionId,
        seq: i64,
    },
    /// The request was executed before. Its first reply.
    Replayed {
        status: u16,
        reply: SavedReplyKind,
    },
}

impl Outcome {
    /// The HTTP status of the reply (contract sections 5 and 6).
    pub(super) fn status(&self, action: &Action) -> u16 {
        match (self, action) {
            (Self::Posted { .. } | Self::Participant { created: true, .. }, _)
            | (_, Action::Create { .. } | Action::Command(Command::PushBlocks(_))) => 201,
            _ => 200,
        }
    }

    /// The reply as it is stored for a retry.
    pub(super) fn saved(&self, session: SessionId, posted: Option<MessageId>) -> Option<SavedReplyKind> {
        match self {
            Self::Posted { .. } => posted.map(|id| SavedReplyKind::Posted(session, id)),
            Self::Settled(session, message) => Some(SavedReplyKind::Settled(*session, *message)),
            Self::Acknowledged(session, message) => Some(SavedReplyKind::Acknowledged(*session, *message)),
            Self::Session(session) => serde_json::to_string(session).ok().map(SavedReplyKind::Body),
            Self::Participant { participant, .. } => serde_json::to_string(participant).ok().map(SavedReplyKind::Body),
            Self::Interaction { session, seq } => Some(SavedReplyKind::Interaction(*session, *seq)),
            Self::Removed(_) | Self::Replayed { .. } => None,
        }
    }
}
