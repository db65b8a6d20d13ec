//! Builds timelines for tests: changes are collected and written in one transaction, as by the hub's writer.

use super::{Empty, NOW};
use hiloop::domain::change::{Change, evolve};
use hiloop::domain::command::NewGuest;
use hiloop::domain::message::{MessageState, Response, Settlement};
use hiloop::domain::participant::Member;
use hiloop::domain::people::Space;
use hiloop::domain::{
    Actor, AnswerOutcome, Author, CommittedEvent, Envelope, GuestId, Message, MessageId, MessageStatus, Participant,
    ParticipantType, PrincipalId, Priority, SenderType, Session, SessionId, SessionStatus, SpaceId, Timestamp,
};
use hiloop::protocol::event::encode::{data_text, event_text};
use hiloop::store::{Acknowledged, Loaded, LockWait, Named, SavedReply, StoreResult, WriteSet, WriteTx};
use hiloop::testing::secret::hash;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

/// Builds a timeline: collects changes and writes them in one transaction, as the hub's writer does.
pub(super) struct TimelineBuilder {
    pub(super) session: Session,
    pub(super) is_new: bool,
    pub(super) at: Timestamp,
    pub(super) writes: WriteSet,
}

/// The requirements of a question.
#[derive(Clone, Copy)]
pub(super) struct Ask {
    pub(super) priority: Priority,
    pub(super) deadline: Option<Timestamp>,
}

pub(super) const PLAIN_ASK: Ask = Ask { priority: Priority::Medium, deadline: None };

impl TimelineBuilder {
    /// A session that begins with these participants.
    pub(super) fn new(space: &Space, members: &[Member]) -> Self {
        let id = SessionId::new();
        let session = Session {
            id,
            space_id: space.id,
            created_by_agent_id: None,
            created_by_human_id: None,
            title: None,
            encrypted_title: None,
            status: SessionStatus::Active,
            priority: Priority::Medium,
            metadata: None,
            last_seq: 0,
            pending_count: 0,
            created_at: NOW,
            updated_at: NOW,
            closed_at: None,
            archived_at: None,
            first_seq: 1,
            message_count: 0,
        };
        let mut line = Self { session, is_new: true, at: NOW, writes: WriteSet::default() };
        let role = Participant::MEMBER;
        let participants: Vec<_> = members.iter().map(|member| Participant::new(id, member, role, None, NOW)).collect();
        line.writes.new_participants.extend(participants.iter().cloned());
        line.append(Change::SessionCreated(participants), &Actor::system());
        line
    }

    pub(super) fn id(&self) -> SessionId {
        self.session.id
    }

    /// Appends a change; returns its `seq`.
    pub(super) fn append(&mut self, mut change: Change, actor: &Actor) -> i64 {
        let seq = evolve(&mut self.session, &mut change, self.at);
        let data = data_text(&self.session, &change);
        self.writes.events.push(CommittedEvent {
            space: self.session.space_id,
            session: self.session.id,
            seq,
            kind: change.event_type(),
            at: self.at,
            pending: self.session.pending_count,
            settles: change.settles().map(|(message, _)| message),
            removes: match &change {
                Change::ParticipantRemoved(gone) => Some(gone.principal()),
                _ => None,
            },
            text: Arc::from(event_text(&self.session, seq, &change, actor, self.at, &data)),
        });
        match change {
            Change::MessageCreated(message) => {
                self.writes.new_messages.push((state_of(&message), self.session.message_count));
            }
            Change::ParticipantAdded(participant, guest) => {
                if let Some(guest) = guest {
                    self.writes.new_guests.push((self.session.space_id, participant.clone(), guest));
                }
                self.writes.new_participants.push(participant);
            }
            Change::ParticipantRemoved(gone) => self.writes.gone_participants.push((gone, NOW)),
            Change::ParticipantKeyChanged(_, change) => {
                self.writes.announced_keys.push((self.session.id, change.principal, change.entry.created_at));
            }
            _ => {}
        }
        seq
    }

    /// Posts a message; with `ask` it waits for an answer.
    pub(super) fn post(&mut self, by: &Member, content: &str, ask: Option<Ask>) -> Message {
        let envelope = json!({ "ciphertext": content, "wrappings": [] }).to_string();
        let mut message = Message {
            id: MessageId::new(),
            session_id: self.session.id,
            seq: self.session.last_seq + 1,
            sender_type: SenderType::System,
            sender_agent_id: None,
            sender_human_id: None,
            sender_guest_id: None,
            sender_name: String::new(),
            encrypted_content: Envelope::from_stored(envelope),
            encrypted_components: None,
            response_required: ask.is_some(),
            status: if ask.is_some() { MessageStatus::Pending } else { MessageStatus::Completed },
            priority: ask.map_or(Priority::Medium, |ask| ask.priority),
            deadline_at: ask.and_then(|ask| ask.deadline),
            answerers: None,
            in_reply_to: None,
            outcome: None,
            response: None,
            acknowledged_at: None,
            created_at: self.at,
            updated_at: self.at,
        };
        message.set_sender(&by.actor());
        self.append(Change::MessageCreated(Box::new(message.clone())), &by.actor());
        message
    }

    /// Makes the session an interaction with one question.
    pub(super) fn asks(&mut self, by: &Member, kind: &str) -> Message {
        let asked = self.post(by, "?", Some(PLAIN_ASK));
        self.writes.new_interactions.push((self.session.id, asked.id, kind.to_owned()));
        asked
    }

    pub(super) fn push_blocks(&mut self, by: &Member, asked: MessageId, ciphertext: &str) -> i64 {
        let block = json!({ "ciphertext": ciphertext, "wrappings": [] }).to_string();
        let block = Envelope::from_stored(block).expect("an envelope");
        self.append(Change::BlocksPushed(asked, block), &by.actor())
    }

    pub(super) fn acknowledge(&mut self, by: &Member, asked: MessageId) -> i64 {
        let seq = self.append(Change::MessageAcknowledged(asked), &by.actor());
        let (session, at) = (self.session.id, self.at);
        self.writes.acknowledged.push(Acknowledged { session, message: asked, seq, at });
        seq
    }

    /// Answers a pending message; the answer.
    pub(super) fn answer(&mut self, by: &Member, asked: MessageId, content: &str) -> Message {
        let mut answer = self.post(by, content, None);
        answer.in_reply_to = Some(asked);
        if let Some((state, _)) = self.writes.new_messages.last_mut() {
            state.in_reply_to = Some(asked);
        }
        let response = Response {
            message_id: answer.id,
            responded_by: (&by.actor()).into(),
            responded_at: self.at,
            outcome: AnswerOutcome::Approved,
            encrypted_content: answer.encrypted_content.clone(),
            encrypted_components: None,
        };
        let seq = self.append(Change::MessageCompleted(asked, Box::new(response)), &by.actor());
        let settlement = Settlement {
            seq,
            at: self.at,
            by: (&by.actor()).into(),
            response: Some((answer.id, AnswerOutcome::Approved)),
        };
        self.writes.settled.push((asked, MessageStatus::Completed, settlement));
        answer
    }

    pub(super) fn cancel(&mut self, by: &Member, asked: MessageId) {
        let seq = self.append(Change::MessageCancelled(asked), &by.actor());
        let settlement = Settlement { seq, at: self.at, by: (&by.actor()).into(), response: None };
        self.writes.settled.push((asked, MessageStatus::Cancelled, settlement));
    }

    pub(super) fn add(&mut self, member: &Member, guest: Option<NewGuest>) -> Participant {
        let participant = Participant::new(self.session.id, member, "reviewer", None, self.at);
        self.append(Change::ParticipantAdded(participant.clone(), guest), &Actor::system());
        participant
    }

    /// A guest with this token.
    pub(super) fn invite(&mut self, name: &str, token: &str) -> (Member, Participant) {
        self.invite_by(name, token, Author::command_line())
    }

    /// The same, with the creator of the token.
    pub(super) fn invite_by(&mut self, name: &str, token: &str, created_by: Author) -> (Member, Participant) {
        let id = GuestId::new();
        let name = name.to_owned();
        let member = Member { kind: ParticipantType::Guest, id: id.into(), name, key: None };
        let guest = NewGuest {
            token_hash: hash(token),
            expires_at: NOW.plus_seconds(60),
            created_by,
            limit: None,
            answers_agent: None,
            has_default_name: false,
        };
        let participant = self.add(&member, Some(guest));
        (member, participant)
    }

    /// Takes the collected changes.
    pub(super) fn take(&mut self) -> WriteSet {
        let mut writes = std::mem::take(&mut self.writes);
        if std::mem::take(&mut self.is_new) {
            writes.new_sessions.push(self.session.clone());
        } else {
            writes.changed_sessions.push(self.session.clone());
        }
        writes
    }

    pub(super) async fn save(&mut self, store: &Empty) {
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        tx.lock_sessions(&[(self.session.space_id, self.session.id)]).await.expect("the store");
        tx.commit(self.take()).await.expect("the store");
    }
}

/// What a transaction loads, one kind at a time.
#[async_trait::async_trait]
pub(super) trait Load {
    async fn load_named(&mut self, named: Named, since: Timestamp) -> StoreResult<Loaded>;

    async fn lock_sessions(&mut self, ids: &[(SpaceId, SessionId)]) -> StoreResult<Vec<Session>> {
        let named = Named { sessions: ids.to_vec(), ..Named::default() };
        Ok(self.load_named(named, NOW).await?.sessions)
    }

    async fn participations(
        &mut self,
        pairs: &[(SessionId, PrincipalId)],
    ) -> StoreResult<Vec<(SessionId, PrincipalId)>> {
        let named = Named { members: pairs.to_vec(), ..Named::default() };
        let found = self.load_named(named, NOW).await?.members;
        Ok(found.into_iter().map(|(session, principal, _)| (session, principal)).collect())
    }

    async fn message_states(&mut self, ids: &[(SessionId, MessageId)]) -> StoreResult<Vec<MessageState>> {
        let named = Named { messages: ids.to_vec(), ..Named::default() };
        Ok(self.load_named(named, NOW).await?.messages)
    }

    async fn saved_replies(&mut self, keys: &[(String, String)], since: Timestamp) -> StoreResult<Vec<SavedReply>> {
        let named = Named { replies: keys.to_vec(), ..Named::default() };
        Ok(self.load_named(named, since).await?.replies)
    }
}

#[async_trait::async_trait]
impl Load for Box<dyn WriteTx> {
    async fn load_named(&mut self, named: Named, since: Timestamp) -> StoreResult<Loaded> {
        self.load(&named, since).await
    }
}

fn state_of(message: &Message) -> MessageState {
    let ids: [Option<Uuid>; 3] = [
        message.sender_agent_id.map(Into::into),
        message.sender_human_id.map(Into::into),
        message.sender_guest_id.map(Into::into),
    ];
    MessageState {
        id: message.id,
        session_id: message.session_id,
        seq: message.seq,
        sender: ids.into_iter().flatten().next().map(PrincipalId),
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
