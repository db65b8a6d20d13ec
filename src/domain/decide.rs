//! The rules of a session: `decide(session, command)` returns changes or a refusal.

use super::acknowledge::acknowledge;
use super::answer;
use super::blocks::push_blocks;
use super::change::Change;
use super::command::{Command, NewGuest, NewMessage};
use super::decision::{CommandResult, Decision};
use super::facts::Facts;
use super::keys::KeyChange;
use super::message::{AnswerOutcome, Response};
use super::names::folded_name;
use super::participant::Member;
use super::{Message, MessageStatus, Participant, Refusal, Responder, Session, SessionStatus, Timestamp};
use std::collections::HashSet;

/// Most messages of a session that may wait for a response at a time: closing it settles them all in one transaction.
pub const MAX_PENDING: i64 = 1000;

/// Decides one command against the session as it is now.
pub fn decide(session: &Session, facts: Facts<'_>, command: &Command) -> Decision {
    match command {
        Command::Post(message) => post(session, facts, message),
        Command::Cancel(id) => settle_by_command(facts, Change::MessageCancelled(*id)),
        Command::Expire(id) => settle_by_command(facts, Change::MessageExpired(*id)),
        Command::Update(patch) => Decision::accept(vec![Change::SessionUpdated(patch.clone())], CommandResult::Session),
        Command::Close => Decision::accept(closing(session, facts), CommandResult::Session),
        Command::Archive => {
            let mut changes = closing(session, facts);
            if session.status != SessionStatus::Archived {
                changes.push(Change::SessionArchived);
            }
            Decision::accept(changes, CommandResult::Session)
        }
        Command::AddParticipant { member, role, guest } => {
            add_participant(session, facts, member, role, guest.as_ref())
        }
        Command::RemoveParticipant(_) => match facts.participant {
            Some(gone) => Decision::accept(
                vec![Change::ParticipantRemoved(gone.clone())],
                CommandResult::Removed(Box::new(gone.clone())),
            ),
            None => Decision::refuse(Refusal::NotFound("Participant")),
        },
        Command::AnnounceKey(change) => announce_key(session, facts, change),
        Command::Acknowledge(acknowledgement) => acknowledge(facts, *acknowledgement),
        Command::PushBlocks(block) => push_blocks(session, facts, block),
    }
}

/// Decides one new message, as `Command::Post` does.
pub fn post(session: &Session, facts: Facts<'_>, new: &NewMessage) -> Decision {
    if new.in_reply_to.is_some() && facts.target.is_none() {
        return Decision::refuse(Refusal::NotFound("The message named by 'inReplyTo' was"));
    }
    // Only a person's reply to a message that requires one is an answer; any other is a reference or a remark.
    let asked = facts.target.filter(|target| target.response_required && facts.by_person && new.settles);
    let refusal = match asked {
        Some(target) => answer::refusal(target, facts),
        None if new.outcome.is_some() => Some(Refusal::invalid("outcome", answer::OUTCOME_WITHOUT_ANSWER)),
        None => None,
    };
    if let Some(refusal) = refusal {
        return Decision::refuse(refusal);
    }
    if session.status != SessionStatus::Active {
        return Decision::refuse(Refusal::SessionClosed);
    }
    if let Some(late) = asked.filter(|target| is_past(target.deadline_at, facts.now)) {
        return Decision { changes: vec![Change::MessageExpired(late.id)], reply: Err(Refusal::AlreadySettled) };
    }
    if is_past(new.deadline_at, facts.now) {
        return Decision::refuse(Refusal::invalid("deadlineAt", "must not be in the past"));
    }
    if let Some(unknown) = facts.unknown_answerers.first() {
        return Decision::refuse(Refusal::invalid("answerers", &format!("names {unknown}, who does not take part")));
    }
    if new.response_required && session.pending_count >= MAX_PENDING {
        let text = format!("{MAX_PENDING} messages of this session wait for a response, which is as many as may");
        return Decision::refuse(Refusal::Conflict(text));
    }

    let mut message = Message {
        id: new.id,
        session_id: session.id,
        seq: 0,
        sender_type: super::SenderType::System,
        sender_agent_id: None,
        sender_human_id: None,
        sender_guest_id: None,
        sender_name: String::new(),
        encrypted_content: new.encrypted_content.clone(),
        encrypted_components: new.encrypted_components.clone(),
        response_required: new.response_required,
        status: if new.response_required { MessageStatus::Pending } else { MessageStatus::Completed },
        priority: new.priority,
        deadline_at: new.deadline_at,
        answerers: new.answerers.clone(),
        in_reply_to: new.in_reply_to,
        outcome: None,
        response: None,
        acknowledged_at: None,
        created_at: facts.now,
        updated_at: facts.now,
    };
    message.set_sender(facts.actor);

    let completed = asked.map(|target| {
        let response = Response {
            message_id: new.id,
            responded_by: Responder::new(facts.actor, facts.invited_by()),
            responded_at: facts.now,
            outcome: new.outcome.unwrap_or_else(AnswerOutcome::unspecified),
            encrypted_content: new.encrypted_content.clone(),
            encrypted_components: new.encrypted_components.clone(),
        };
        Change::MessageCompleted(target.id, Box::new(response))
    });
    let mut changes = vec![Change::MessageCreated(Box::new(message))];
    changes.extend(completed);
    Decision::accept(changes, CommandResult::Posted(new.id))
}

fn settle_by_command(facts: Facts<'_>, change: Change) -> Decision {
    match facts.target {
        None => Decision::refuse(Refusal::NotFound("Message")),
        Some(target) if target.status != MessageStatus::Pending => Decision::refuse(Refusal::AlreadySettled),
        Some(target) => Decision::accept(vec![change], CommandResult::Settled(target.id)),
    }
}

fn is_past(deadline: Option<Timestamp>, now: Timestamp) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}

/// The changes that close an active session: everything pending is cancelled first. None if it is closed already.
fn closing(session: &Session, facts: Facts<'_>) -> Vec<Change> {
    if session.status != SessionStatus::Active {
        return Vec::new();
    }
    let mut changes: Vec<_> = facts.pending.iter().map(|id| Change::MessageCancelled(*id)).collect();
    changes.push(Change::SessionClosed);
    changes
}

fn add_participant(
    session: &Session,
    facts: Facts<'_>,
    member: &Member,
    role: &str,
    guest: Option<&NewGuest>,
) -> Decision {
    if let Some(present) = facts.participant {
        let participant = Box::new(present.clone());
        return Decision::accept(Vec::new(), CommandResult::Participant { participant, created: false });
    }
    let mut member = member.clone();
    if guest.is_some_and(|guest| guest.has_default_name) {
        let taken = facts.names.iter().map(|taken| folded_name(&taken.name)).collect();
        member.name = free_name(&member.name, &taken);
    } else {
        let wanted = folded_name(&member.name);
        let mut others = facts.names.iter().filter(|taken| taken.excludes(&member, facts.actor));
        if others.any(|taken| folded_name(&taken.name) == wanted) {
            return Decision::refuse(Refusal::Conflict("Another participant has this 'name'".to_owned()));
        }
    }
    let participant = Participant::new(session.id, &member, role, Some(facts.actor.clone()), facts.now);
    let reply = CommandResult::Participant { participant: Box::new(participant.clone()), created: true };
    Decision::accept(vec![Change::ParticipantAdded(participant, guest.cloned())], reply)
}

/// `name`, or `name` with the first number that makes it unique.
fn free_name(name: &str, others: &HashSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name} {number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| !others.contains(&folded_name(name))).unwrap_or_else(|| name.to_owned())
}

/// Announces a participant's new key in an active session, unless its timeline has that key or a later one.
fn announce_key(session: &Session, facts: Facts<'_>, change: &KeyChange) -> Decision {
    let is_news = facts.announced_key.is_none_or(|announced| announced < change.entry.created_at);
    let participant = facts.participant.filter(|_| is_news && session.status == SessionStatus::Active);
    let change = participant.map(|participant| Change::ParticipantKeyChanged(participant.id, Box::new(change.clone())));
    Decision::accept(change.into_iter().collect(), CommandResult::Session)
}
