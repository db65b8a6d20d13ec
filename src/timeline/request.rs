//! A request to change a session, and its outcome.

use super::idempotency::Idempotency;
use crate::domain::decide::Command;
use crate::domain::interaction::NewInteraction;
use crate::domain::{
    Actor, MessageId, Participant, ParticipantId, Principal, PrincipalId, Refusal, Session, SessionId, SpaceId,
};
use crate::store::SavedReplyKind;
use std::sync::Arc;

/// Who changes something.
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

    /// The principal that must take part in the session for the command to be carried out.
    pub(super) fn must_take_part(&self) -> Option<PrincipalId> {
        match self {
            Self::Principal(principal) => principal.scope().participant(),
            Self::System => None,
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub enum Action {
    Create {
        session: Box<Session>,
        /// Whether its id is the client's, and so may be taken.
        has_chosen_id: bool,
        participants: Vec<Participant>,
        /// What is asked in it from the start, if it is an interaction.
        interaction: Option<Box<NewInteraction>>,
    },
    Command(Command),
    /// Nothing but the first reply under the request's key; this refusal if there is none.
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
    /// About how many bytes it holds.
    pub(super) fn size(&self) -> usize {
        let fixed = 512;
        fixed
            + match &self.action {
                Action::Create { participants, interaction, .. } => {
                    participants.len() * 768 + interaction.as_ref().map_or(0, |new| new.message.size())
                }
                Action::Command(Command::Post(message)) => message.size(),
                Action::Command(Command::PushBlocks(block)) => block.as_str().len(),
                Action::Command(Command::TellKey(_)) => 1024,
                Action::Command(_) | Action::Recall(_) => 0,
            }
    }
}

/// What came of a request. Sent only once it is durable.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The JSON of the message that was created, and the last `seq` of what it caused. A person who writes has read
    /// what stands before: which participant that is.
    Posted {
        json: String,
        last_seq: i64,
        reader: Option<ParticipantId>,
    },
    /// The message that settled, to be read from the store.
    Settled(SessionId, MessageId),
    /// The message whose outcome was taken, to be read from the store.
    Acknowledged(SessionId, MessageId),
    Session(Box<Session>),
    Participant {
        participant: Box<Participant>,
        created: bool,
    },
    Removed(Box<Participant>),
    /// The interaction as it stood at `seq`, to be read from the store.
    Interaction {
        session: SessionId,
        seq: i64,
    },
    /// The request was carried out before: its first reply.
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

    /// How to keep this reply for a retry.
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
