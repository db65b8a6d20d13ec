//! One batch of the writer: many commands, one transaction.

use super::idempotency::Idempotency;
use crate::clock::Clock;
use crate::domain::decide::{Change, Command, Facts, Reply, WhichParticipant, decide, evolve, post};
use crate::domain::interaction::NewInteraction;
use crate::domain::message::{MessageState, Settlement};
use crate::domain::participant::Participation;
use crate::domain::{
    Actor, CommittedEvent, Message, MessageId, Participant, ParticipantId, ParticipantType, Principal, PrincipalId,
    Refusal, Session, SessionId, SpaceId, Timestamp,
};
use crate::protocol::event::encode::{data_text, event_text, message_of_data};
use crate::store::{Acknowledged, Named, NewMark, SavedReply, SavedReplyKind, StoreError, WriteSet, WriteTx};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Who changes something.
#[derive(Clone, Debug)]
pub enum By {
    Principal(Arc<Principal>),
    /// The hub itself.
    System,
}

impl By {
    fn actor(&self) -> Actor {
        match self {
            Self::Principal(principal) => principal.actor(),
            Self::System => Actor::system(),
        }
    }

    /// The principal that must take part in the session for the command to be carried out.
    fn must_take_part(&self) -> Option<PrincipalId> {
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
    fn status(&self, action: &Action) -> u16 {
        match (self, action) {
            (Self::Posted { .. } | Self::Participant { created: true, .. }, _)
            | (_, Action::Create { .. } | Action::Command(Command::PushBlocks(_))) => 201,
            _ => 200,
        }
    }

    /// How to keep this reply for a retry.
    fn saved(&self, session: SessionId, posted: Option<MessageId>) -> Option<SavedReplyKind> {
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

/// What one batch did: an outcome for each request, in order, and the events to publish.
pub(super) struct Done {
    pub(super) outcomes: Vec<Result<Outcome, Refusal>>,
    pub(super) events: Vec<CommittedEvent>,
}

/// The state that a batch works on: loaded once, then moved along in memory, written at the end.
struct Batch {
    now: Timestamp,
    tx: Box<dyn WriteTx>,
    sessions: HashMap<SessionId, Session>,
    /// Sessions that this batch creates, and those that it changes.
    created: HashSet<SessionId>,
    changed: HashSet<SessionId>,
    /// Ids of sessions to create that are taken.
    taken: HashSet<SessionId>,
    members: HashMap<(SessionId, PrincipalId), Participation>,
    /// Those of the answerers that new messages name who are humans or guests of the session.
    answerers: HashSet<(SessionId, PrincipalId)>,
    /// How far those have read who have written something.
    marks: HashMap<(SessionId, PrincipalId), NewMark>,
    messages: HashMap<MessageId, MessageState>,
    replies: HashMap<(String, String), SavedReply>,
    writes: WriteSet,
    /// The replies to keep, written all together at the end: in parts, they would not be in one order.
    kept: Vec<SavedReply>,
    events: Vec<CommittedEvent>,
    wrote: bool,
}

/// Carries out `requests` in one transaction. An error means that nothing happened.
pub(super) async fn run(tx: Box<dyn WriteTx>, clock: &dyn Clock, requests: &[Request]) -> Result<Done, StoreError> {
    let mut batch = Batch {
        now: clock.now(),
        tx,
        sessions: HashMap::new(),
        created: HashSet::new(),
        changed: HashSet::new(),
        taken: HashSet::new(),
        members: HashMap::new(),
        answerers: HashSet::new(),
        marks: HashMap::new(),
        messages: HashMap::new(),
        replies: HashMap::new(),
        writes: WriteSet::default(),
        kept: Vec::new(),
        events: Vec::new(),
        wrote: false,
    };
    batch.load(requests).await?;
    // The clock is read again under the locks: an event is never older than what it follows.
    batch.now = clock.now();
    let mut outcomes = Vec::with_capacity(requests.len());
    for request in requests {
        outcomes.push(batch.carry_out(request).await?);
    }
    batch.writes.replies = std::mem::take(&mut batch.kept);
    if let Some(writes) = batch.take_writes() {
        batch.tx.commit(writes).await?;
    } else if batch.wrote {
        batch.tx.commit(WriteSet::default()).await?;
    }
    Ok(Done { outcomes, events: batch.events })
}

impl Batch {
    /// Loads and locks everything that the requests name, all of it at once.
    async fn load(&mut self, requests: &[Request]) -> Result<(), StoreError> {
        let mut sessions = HashSet::new();
        let mut pairs = HashSet::new();
        let mut messages = HashSet::new();
        let mut answerers = HashSet::new();
        let mut chosen = HashSet::new();
        let mut keys = Vec::new();
        for request in requests {
            if let Some(idempotency) = &request.idempotency {
                keys.push((idempotency.scope.clone(), idempotency.key.clone()));
            }
            if let Action::Create { has_chosen_id: true, .. } = &request.action {
                chosen.insert(request.session);
            }
            let Action::Command(command) = &request.action else { continue };
            sessions.insert((request.space, request.session));
            if let Some(principal) = request.by.must_take_part() {
                pairs.insert((request.session, principal));
            }
            if let Some(message) = named_message(command) {
                messages.insert((request.session, message));
            }
            answerers.extend(named_answerers(command).iter().map(|answerer| (request.session, *answerer)));
        }
        let named = Named {
            sessions: sessions.into_iter().collect(),
            members: pairs.into_iter().collect(),
            answerers: answerers.into_iter().collect(),
            messages: messages.into_iter().collect(),
            new_sessions: chosen.into_iter().collect(),
            replies: keys,
        };
        let loaded = self.tx.load(&named, SavedReply::kept_since(self.now)).await?;
        self.sessions.extend(loaded.sessions.into_iter().map(|session| (session.id, session)));
        let members = loaded.members.into_iter();
        self.members.extend(members.map(|(session, principal, member)| ((session, principal), member)));
        self.answerers.extend(loaded.answerers);
        self.taken.extend(loaded.taken);
        self.messages.extend(loaded.messages.into_iter().map(|state| (state.id, state)));
        let replies = loaded.replies.into_iter();
        self.replies.extend(replies.map(|reply| ((reply.scope.clone(), reply.key.clone()), reply)));
        Ok(())
    }

    async fn carry_out(&mut self, request: &Request) -> Result<Result<Outcome, Refusal>, StoreError> {
        if let Some(idempotency) = &request.idempotency
            && let Some(saved) = self.replies.get(&(idempotency.scope.clone(), idempotency.key.clone()))
        {
            return Ok(if saved.request_hash == idempotency.request_hash {
                Ok(Outcome::Replayed { status: saved.status, reply: saved.kind.clone() })
            } else {
                Err(Refusal::IdempotencyMismatch)
            });
        }
        let outcome = match &request.action {
            Action::Create { session, has_chosen_id, participants, interaction } => {
                // By whichever space: which one it is, nobody learns.
                let is_taken = self.taken.contains(&session.id) || self.sessions.contains_key(&session.id);
                if *has_chosen_id && is_taken {
                    Err(Refusal::Conflict("Field 'id' is taken by another session".to_owned()))
                } else {
                    self.create(request, session, participants, interaction.as_deref())
                }
            }
            Action::Command(command) => self.command(request, command).await?,
            Action::Recall(refusal) => Err(refusal.clone()),
        };
        if let (Ok((outcome, posted)), Some(idempotency)) = (&outcome, &request.idempotency)
            && let Some(kind) = outcome.saved(request.session, *posted)
        {
            let reply = idempotency.reply(outcome.status(&request.action), kind, self.now);
            self.replies.insert((reply.scope.clone(), reply.key.clone()), reply.clone());
            self.kept.push(reply);
        }
        Ok(outcome.map(|(outcome, _)| outcome))
    }

    fn create(
        &mut self,
        request: &Request,
        session: &Session,
        participants: &[Participant],
        interaction: Option<&NewInteraction>,
    ) -> Result<(Outcome, Option<MessageId>), Refusal> {
        let mut session = session.clone();
        session.created_at = self.now;
        session.updated_at = self.now;
        let actor = request.by.actor();
        // Before anything is written: a question that is refused leaves no session.
        let asked = interaction.map(|new| {
            let answers = |id: &PrincipalId| participants.iter().any(|p| p.principal() == *id && is_person(p));
            let named = new.message.answerers.iter().flatten();
            let strangers: Vec<_> = named.filter(|id| !answers(id)).copied().collect();
            post(&session, Facts { strangers: &strangers, ..Facts::of(self.now, &actor) }, &new.message)
        });
        let asked = asked.map(|decision| decision.reply.map(|_| decision.changes)).transpose()?;

        self.created.insert(session.id);
        self.writes.new_participants.extend(participants.iter().cloned());
        let id = session.id;
        self.sessions.insert(id, session);
        self.append(id, Change::SessionCreated(participants.to_vec()), &actor);
        for change in asked.into_iter().flatten() {
            self.append(id, change, &actor);
        }
        let session = self.sessions[&id].clone();
        Ok(match interaction {
            None => (Outcome::Session(Box::new(session)), None),
            Some(new) => {
                self.writes.new_interactions.push((id, new.message.id, new.kind.clone()));
                (Outcome::Interaction { session: id, seq: session.last_seq }, None)
            }
        })
    }

    async fn command(
        &mut self,
        request: &Request,
        command: &Command,
    ) -> Result<Result<(Outcome, Option<MessageId>), Refusal>, StoreError> {
        let id = request.session;
        // Another request of this batch may have loaded the session: that it is here does not yet mean that this
        // caller may see it.
        let visible = self.sessions.get(&id).is_some_and(|session| session.space_id == request.space)
            && request.by.must_take_part().is_none_or(|principal| self.members.contains_key(&(id, principal)));
        if !visible {
            return Ok(Err(Refusal::NotFound("Session")));
        }
        // What a rule asks for beyond the session and the message it names is read from the store, so what this
        // batch did so far must be there.
        let mut pending = Vec::new();
        let mut participant = None;
        let mut names = Vec::new();
        let mut interaction = None;
        let mut told_key = None;
        match command {
            Command::Close | Command::Archive => {
                self.flush().await?;
                pending = self.tx.pending_messages(id).await?;
            }
            Command::AddParticipant { member, guest, .. } => {
                self.flush().await?;
                // A token must not outlive the revocation of what it was made with.
                let key = guest.as_ref().and_then(|guest| guest.created_by.key_id);
                if let Some(key) = key
                    && !self.tx.hold_key(key).await?
                {
                    return Ok(Err(Refusal::Unauthorized("The API key is not valid".to_owned())));
                }
                if let Some(limit) = guest.as_ref().and_then(|guest| guest.limit)
                    && self.tx.count_guests(id).await?.unsigned_abs() >= limit
                {
                    return Ok(Err(Refusal::LimitReached { what: "Guests of the session", limit }));
                }
                participant = self.tx.participant_of(id, member.id).await?;
                // Only guests are given a name for one session, so only with a guest can two be the same.
                let with_all = member.kind == ParticipantType::Guest;
                names = self.tx.participant_names(id, with_all).await?;
            }
            Command::RemoveParticipant(which) => {
                self.flush().await?;
                participant = match which {
                    WhichParticipant::Id(participant) => self.tx.participant(id, *participant).await?,
                    WhichParticipant::Guest(guest) => {
                        let found = self.tx.participant_of(id, (*guest).into()).await?;
                        found.filter(|participant| participant.guest_id == Some(*guest))
                    }
                };
            }
            Command::TellKey(change) => {
                self.flush().await?;
                participant = self.tx.participant_of(id, change.principal).await?;
                told_key = self.tx.told_key(id, change.principal).await?;
            }
            Command::PushBlocks(_) => {
                self.flush().await?;
                interaction = self.tx.interaction(id).await?;
            }
            _ => {}
        }
        let pending_ids: Vec<_> = pending.iter().map(|state| state.id).collect();
        self.messages.extend(pending.into_iter().map(|state| (state.id, state)));

        let actor = match (command, &participant) {
            // It was they who changed it, whoever tells of it.
            (Command::TellKey(_), Some(participant)) => participant.actor(),
            _ => request.by.actor(),
        };
        let answerers = named_answerers(command).iter();
        let strangers: Vec<_> = answerers.filter(|who| !self.answerers.contains(&(id, **who))).copied().collect();
        let target = named_message(command).and_then(|message| self.messages.get(&message));
        let facts = Facts {
            by_person: matches!(&request.by, By::Principal(principal) if principal.is_person()),
            target: target.filter(|state| state.session_id == id),
            participation: match &request.by {
                By::Principal(principal) => self.members.get(&(id, principal.id())),
                By::System => None,
            },
            strangers: &strangers,
            pending: &pending_ids,
            participant: participant.as_ref(),
            names: &names,
            told_key,
            interaction: interaction.as_ref(),
            ..Facts::of(self.now, &actor)
        };
        let decision = decide(&self.sessions[&id], facts, command);
        let mut posted_json = None;
        for change in decision.changes {
            if let Some(json) = self.append(id, change, &actor) {
                posted_json.get_or_insert(json);
            }
        }
        let reply = match decision.reply {
            Ok(reply) => reply,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(Ok(match reply {
            Reply::Posted(message) => {
                let last_seq = self.sessions[&id].last_seq;
                let reader = self.mark_read(request, id);
                (Outcome::Posted { json: posted_json.unwrap_or_default(), last_seq, reader }, Some(message))
            }
            Reply::Settled(message) => (Outcome::Settled(id, message), None),
            Reply::Acknowledged(message) => (Outcome::Acknowledged(id, message), None),
            Reply::Session => (Outcome::Session(Box::new(self.sessions[&id].clone())), None),
            Reply::Participant { participant, created } => (Outcome::Participant { participant, created }, None),
            Reply::Removed(gone) => (Outcome::Removed(gone), None),
            Reply::Interaction => (Outcome::Interaction { session: id, seq: self.sessions[&id].last_seq }, None),
        }))
    }

    /// Notes that a person who has written has read the whole timeline.
    fn mark_read(&mut self, request: &Request, id: SessionId) -> Option<ParticipantId> {
        let By::Principal(principal) = &request.by else { return None };
        let who = (id, principal.id());
        let reader = self.members.get(&who).filter(|_| principal.is_person())?.id;
        let session = &self.sessions[&id];
        let (seq, count) = (session.last_seq, session.message_count);
        self.marks.insert(who, NewMark { session: id, principal: who.1, seq, count });
        Some(reader)
    }

    /// Puts one change on the timeline: the next `seq`, the event's text, and what the projections need of it.
    /// Returns the JSON of a new message.
    fn append(&mut self, id: SessionId, mut change: Change, actor: &Actor) -> Option<String> {
        let session = self.sessions.get_mut(&id)?;
        let at = self.now.max(session.updated_at);
        let seq = evolve(session, &mut change, at);
        let data = data_text(session, &change);
        let text = event_text(session, seq, &change, actor, at, &data);
        let event = CommittedEvent {
            space: session.space_id,
            session: id,
            seq,
            kind: change.event_type(),
            at,
            pending: session.pending_count,
            settles: change.settles().map(|(message, _)| message),
            removes: match &change {
                Change::ParticipantRemoved(gone) => Some(gone.principal()),
                _ => None,
            },
            text: Arc::from(text),
        };
        let (space, ordinal) = (session.space_id, session.message_count);
        self.changed.insert(id);
        self.writes.events.push(event.clone());
        self.events.push(event);

        if let Some((message, status)) = change.settles() {
            let (by, response) = match &change {
                Change::MessageCompleted(_, response) => {
                    (response.responded_by.clone(), Some((response.message_id, response.outcome)))
                }
                _ => (actor.into(), None),
            };
            let settlement = Settlement { seq, at, by, response };
            if let Some(state) = self.messages.get_mut(&message) {
                state.status = status;
                state.settlement = Some(settlement.clone());
            }
            self.writes.settled.push((message, status, settlement));
        }
        match change {
            Change::MessageCreated(message) => {
                let state = state_of(&message);
                self.messages.insert(state.id, state.clone());
                self.writes.new_messages.push((state, ordinal));
                return message_of_data(&data).map(str::to_owned);
            }
            Change::ParticipantAdded(participant, guest) => {
                let answers_agent = guest.as_ref().and_then(|guest| guest.answers_agent);
                if let Some(guest) = guest {
                    self.writes.new_guests.push((space, participant.clone(), guest));
                }
                let who = (id, participant.principal());
                let invited_by = participant.invited_by.clone();
                self.members.insert(who, Participation { id: participant.id, invited_by, answers_agent });
                if is_person(&participant) {
                    self.answerers.insert(who);
                }
                self.writes.new_participants.push(participant);
            }
            Change::ParticipantRemoved(gone) => {
                self.members.remove(&(id, gone.principal()));
                self.answerers.remove(&(id, gone.principal()));
                self.writes.gone_participants.push((gone, at));
            }
            Change::ParticipantKeyChanged(_, change) => {
                self.writes.told_keys.push((id, change.principal, change.entry.created_at));
            }
            Change::MessageAcknowledged(message) => {
                if let Some(state) = self.messages.get_mut(&message) {
                    state.acknowledged_at = Some(at);
                }
                self.writes.acknowledged.push(Acknowledged { session: id, message, seq, at });
            }
            _ => {}
        }
        None
    }

    /// What has gathered and is still to be written, if there is anything.
    fn take_writes(&mut self) -> Option<WriteSet> {
        let mut writes = std::mem::take(&mut self.writes);
        for id in self.changed.drain() {
            let session = self.sessions[&id].clone();
            if self.created.remove(&id) {
                writes.new_sessions.push(session);
            } else {
                writes.changed_sessions.push(session);
            }
        }
        writes.read_marks = self.marks.drain().map(|(_, mark)| mark).collect();
        let has_any = !writes.events.is_empty() || !writes.replies.is_empty();
        has_any.then_some(writes)
    }

    /// Writes what has gathered, inside the transaction.
    async fn flush(&mut self) -> Result<(), StoreError> {
        let Some(writes) = self.take_writes() else { return Ok(()) };
        self.wrote = true;
        self.tx.apply(writes).await
    }
}

/// The message that a command names.
fn named_message(command: &Command) -> Option<MessageId> {
    match command {
        Command::Post(new) => new.in_reply_to,
        Command::Cancel(id) | Command::Expire(id) => Some(*id),
        Command::Acknowledge(acknowledgement) => Some(acknowledgement.message),
        _ => None,
    }
}

/// Those who alone may answer the message that a command posts.
fn named_answerers(command: &Command) -> &[PrincipalId] {
    match command {
        Command::Post(new) => new.answerers.as_deref().unwrap_or_default(),
        _ => &[],
    }
}

fn is_person(participant: &Participant) -> bool {
    participant.kind != ParticipantType::Agent
}

fn state_of(message: &Message) -> MessageState {
    let sender = message
        .sender_agent_id
        .map(PrincipalId::from)
        .or(message.sender_human_id.map(PrincipalId::from))
        .or(message.sender_guest_id.map(PrincipalId::from));
    MessageState {
        id: message.id,
        session_id: message.session_id,
        seq: message.seq,
        sender,
        response_required: message.response_required,
        status: message.status,
        priority: message.priority,
        deadline_at: message.deadline_at,
        answerers: message.answerers.clone(),
        in_reply_to: message.in_reply_to,
        settlement: None,
        acknowledged_at: None,
        created_at: message.created_at,
        updated_at: message.updated_at,
    }
}
