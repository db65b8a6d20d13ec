//! Appends changes to timelines, and collects the rows that they write.

use super::{Batch, is_person};
use crate::domain::change::{Change, evolve};
use crate::domain::message::{MessageState, Settlement};
use crate::domain::participant::Participation;
use crate::domain::{Actor, CommittedEvent, Message, PrincipalId, SessionId};
use crate::protocol::event::encode::{data_text, event_text, message_of_data};
use crate::store::{Acknowledged, StoreError, WriteSet};
use std::sync::Arc;

impl Batch {
    /// Appends one change to its timeline: allocates the `seq`, writes the event's text, collects the rows. Returns the
    /// JSON of a new message.
    pub(super) fn append(&mut self, id: SessionId, mut change: Change, actor: &Actor) -> Option<String> {
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
                self.writes.announced_keys.push((id, change.principal, change.entry.created_at));
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

    /// Takes the collected rows, if there are any.
    pub(super) fn take_writes(&mut self) -> Option<WriteSet> {
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

    /// Writes the collected rows, inside the transaction.
    pub(super) async fn flush(&mut self) -> Result<(), StoreError> {
        let Some(writes) = self.take_writes() else { return Ok(()) };
        self.wrote = true;
        self.tx.apply(writes).await
    }
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
