//! The rules of a session: `decide(state, command) → changes or refusal`, and `evolve`, which applies a change.

use super::acknowledge::acknowledge;
use super::answer;
use super::interaction::{self, InteractionState};
use super::keys::KeyChange;
use super::message::{AnswerOutcome, MessageState, Response};
use super::names::folded_name;
use super::participant::{Member, Participation, TakenName};
use super::session::SessionPatch;
use super::{
    Actor, AgentId, Author, Envelope, EventType, GuestId, Message, MessageId, MessageStatus, Participant,
    ParticipantId, PrincipalId, Priority, Refusal, Responder, Session, SessionStatus, Timestamp,
};
use std::collections::HashSet;

/// Most messages of a session that may wait for a response at a time: closing it settles them all in one transaction.
pub const MAX_PENDING: i64 = 1000;

/// What someone wants to do to one session.
#[derive(Clone, Debug)]
pub enum Command {
    Post(NewMessage),
    Cancel(MessageId),
    /// The hub's own: the deadline of a pending message has passed.
    Expire(MessageId),
    Update(SessionPatch),
    Close,
    Archive,
    AddParticipant {
        member: Member,
        role: String,
        /// Set when the participant is a guest who is made by this command.
        guest: Option<NewGuest>,
    },
    RemoveParticipant(WhichParticipant),
    /// The hub's own: a participant has another public key.
    TellKey(Box<KeyChange>),
    /// The asking agent has taken the outcome of this message.
    Acknowledge(Acknowledgement),
    /// One more block for an interaction.
    PushBlocks(Envelope),
}

#[derive(Clone, Copy, Debug)]
pub struct Acknowledgement {
    pub message: MessageId,
    /// Refused unless it is the first.
    pub exclusive: bool,
    /// Whether it was asked for as an interaction, which is then the reply.
    pub of_interaction: bool,
}

/// How a participant is named.
#[derive(Clone, Copy, Debug)]
pub enum WhichParticipant {
    Id(ParticipantId),
    /// A guest, by their token.
    Guest(GuestId),
}

#[derive(Clone, Debug)]
pub struct NewMessage {
    pub id: MessageId,
    pub encrypted_content: Option<Envelope>,
    pub encrypted_components: Option<Envelope>,
    pub response_required: bool,
    pub priority: Priority,
    pub deadline_at: Option<Timestamp>,
    pub answerers: Option<Vec<PrincipalId>>,
    pub in_reply_to: Option<MessageId>,
    /// Of a person: whether it answers the message that it replies to, rather than being a remark on it.
    pub settles: bool,
    /// What that answer says in clear.
    pub outcome: Option<AnswerOutcome>,
}

impl NewMessage {
    /// The bytes of its envelopes.
    pub fn size(&self) -> usize {
        [&self.encrypted_content, &self.encrypted_components]
            .into_iter()
            .flatten()
            .map(|text| text.as_str().len())
            .sum()
    }
}

/// The stored side of a guest token that a command creates.
#[derive(Clone, Debug)]
pub struct NewGuest {
    pub token_hash: [u8; 32],
    pub expires_at: Timestamp,
    /// Who made the token; the key that was used must not be revoked meanwhile.
    pub created_by: Author,
    /// How many guests a session may have.
    pub limit: Option<u64>,
    /// The agent whose questions the guest may answer; none for those of every agent.
    pub answers_agent: Option<AgentId>,
    /// Whether the name is the default, which gets a number where it is taken.
    pub has_default_name: bool,
}

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

/// One event to append, without its place.
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

/// The reply to the caller, once the changes are durable.
#[derive(Clone, Debug)]
pub enum CommandResult {
    /// The message that was created, as it was created.
    Posted(MessageId),
    /// The message that the command settled.
    Settled(MessageId),
    /// The message whose outcome was taken.
    Acknowledged(MessageId),
    Session,
    Participant {
        participant: Box<Participant>,
        created: bool,
    },
    Removed(Box<Participant>),
    /// The interaction that the session is.
    Interaction,
}

/// The outcome of a command. A refusal may come with changes: an answer that is too late still lets the message
/// expire.
#[derive(Debug)]
pub struct Decision {
    pub changes: Vec<Change>,
    pub reply: Result<CommandResult, Refusal>,
}

impl Decision {
    pub(super) fn accept(changes: Vec<Change>, reply: CommandResult) -> Self {
        Self { changes, reply: Ok(reply) }
    }

    pub(super) fn refuse(refusal: Refusal) -> Self {
        Self { changes: Vec::new(), reply: Err(refusal) }
    }
}

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
        Command::TellKey(change) => tell_key(session, facts, change),
        Command::Acknowledge(acknowledgement) => acknowledge(facts, *acknowledgement),
        Command::PushBlocks(block) => interaction::push_blocks(session, facts, block),
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
    if let Some(stranger) = facts.strangers.first() {
        return Decision::refuse(Refusal::invalid("answerers", &format!("names {stranger}, who does not take part")));
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

/// What closes an active session: everything pending is cancelled first. Nothing for one that is closed already.
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

/// `name`, or with the first number after it by which it is nobody else's.
fn free_name(name: &str, others: &HashSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name} {number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| !others.contains(&folded_name(name))).unwrap_or_else(|| name.to_owned())
}

/// Tells an active session of a participant's new key, unless its timeline has that one or a later one already.
fn tell_key(session: &Session, facts: Facts<'_>, change: &KeyChange) -> Decision {
    let is_news = facts.told_key.is_none_or(|told| told < change.entry.created_at);
    let told = facts.participant.filter(|_| is_news && session.status == SessionStatus::Active);
    let change = told.map(|participant| Change::ParticipantKeyChanged(participant.id, Box::new(change.clone())));
    Decision::accept(change.into_iter().collect(), CommandResult::Session)
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
