//! One batch of a writer: many requests, one transaction.

mod append;
mod command;
mod load;

use super::request::{Action, Outcome, Request};
use crate::clock::Clock;
use crate::domain::change::Change;
use crate::domain::decide::post;
use crate::domain::facts::Facts;
use crate::domain::interaction::NewInteraction;
use crate::domain::message::MessageState;
use crate::domain::participant::Participation;
use crate::domain::{
    CommittedEvent, MessageId, Participant, ParticipantType, PrincipalId, Refusal, Session, SessionId, Timestamp,
};
use crate::store::{NewMark, SavedReply, StoreError, WriteSet, WriteTx};
use std::collections::{HashMap, HashSet};

/// The result of a batch: the outcome of each request, in order, and the events to publish.
pub(super) struct BatchResult {
    pub(super) outcomes: Vec<Result<Outcome, Refusal>>,
    pub(super) events: Vec<CommittedEvent>,
}

/// The state of a batch: loaded once, changed in memory, written at the end.
struct Batch {
    now: Timestamp,
    tx: Box<dyn WriteTx>,
    sessions: HashMap<SessionId, Session>,
    /// Sessions that this batch creates.
    created: HashSet<SessionId>,
    changed: HashSet<SessionId>,
    /// Ids of new sessions that are in use.
    taken: HashSet<SessionId>,
    members: HashMap<(SessionId, PrincipalId), Participation>,
    /// The answerers of new messages that are humans or guests of the session.
    answerers: HashSet<(SessionId, PrincipalId)>,
    /// The new read marks of people who have written.
    marks: HashMap<(SessionId, PrincipalId), NewMark>,
    messages: HashMap<MessageId, MessageState>,
    replies: HashMap<(String, String), SavedReply>,
    writes: WriteSet,
    /// The replies to store. Written all together at the end, so that they are in the order of their keys.
    kept: Vec<SavedReply>,
    events: Vec<CommittedEvent>,
    wrote: bool,
}

/// Executes `requests` in one transaction. An error means that nothing was changed.
pub(super) async fn run(
    tx: Box<dyn WriteTx>,
    clock: &dyn Clock,
    requests: &[Request],
) -> Result<BatchResult, StoreError> {
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
    // The clock is read again under the locks: an event is never older than the one before it.
    batch.now = clock.now();
    let mut outcomes = Vec::with_capacity(requests.len());
    for request in requests {
        outcomes.push(batch.execute(request).await?);
    }
    batch.writes.replies = std::mem::take(&mut batch.kept);
    if let Some(writes) = batch.take_writes() {
        batch.tx.commit(writes).await?;
    } else if batch.wrote {
        batch.tx.commit(WriteSet::default()).await?;
    }
    Ok(BatchResult { outcomes, events: batch.events })
}

impl Batch {
    async fn execute(&mut self, request: &Request) -> Result<Result<Outcome, Refusal>, StoreError> {
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
                // In any space. The refusal does not say in which.
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
        // Before anything is written: a refused question leaves no session.
        let asked = interaction.map(|new| {
            let answers = |id: &PrincipalId| participants.iter().any(|p| p.principal() == *id && is_person(p));
            let named = new.message.answerers.iter().flatten();
            let unknown_answerers: Vec<_> = named.filter(|id| !answers(id)).copied().collect();
            post(&session, Facts { unknown_answerers: &unknown_answerers, ..Facts::of(self.now, &actor) }, &new.message)
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
}

fn is_person(participant: &Participant) -> bool {
    participant.kind != ParticipantType::Agent
}
