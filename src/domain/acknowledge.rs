//! The asking agent takes the outcome of its question (contract section 5).

use super::change::Change;
use super::command::Acknowledgement;
use super::decision::{CommandResult, Decision};
use super::facts::Facts;
use super::{ActorType, MessageStatus, PrincipalId, Refusal};

/// Sets `acknowledgedAt` once. A repetition changes nothing, and is refused if it must be the first.
pub(super) fn acknowledge(facts: Facts<'_>, asked: Acknowledgement) -> Decision {
    let Some(target) = facts.target else {
        return Decision::refuse(Refusal::NotFound(if asked.of_interaction { "Interaction" } else { "Message" }));
    };
    let is_asker = facts.actor.kind == ActorType::Agent && facts.actor.id.map(PrincipalId) == target.sender;
    if !is_asker {
        return Decision::refuse(Refusal::Forbidden("Only the agent that asked may acknowledge".to_owned()));
    }
    let conflict = |text: &str| Decision::refuse(Refusal::Conflict(text.to_owned()));
    if !target.response_required {
        return conflict("The message asks nothing");
    }
    if target.status == MessageStatus::Pending {
        return conflict("The message is still pending");
    }
    if target.acknowledged_at.is_some() && asked.exclusive {
        return Decision::refuse(Refusal::AlreadyAcknowledged);
    }
    let change = target.acknowledged_at.is_none().then_some(Change::MessageAcknowledged(target.id));
    let reply = if asked.of_interaction { CommandResult::Interaction } else { CommandResult::Acknowledged(target.id) };
    Decision::accept(change.into_iter().collect(), reply)
}
