//! Which actors may answer a question, and whether it can still be answered (contract sections 4 and 6).

use super::facts::Facts;
use super::message::{MessageState, MessageStatus};
use super::refusal::Responded;
use super::{ActorType, PrincipalId, Refusal};

/// The problem of an `outcome` in a message that answers nothing.
pub const OUTCOME_WITHOUT_ANSWER: &str = "requires a reply that settles a question";

/// Why the actor can't answer `target`, if they can't. That they may not comes first: it does not change.
pub(super) fn refusal(target: &MessageState, facts: Facts<'_>) -> Option<Refusal> {
    if !may_answer(target, facts) {
        return Some(Refusal::Forbidden("You may not answer this message".to_owned()));
    }
    match (target.status, &target.settlement) {
        (MessageStatus::Pending, _) => None,
        (MessageStatus::Completed, Some(settlement)) => Some(Refusal::AlreadyResponded(Box::new(Responded {
            response_message_id: settlement.response.map(|(message, _)| message),
            responded_by: settlement.by.clone(),
            responded_at: settlement.at,
        }))),
        _ => Some(Refusal::AlreadySettled),
    }
}

fn may_answer(target: &MessageState, facts: Facts<'_>) -> bool {
    let id = facts.actor.id.map(PrincipalId);
    let is_named = target.answerers.as_ref().is_none_or(|named| id.is_some_and(|id| named.contains(&id)));
    // A guest may answer only the questions of the agent that invited them: otherwise an agent could answer the question
    // of another one through a guest of its own.
    let is_asked = match (facts.actor.kind, facts.participation) {
        (ActorType::Guest, None) => false,
        (ActorType::Guest, Some(participation)) => {
            participation.answers_agent.is_none_or(|agent| target.sender == Some(agent.into()))
        }
        _ => true,
    };
    is_named && is_asked
}
