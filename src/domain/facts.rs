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
    /// How the actor takes part, if it does.
    pub participation: Option<&'a Participation>,
    /// Of the answerers that a new message names, those who are no human or guest of the session.
    pub strangers: &'a [PrincipalId],
    /// The message that the command names, if the session has it.
    pub target: Option<&'a MessageState>,
    /// The session's pending messages; only loaded for `Close` and `Archive`.
    pub pending: &'a [MessageId],
    /// The participant that the command names, if the session has it.
    pub participant: Option<&'a Participant>,
    /// Who takes part, with their names; only loaded for `AddParticipant`.
    pub names: &'a [TakenName],
    /// When the newest key of that participant was made of which the timeline tells; only loaded for `TellKey`.
    pub told_key: Option<Timestamp>,
    /// The interaction that the session is, if it is one; only loaded for `PushBlocks`.
    pub interaction: Option<&'a InteractionState>,
}

impl<'a> Facts<'a> {
    /// When something is done and by whom, and nothing else.
    pub fn of(now: Timestamp, actor: &'a Actor) -> Self {
        Self {
            now,
            actor,
            by_person: false,
            participation: None,
            strangers: &[],
            target: None,
            pending: &[],
            participant: None,
            names: &[],
            told_key: None,
            interaction: None,
        }
    }

    /// Who invited the actor, where that is known.
    pub fn invited_by(&self) -> Option<&'a Actor> {
        self.participation.and_then(|participation| participation.invited_by.as_ref())
    }
}
