//! The facts that rules read besides the session.

use super::interaction::InteractionState;
use super::message::MessageState;
use super::participant::{Participation, TakenName};
use super::{Actor, MessageId, Participant, PrincipalId, Timestamp};

/// The facts that rules read besides the session.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub now: Timestamp,
    pub actor: &'a Actor,
    /// Whether the actor is a person, whose reply to a pending message settles it. An agent's does not: an agent
    /// must not be able to approve what another one asks a person.
    pub by_person: bool,
    /// The participation of the actor, if it participates.
    pub participation: Option<&'a Participation>,
    /// The answerers of a new message that are not a human or guest of the session.
    pub unknown_answerers: &'a [PrincipalId],
    /// The message that the command names, if the session has it.
    pub target: Option<&'a MessageState>,
    /// The session's pending messages; only loaded for `Close` and `Archive`.
    pub pending: &'a [MessageId],
    /// The participant that the command names, if the session has it.
    pub participant: Option<&'a Participant>,
    /// The names of the participants; only loaded for `AddParticipant`.
    pub names: &'a [TakenName],
    /// The creation time of the newest key of that participant that the timeline announces; only loaded for `AnnounceKey`.
    pub announced_key: Option<Timestamp>,
    /// The interaction that the session is, if it is one; only loaded for `PushBlocks`.
    pub interaction: Option<&'a InteractionState>,
}

impl<'a> Facts<'a> {
    /// The time and the actor, and no other fact.
    pub fn of(now: Timestamp, actor: &'a Actor) -> Self {
        Self {
            now,
            actor,
            by_person: false,
            participation: None,
            unknown_answerers: &[],
            target: None,
            pending: &[],
            participant: None,
            names: &[],
            announced_key: None,
            interaction: None,
        }
    }

    /// The actor that invited this one, if that is known.
    pub fn invited_by(&self) -> Option<&'a Actor> {
        self.participation.and_then(|participation| participation.invited_by.as_ref())
    }
}
