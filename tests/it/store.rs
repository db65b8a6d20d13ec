//! The store's conformance suite: every method of every storage trait (`src/store/traits/`), on SQLite and on PostgreSQL.

use crate::support::relay::Hush;
use crate::support::{Engine, PATIENCE, Postgres, Stopwatch, database, eventually, postgres, sql};
use futures::future::join_all;
use hiloop::auth::secret::hash;
use hiloop::clock::{Clock as _, SystemClock};
use hiloop::config::Database;
use hiloop::domain::decide::{Change, NewGuest, evolve};
use hiloop::domain::message::{MessageState, Response, Settlement};
use hiloop::domain::participant::{Member, MemberRef};
use hiloop::domain::people::{Agent, Human, Role, SignIn, Space};
use hiloop::domain::session::SessionPatch;
use hiloop::domain::{
    Actor, AgentId, AnswerOutcome, AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType, Author,
    CommittedEvent, Envelope, GuestId, HumanId, KeyId, Message, MessageId, MessageStatus, Participant, ParticipantId,
    ParticipantType, Permission, PrincipalId, Priority, Responder, Scope, SenderType, Session, SessionId,
    SessionStatus, SpaceId, Timestamp,
};
use hiloop::protocol::event::encode::{data_text, event_text};
use hiloop::protocol::page::PageRequest;
use hiloop::store::open::{open, open_with};
use hiloop::store::{
    Acknowledged, ActiveSession, DueMessage, EndedSignIns, FormerHumans, Head, Listed, Loaded, LockWait, Moment, Named,
    NewHuman, NewKey, NewMark, NewSignIn, NotRevoked, Passing, ReadMark, RefreshOutcome, Revoker, SavedReply,
    SavedReplyKind, SpaceSize, Store, StoreError, StoreResult, Uses, WriteSet, WriteTx,
};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

/// A moment; what matters is only what comes before and after it.
const NOW: Timestamp = Timestamp(1_774_434_600_000);

/// The settings of a store at this URL.
fn at(url: &str) -> Database {
    Database { url: url.to_owned(), connections: 16 }
}

/// An empty store.
struct Empty {
    store: Arc<dyn Store>,
    url: String,
    _folder: Option<TempDir>,
}

impl Deref for Empty {
    type Target = Arc<dyn Store>;

    fn deref(&self) -> &Arc<dyn Store> {
        &self.store
    }
}

impl Empty {
    async fn open(engine: Engine) -> Self {
        let (url, folder) = database::with_schema(engine).await;
        Self { store: open(&at(&url)).await.expect("the store opens"), url, _folder: folder }
    }

    async fn space(&self, name: &str) -> Space {
        self.ensure_space(name, NOW).await.expect("the store").expect("active").0
    }

    async fn agent_named(&self, space: &Space, name: &str) -> Agent {
        self.ensure_agent(space.id, name, None, NOW).await.expect("the store").expect("active").0
    }

    async fn human_named(&self, space: &Space, name: &str) -> Human {
        let email = format!("{name}@example.org");
        self.create(&new_human(space.id, &email, name)).await.expect("new")
    }

    async fn create(&self, new: &NewHuman<'_>) -> Option<Human> {
        self.create_human(new, NOW).await.expect("the store")
    }
}

fn new_human<'a>(space: SpaceId, email: &'a str, name: &'a str) -> NewHuman<'a> {
    NewHuman { space, email, name, role: Role::Member, password_hash: None }
}

/// What stands as revoked, in order.
async fn subjects(store: &Empty) -> Vec<Uuid> {
    let revoked = store.revoked_since(Timestamp(0)).await.expect("the store");
    revoked.into_iter().map(|(_, subject)| subject).collect()
}

/// Writes one test for each engine out of `async fn name(store: Empty)`.
macro_rules! on_both_stores {
    ($($(#[$meta:meta])* async fn $name:ident($store:ident: Empty) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn story($store: Empty) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                story(Empty::open(Engine::Sqlite).await).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                story(Empty::open(Engine::Postgres).await).await;
            }
        }
    )+};
}

mod lists;
mod locks;
mod public_keys;

fn page(page: i64, size: i64) -> PageRequest {
    PageRequest { page, size }
}

/// A timeline in the making: changes gather and go into the store in one transaction, as the hub's writer does it.
struct Line {
    session: Session,
    is_new: bool,
    at: Timestamp,
    writes: WriteSet,
}

/// What a message asks for.
#[derive(Clone, Copy)]
struct Ask {
    priority: Priority,
    deadline: Option<Timestamp>,
}

const PLAIN_ASK: Ask = Ask { priority: Priority::Medium, deadline: None };

impl Line {
    /// A session that begins with these participants.
    fn new(space: &Space, members: &[Member]) -> Self {
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

    fn id(&self) -> SessionId {
        self.session.id
    }

    /// Puts a change on the timeline; its `seq`.
    fn append(&mut self, mut change: Change, actor: &Actor) -> i64 {
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
                self.writes.told_keys.push((self.session.id, change.principal, change.entry.created_at));
            }
            _ => {}
        }
        seq
    }

    /// Posts a message; with `ask` it waits for an answer.
    fn post(&mut self, by: &Member, content: &str, ask: Option<Ask>) -> Message {
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
    fn asks(&mut self, by: &Member, kind: &str) -> Message {
        let asked = self.post(by, "?", Some(PLAIN_ASK));
        self.writes.new_interactions.push((self.session.id, asked.id, kind.to_owned()));
        asked
    }

    fn push_blocks(&mut self, by: &Member, asked: MessageId, ciphertext: &str) -> i64 {
        let block = json!({ "ciphertext": ciphertext, "wrappings": [] }).to_string();
        let block = Envelope::from_stored(block).expect("an envelope");
        self.append(Change::BlocksPushed(asked, block), &by.actor())
    }

    fn acknowledge(&mut self, by: &Member, asked: MessageId) -> i64 {
        let seq = self.append(Change::MessageAcknowledged(asked), &by.actor());
        let (session, at) = (self.session.id, self.at);
        self.writes.acknowledged.push(Acknowledged { session, message: asked, seq, at });
        seq
    }

    /// Answers a pending message; the answer.
    fn answer(&mut self, by: &Member, asked: MessageId, content: &str) -> Message {
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

    fn cancel(&mut self, by: &Member, asked: MessageId) {
        let seq = self.append(Change::MessageCancelled(asked), &by.actor());
        let settlement = Settlement { seq, at: self.at, by: (&by.actor()).into(), response: None };
        self.writes.settled.push((asked, MessageStatus::Cancelled, settlement));
    }

    fn add(&mut self, member: &Member, guest: Option<NewGuest>) -> Participant {
        let participant = Participant::new(self.session.id, member, "reviewer", None, self.at);
        self.append(Change::ParticipantAdded(participant.clone(), guest), &Actor::system());
        participant
    }

    /// A guest with this token.
    fn invite(&mut self, name: &str, token: &str) -> (Member, Participant) {
        self.invite_by(name, token, Author::command_line())
    }

    /// The same, whose token somebody has made.
    fn invite_by(&mut self, name: &str, token: &str, created_by: Author) -> (Member, Participant) {
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

    /// What has gathered since the last time.
    fn take(&mut self) -> WriteSet {
        let mut writes = std::mem::take(&mut self.writes);
        if std::mem::take(&mut self.is_new) {
            writes.new_sessions.push(self.session.clone());
        } else {
            writes.changed_sessions.push(self.session.clone());
        }
        writes
    }

    async fn save(&mut self, store: &Empty) {
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        tx.lock_sessions(&[(self.session.space_id, self.session.id)]).await.expect("the store");
        tx.commit(self.take()).await.expect("the store");
    }
}

/// What a transaction loads, one kind at a time.
#[async_trait::async_trait]
trait Load {
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

fn key_of(space: &Space, agent: Option<AgentId>, secret: &str) -> NewKey {
    NewKey {
        id: KeyId::new(),
        space: space.id,
        hash: hash(secret),
        prefix: secret.chars().take(4).collect(),
        permission: Permission::Agent,
        agent,
        expires_at: None,
        created_by: Author::command_line(),
        created_by_key: None,
    }
}

/// Somebody of a space who may revoke what this permission may.
fn revoker(space: &Space, permission: Permission) -> Revoker {
    Revoker { space: space.id, permission, author: Author::command_line(), source: AuditSource::default(), at: NOW }
}

fn saved(scope: &str, key: &str, kind: SavedReplyKind, created_at: Timestamp) -> SavedReply {
    let request_hash = hash(&format!("{scope} {key}"));
    SavedReply { scope: scope.to_owned(), key: key.to_owned(), request_hash, status: 201, kind, created_at }
}

fn sign_in(token: &str, id: Uuid, human: HumanId, expires_at: Timestamp) -> NewSignIn {
    let ends_at = NOW.plus_millis(SignIn::LASTS_MILLIS);
    NewSignIn {
        id,
        human,
        password_hash: None,
        hash: hash(token),
        expires_at,
        ends_at,
        user_agent: Some("a browser".to_owned()),
    }
}

on_both_stores! {
    async fn the_schema_is_brought_up_to_date_any_number_of_times(store: Empty) {
        let space = store.space("kept").await;
        for _ in 0..2 {
            let again = open(&at(&store.url)).await.expect("the store opens again");
            assert_eq!(again.space_by_name("kept").await.expect("the store").expect("kept").id, space.id);
            again.close().await;
        }
    }

    async fn it_answers_until_it_is_closed(store: Empty) {
        assert!((1..=4).contains(&store.writers().get()));
        store.ping().await.expect("it answers");
        store.close().await;
        assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(store.begin(LockWait::Long).await.err(), Some(StoreError::Unavailable(_))));
    }

    async fn a_space_has_one_name(store: Empty) {
        let (space, is_new) = store.ensure_space("one", NOW).await.expect("the store").expect("active");
        assert!(is_new);
        assert_eq!((space.name.as_str(), space.created_at), ("one", NOW));
        let (again, is_new) = store.ensure_space("one", NOW.plus_seconds(9)).await.expect("the store").expect("active");
        assert_eq!((again.id, again.created_at, is_new), (space.id, NOW, false));
        assert_eq!(store.space_by_name("one").await.expect("the store").expect("there").id, space.id);
        assert!(store.space_by_name("ONE").await.expect("the store").is_none());
        assert!(store.space_by_name("two").await.expect("the store").is_none());

        // Whoever races, one of them makes it and all get the same.
        let racers = join_all((0..8).map(|_| store.ensure_space("raced", NOW))).await;
        let racers: Vec<_> = racers.into_iter().map(|raced| raced.expect("the store").expect("active")).collect();
        assert_eq!(racers.iter().filter(|(_, is_new)| *is_new).count(), 1);
        assert_eq!(racers.iter().map(|(space, _)| space.id).collect::<HashSet<_>>().len(), 1);
    }

    async fn spaces_come_in_pages(store: Empty) {
        for index in 0..5 {
            store.space(&format!("s{index}")).await;
        }
        let second = store.spaces(page(2, 2)).await.expect("the store");
        let names: Vec<_> = second.data.iter().map(|space| space.name.as_str()).collect();
        assert_eq!((names, second.total, second.page, second.page_size), (vec!["s2", "s3"], 5, 2, 2));
        let beyond = store.spaces(page(4, 2)).await.expect("the store");
        assert_eq!((beyond.data.len(), beyond.total), (0, 5));
        let far = store.spaces(page(i64::MAX, 100)).await.expect("the store");
        assert_eq!((far.data.len(), far.total), (0, 5));
    }

    async fn a_deactivated_space_takes_everything_with_it(store: Empty) {
        let (space, other) = (store.space("gone").await, store.space("stays").await);
        let agent = store.agent_named(&space, "a").await;
        let human = store.human_named(&space, "h").await;
        store.create_key(&key_of(&space, Some(agent.id), "secret"), NOW).await.expect("the store");
        store.create_key(&key_of(&other, None, "other"), NOW).await.expect("the store");
        let mut line = Line::new(&space, &[agent.member(), human.member()]);
        line.invite("g", "token");
        line.save(&store).await;
        let scope = Scope::Member(space.id, human.id.into());
        assert!(store.session(scope, line.id()).await.expect("the store").is_some());

        let by = revoker(&other, Permission::Owner);
        let gone = store.deactivate_space(&by, space.id).await.expect("the store").expect("active");
        assert_eq!((gone.humans, gone.keys.len()), (vec![human.id], 1));
        for missing in [space.id, SpaceId::new()] {
            let refused = store.deactivate_space(&by, missing).await.expect("the store").expect_err("no such space");
            assert_eq!(refused, NotRevoked::Missing);
        }
        assert!(store.space_by_name("gone").await.expect("the store").is_none());
        let left = store.spaces(page(1, 10)).await.expect("the store");
        assert_eq!((left.total, left.data[0].id), (1, other.id));
        assert!(store.key_by_secret(&hash("secret")).await.expect("the store").is_none());
        assert!(store.guest_by_secret(&hash("token")).await.expect("the store").is_none());
        assert!(store.human_in_space(space.id, human.id).await.expect("the store").is_none());
        assert!(store.human(human.id).await.expect("the store").is_none());
        assert!(store.key_by_secret(&hash("other")).await.expect("the store").is_some());
    }

    async fn an_agent_has_one_name_in_its_space(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let (agent, is_new) =
            store.ensure_agent(space.id, "bot", Some("it helps"), NOW).await.expect("the store").expect("active");
        assert!(is_new);
        assert_eq!((agent.space_id, agent.description.as_deref()), (space.id, Some("it helps")));
        assert_eq!((&agent.key, agent.created_at), (&None, NOW));
        let (again, is_new) =
            store.ensure_agent(space.id, "bot", Some("no"), NOW).await.expect("the store").expect("active");
        assert_eq!((again.id, again.description.as_deref(), is_new), (agent.id, Some("it helps"), false));
        let (twin, is_new) = store.ensure_agent(other.id, "bot", None, NOW).await.expect("the store").expect("active");
        assert!(is_new && twin.id != agent.id && twin.description.is_none());

        assert_eq!(store.agent(space.id, agent.id).await.expect("the store").expect("there").name, "bot");
        assert!(store.agent(other.id, agent.id).await.expect("the store").is_none());
        assert_eq!(store.agent_by_name(other.id, "bot").await.expect("the store").expect("there").id, twin.id);
        assert!(store.agent_by_name(space.id, "BOT").await.expect("the store").is_none());

        let racers = join_all((0..8).map(|_| store.ensure_agent(space.id, "raced", None, NOW))).await;
        let racers: Vec<_> = racers.into_iter().map(|raced| raced.expect("the store").expect("active")).collect();
        assert_eq!(racers.iter().filter(|(_, is_new)| *is_new).count(), 1);
        assert_eq!(racers.iter().map(|(agent, _)| agent.id).collect::<HashSet<_>>().len(), 1);

        for (by, there) in [(&other, false), (&space, true), (&space, false)] {
            let by = revoker(by, Permission::Manage);
            let ended = store.deactivate_agent(&by, agent.id).await.expect("the store");
            assert_eq!(ended.map(|revoked| revoked.keys), if there { Ok(vec![]) } else { Err(NotRevoked::Missing) });
        }
        assert!(store.agent(space.id, agent.id).await.expect("the store").is_none());
        assert!(store.agent_by_name(space.id, "bot").await.expect("the store").is_none());
        assert!(store.ensure_agent(space.id, "bot", None, NOW).await.expect("the store").is_none());
        assert!(store.agent(other.id, twin.id).await.expect("the store").is_some());
    }

    async fn all_who_are_named_are_found_in_their_space_alone(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let (bot, ann) = (store.agent_named(&space, "bot").await, store.human_named(&space, "ann").await);
        let (twin, eve) = (store.agent_named(&other, "bot").await, store.human_named(&other, "eve").await);
        let gone = store.agent_named(&space, "gone").await;
        store.deactivate_agent(&revoker(&space, Permission::Manage), gone.id).await.expect("the store").expect("active");
        let mut named = vec![
            MemberRef::AgentId(bot.id),
            MemberRef::AgentName("bot".to_owned()),
            MemberRef::HumanId(ann.id),
            MemberRef::HumanEmail("ann@example.org".to_owned()),
        ];
        let ids = [bot.id.0, bot.id.0, ann.id.0, ann.id.0];
        let there = named.clone();
        named.extend([
            MemberRef::AgentId(twin.id),
            MemberRef::AgentId(gone.id),
            MemberRef::AgentName("BOT".to_owned()),
            MemberRef::HumanId(eve.id),
            MemberRef::HumanEmail("eve@example.org".to_owned()),
        ]);
        // Twice, and among very many who are nobody.
        named.extend(there.clone());
        named.extend((0..1000).map(|number| MemberRef::AgentName(format!("nobody-{number}"))));
        let found = store.members_named(space.id, &named).await.expect("the store");
        assert_eq!(found.len(), there.len());
        for (named, id) in there.iter().zip(ids) {
            assert_eq!(found[named].id.0, id, "{named:?}");
        }
        assert!(store.members_named(space.id, &[]).await.expect("the store").is_empty());
    }

    async fn agents_come_in_pages_of_their_space(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        for index in 0..5 {
            store.agent_named(&space, &format!("a{index}")).await;
        }
        let foreign = store.agent_named(&other, "foreign").await;
        let gone = store.agent_named(&space, "gone").await;
        let by = revoker(&space, Permission::Manage);
        store.deactivate_agent(&by, gone.id).await.expect("the store").expect("active");
        let last = store.agents(space.id, page(3, 2)).await.expect("the store");
        let names: Vec<_> = last.data.iter().map(|agent| agent.name.as_str()).collect();
        assert_eq!((names, last.total), (vec!["a4"], 5));
        let all = store.agents(other.id, page(1, 100)).await.expect("the store");
        assert_eq!((all.total, all.data[0].id), (1, foreign.id));
    }

    async fn a_human_belongs_to_one_space(store: Empty) {
        let (one, two) = (store.space("one").await, store.space("two").await);
        let new = NewHuman { password_hash: Some("phc"), role: Role::Admin, ..new_human(one.id, "h@example.org", "First") };
        let human = store.create(&new).await.expect("new");
        assert_eq!((human.email.as_str(), human.name.as_str(), human.created_at), ("h@example.org", "First", NOW));
        assert_eq!((human.space_id, human.role, human.password_hash.as_deref()), (one.id, Role::Admin, Some("phc")));
        assert_eq!((&human.key, human.tokens_valid_from), (&None, None));
        assert!(store.create(&new_human(one.id, "h@example.org", "Second")).await.is_none(), "taken");
        // The same address in another space is another human.
        let twin = store.create(&new_human(two.id, "h@example.org", "Twin")).await.expect("new");
        assert!(twin.id != human.id && twin.email == human.email);
        assert_eq!((twin.space_id, twin.name.as_str(), twin.role, twin.password_hash), (two.id, "Twin", Role::Member, None));

        assert_eq!(store.human(human.id).await.expect("the store").expect("active").email, "h@example.org");
        assert!(store.human(HumanId::new()).await.expect("the store").is_none());
        let at = async |space: &Space| store.human_by_address(space.id, "h@example.org").await.expect("the store");
        assert_eq!(at(&one).await.expect("active").id, human.id);
        assert_eq!(at(&two).await.expect("active").id, twin.id);
        assert!(store.human_by_address(one.id, "other@example.org").await.expect("the store").is_none());
        let of = async |limit| -> Vec<HumanId> {
            let found = store.humans_by_address("h@example.org", limit).await.expect("the store");
            found.into_iter().map(|human| human.id).collect()
        };
        assert_eq!((of(8).await, of(1).await), (vec![human.id, twin.id], vec![human.id]));
        assert!(store.human_in_space(two.id, twin.id).await.expect("the store").is_some());
        assert!(store.human_in_space(one.id, twin.id).await.expect("the store").is_none());

        // No space ends what is another's.
        assert!(!store.deactivate_human(two.id, human.id, NOW).await.expect("the store"));
        assert!(store.deactivate_human(one.id, human.id, NOW).await.expect("the store"));
        assert!(!store.deactivate_human(one.id, human.id, NOW).await.expect("the store"));
        assert!(!store.deactivate_human(one.id, HumanId::new(), NOW).await.expect("the store"));
        assert!(store.human(human.id).await.expect("the store").is_none());
        assert!(at(&one).await.is_none());
        assert_eq!(of(8).await, [twin.id]);
        assert_eq!(at(&two).await.expect("active").name, "Twin");
    }

    async fn the_address_of_a_deactivated_human_is_somebody_new(store: Empty) {
        let space = store.space("one").await;
        let human = store.create(&new_human(space.id, "h@example.org", "First")).await.expect("new");
        let later = NOW.plus_seconds(60);
        store.add_sign_in(&sign_in("r", Uuid::now_v7(), human.id, later), NOW).await.expect("the store");
        let mut tx = store.begin_directory().await.expect("a transaction");
        tx.add_setup_token(&hash("s"), human.id, later).await.expect("the store");
        tx.commit(None).await.expect("the store");
        assert!(store.deactivate_human(space.id, human.id, NOW).await.expect("the store"));

        let mut before = human.id;
        for round in 0..3 {
            let again = store.create(&new_human(space.id, "h@example.org", "Second")).await.expect("new");
            assert!(again.id != before && again.id != human.id, "{round}");
            assert_eq!((again.name.as_str(), again.key, again.password_hash), ("Second", None, None));
            before = again.id;
            assert!(store.deactivate_human(space.id, again.id, NOW).await.expect("the store"));
        }
        let outcome = store.rotate_refresh_token(&hash("r"), &hash("n"), later, NOW).await.expect("the store");
        assert_eq!(outcome, RefreshOutcome::Unknown);
        assert_eq!(store.choose_password(&hash("s"), "phc", NOW).await.expect("the store"), None);
    }

    /// A node of the version before reads `memberships`, and `humans.email` as one over all spaces.
    async fn the_version_before_finds_the_humans_that_are_created(store: Empty) {
        let (one, two) = (store.space("one").await, store.space("two").await);
        let human = store.create(&new_human(one.id, "h@example.org", "First")).await.expect("new");
        let twin = store.create(&new_human(two.id, "h@example.org", "Twin")).await.expect("new");
        let database = sql::Database::open(&store.url).await;
        let legacy = async |email: &str| {
            let text = format!(
                "SELECT COUNT(*) FROM humans h JOIN memberships m ON m.human_id = h.id AND m.space_id = h.space_id \
                 WHERE h.email = '{email}' AND h.deactivated_at IS NULL"
            );
            database.number(&text).await
        };
        assert_eq!(legacy("h@example.org").await, 1);
        assert_eq!(legacy(&format!("h@example.org#{}", twin.id)).await, 1);
        assert!(store.deactivate_human(one.id, human.id, NOW).await.expect("the store"));
        assert_eq!(legacy("h@example.org").await, 0);
        store.create(&new_human(one.id, "h@example.org", "Next")).await.expect("new");
        assert_eq!(legacy("h@example.org").await, 1);
    }

    async fn of_racing_creations_of_a_human_one_wins(store: Empty) {
        let space = store.space("one").await;
        let other = store.space("two").await;
        let new = [new_human(space.id, "r@example.org", "R"), new_human(other.id, "r@example.org", "R")];
        let made = join_all((0..16).map(|index| store.create(&new[index % 2]))).await;
        assert_eq!(made.into_iter().flatten().count(), 2, "one a space");
        for space in [&space, &other] {
            assert_eq!(store.humans(space.id, page(1, 10)).await.expect("the store").total, 1);
        }
    }

    async fn humans_come_in_pages_or_all_at_once(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        for index in 0..5 {
            store.human_named(&space, &format!("h{index}")).await;
        }
        store.human_named(&other, "foreign").await;
        let second = store.humans(space.id, page(2, 3)).await.expect("the store");
        let names: Vec<_> = second.data.iter().map(|human| human.name.as_str()).collect();
        assert_eq!((names, second.total), (vec!["h3", "h4"], 5));
        assert_eq!(store.all_humans(space.id, 5).await.expect("the store").expect("five").len(), 5);
        assert!(store.all_humans(space.id, 4).await.expect("the store").is_none());
        assert_eq!(store.all_humans(SpaceId::new(), 0).await.expect("the store").expect("none").len(), 0);
    }

    async fn a_setting_is_set_once(store: Empty) {
        assert!(store.setting("s").await.expect("the store").is_none());
        assert_eq!(store.setting_or("s", "first").await.expect("the store"), "first");
        assert_eq!(store.setting_or("s", "second").await.expect("the store"), "first");
        assert_eq!(store.setting("s").await.expect("the store").as_deref(), Some("first"));
        let values: Vec<_> = (0..8).map(|index| index.to_string()).collect();
        let raced = join_all(values.iter().map(|value| store.setting_or("raced", value))).await;
        let raced: HashSet<_> = raced.into_iter().map(|value| value.expect("the store")).collect();
        assert_eq!(raced.len(), 1);
    }

    async fn a_key_speaks_until_it_is_revoked(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let agent = store.agent_named(&space, "bot").await;
        let new = NewKey {
            permission: Permission::Manage,
            expires_at: Some(NOW.plus_seconds(-1)),
            ..key_of(&space, Some(agent.id), "secret")
        };
        let key = store.create_key(&new, NOW).await.expect("the store");
        assert_eq!((key.space_id, key.permission, key.agent_id), (space.id, Permission::Manage, Some(agent.id)));
        assert_eq!((key.prefix.as_str(), key.expires_at, key.created_at), ("secr", new.expires_at, NOW));
        // Expiry is the caller's to check.
        let holder = store.key_by_secret(&hash("secret")).await.expect("the store").expect("known");
        assert_eq!((holder.id, holder.space, holder.permission), (key.id, space.id, Permission::Manage));
        assert_eq!((holder.agent, holder.expires_at), (Some((agent.id, "bot".to_owned())), new.expires_at));
        assert!(store.key_by_secret(&hash("wrong")).await.expect("the store").is_none());
        let twice = store.create_key(&key_of(&other, None, "secret"), NOW).await;
        assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");

        for permission in Permission::ALL {
            let new = NewKey { permission: *permission, ..key_of(&space, None, permission.as_str()) };
            store.create_key(&new, NOW).await.expect("the store");
            let holder = store.key_by_secret(&new.hash).await.expect("the store").expect("known");
            assert_eq!((holder.permission, holder.agent), (*permission, None));
        }

        let revoke = async |space: &Space, permission, id| {
            store.revoke_key(&revoker(space, permission), id, false).await.expect("the store").map(|done| done.keys)
        };
        assert_eq!(revoke(&other, Permission::Owner, key.id).await, Err(NotRevoked::Missing));
        assert_eq!(revoke(&space, Permission::Owner, KeyId::new()).await, Err(NotRevoked::Missing));
        assert_eq!(revoke(&space, Permission::Space, key.id).await, Err(NotRevoked::AbovePermission));
        assert_eq!(revoke(&space, Permission::Manage, key.id).await, Ok(vec![key.id]));
        assert_eq!(revoke(&space, Permission::Manage, key.id).await, Err(NotRevoked::Missing));
        let told = store.revoked_since(NOW).await.expect("the store");
        assert_eq!(told.iter().filter(|(_, subject)| *subject == key.id.0).count(), 1, "told once: {told:?}");
        assert!(store.revoked_since(NOW.plus_millis(1)).await.expect("the store").is_empty());
        assert!(store.key_by_secret(&hash("secret")).await.expect("the store").is_none());
        let listed = store.keys(space.id, page(2, 2)).await.expect("the store");
        let listed_as: Vec<_> = listed.data.iter().map(|key| key.permission).collect();
        assert_eq!((listed_as, listed.total), (vec![Permission::Space, Permission::Manage], 5));
        assert_eq!(store.keys(other.id, page(1, 10)).await.expect("the store").total, 0);
    }

    async fn an_agent_s_keys_end_with_it(store: Empty) {
        let space = store.space("one").await;
        let (agent, other) = (store.agent_named(&space, "bot").await, store.agent_named(&space, "other").await);
        let key = store.create_key(&key_of(&space, Some(agent.id), "a"), NOW).await.expect("the store");
        store.create_key(&key_of(&space, Some(other.id), "b"), NOW).await.expect("the store");
        let by = revoker(&space, Permission::Manage);
        let ended = store.deactivate_agent(&by, agent.id).await.expect("the store").expect("active");
        assert_eq!(ended.keys, [key.id]);
        assert!(store.key_by_secret(&hash("a")).await.expect("the store").is_none());
        assert!(store.key_by_secret(&hash("b")).await.expect("the store").is_some());
        let told: Vec<_> = store.revoked_since(NOW).await.expect("the store").into_iter().map(|(_, id)| id).collect();
        assert!(told.contains(&key.id.0) && told.contains(&agent.id.0), "{told:?}");
        // One that was made for it meanwhile is no good either.
        store.create_key(&key_of(&space, Some(agent.id), "late"), NOW).await.expect("the store");
        assert!(store.key_by_secret(&hash("late")).await.expect("the store").is_none());
    }

    async fn a_cascade_revokes_what_a_key_made_or_nothing(store: Empty) {
        let space = store.space("one").await;
        let made_by = async |creator: Option<KeyId>, permission, secret: &str| {
            let new = NewKey { permission, created_by_key: creator, ..key_of(&space, None, secret) };
            store.create_key(&new, NOW).await.expect("the store").id
        };
        let owner = made_by(None, Permission::Owner, "owner").await;
        let root = made_by(Some(owner), Permission::Manage, "root").await;
        let child = made_by(Some(root), Permission::Manage, "child").await;
        let grandchild = made_by(Some(child), Permission::Agent, "grandchild").await;
        let mut line = Line::new(&space, &[]);
        line.invite_by("g", "token", Author { key_id: Some(grandchild), ..Author::command_line() });
        line.save(&store).await;
        let manager = revoker(&space, Permission::Manage);

        // By itself it takes nothing with it; what it made is found through it all the same.
        let alone = store.revoke_key(&manager, child, false).await.expect("the store").expect("active");
        assert_eq!((alone.keys, alone.guests.len()), (vec![child], 0));
        assert!(store.guest_by_secret(&hash("token")).await.expect("the store").is_some());
        let refused = store.revoke_key(&manager, owner, true).await.expect("the store").expect_err("above");
        assert_eq!(refused, NotRevoked::AbovePermission);
        assert!(store.key_by_secret(&hash("root")).await.expect("the store").is_some());
        let all = store.revoke_key(&manager, root, true).await.expect("the store").expect("active");
        assert_eq!(all.keys, [root, grandchild]);
        assert_eq!(all.guests.iter().map(|guest| guest.session).collect::<Vec<_>>(), [line.id()]);
        for secret in ["root", "child", "grandchild"] {
            assert!(store.key_by_secret(&hash(secret)).await.expect("the store").is_none(), "{secret}");
        }
        assert!(store.guest_by_secret(&hash("token")).await.expect("the store").is_none());
        // One that is revoked already may be named once more, as long as something is left of what it made.
        let again = store.revoke_key(&manager, root, true).await.expect("the store").expect_err("nothing is left");
        assert_eq!(again, NotRevoked::Missing);
        let late = made_by(Some(grandchild), Permission::Agent, "late").await;
        let rest = store.revoke_key(&manager, root, true).await.expect("the store").expect("one is left");
        assert_eq!(rest.keys, [late]);

        let mut tx = store.begin_directory().await.expect("the store");
        assert!(tx.hold_key(owner).await.expect("the store"));
        assert!(!tx.hold_key(root).await.expect("the store"));
        drop(tx);
        let mut tx = store.begin(LockWait::Long).await.expect("the store");
        tx.lock_sessions(&[(space.id, line.id())]).await.expect("the store");
        assert_eq!(tx.count_guests(line.id()).await.expect("the store"), 1);
        assert!(!tx.hold_key(child).await.expect("the store"));
    }

    async fn the_last_owner_key_is_not_revoked(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let agent = store.agent_named(&other, "bot").await;
        let owner_of = async |space: &Space, agent, expires_at, secret: &str| {
            let new = NewKey { permission: Permission::Owner, expires_at, ..key_of(space, agent, secret) };
            store.create_key(&new, NOW).await.expect("the store").id
        };
        let first = owner_of(&space, None, None, "first").await;
        let expired = owner_of(&space, None, Some(NOW), "expired").await;
        let revoke = async |id| {
            let by = revoker(&space, Permission::Owner);
            store.revoke_key(&by, id, false).await.expect("the store").map(|done| done.keys)
        };
        assert_eq!(revoke(first).await, Err(NotRevoked::LastOwner), "one that has expired does not count");
        assert_eq!(revoke(expired).await, Ok(vec![expired]));
        let second = owner_of(&other, Some(agent.id), None, "second").await;
        assert_eq!(revoke(first).await, Ok(vec![first]));
        let by = revoker(&other, Permission::Owner);
        let refused = store.deactivate_agent(&by, agent.id).await.expect("the store").expect_err("its agent");
        assert_eq!(refused, NotRevoked::LastOwner);
        let by_space = revoker(&space, Permission::Owner);
        let refused = store.deactivate_space(&by_space, other.id).await.expect("the store").expect_err("its space");
        assert_eq!(refused, NotRevoked::LastOwner);
        assert!(store.agent(other.id, agent.id).await.expect("the store").is_some());
        let holder = store.key_by_secret(&hash("second")).await.expect("the store").expect("it stands");
        assert_eq!(holder.id, second);

        // Of many who revoke each other's at once, one stays.
        let mut keys = vec![second];
        for number in 0..5 {
            keys.push(owner_of(&other, None, None, &format!("racer {number}")).await);
        }
        let racing = join_all(keys.iter().map(|id| store.revoke_key(&by, *id, false))).await;
        let outcomes: Vec<_> = racing.into_iter().map(|raced| raced.expect("the store")).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), keys.len() - 1);
        let refused: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
        assert_eq!(refused, [NotRevoked::LastOwner]);
    }

    async fn uses_are_noted_and_never_go_back(store: Empty) {
        let space = store.space("one").await;
        let key = store.create_key(&key_of(&space, None, "secret"), NOW).await.expect("the store");
        let mut line = Line::new(&space, &[]);
        let guest = line.invite("g", "token").1.guest_id.expect("a guest");
        line.save(&store).await;
        assert_eq!(key.last_used_at, None);
        let later = NOW.plus_seconds(60);
        for (at, last) in [(NOW, NOW), (later, later), (NOW, later)] {
            let uses = Uses { keys: vec![(key.id, at)], guests: vec![(guest, at)] };
            store.note_uses(&uses).await.expect("the store");
            let listed = store.keys(space.id, page(1, 10)).await.expect("the store");
            assert_eq!(listed.data[0].last_used_at, Some(last));
            let scope = Scope::Space(space.id);
            let guests = store.guests(scope, line.id(), page(1, 10)).await.expect("the store").expect("in scope");
            assert_eq!((guests.total, guests.data[0].last_used_at), (1, Some(last)));
            assert_eq!(guests.data[0].created_by, Some(Author::command_line()));
        }
        let elsewhere = Scope::Space(SpaceId::new());
        assert!(store.guests(elsewhere, line.id(), page(1, 10)).await.expect("the store").is_none());
    }

    async fn the_bytes_of_a_space_are_known(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let bot = store.agent_named(&space, "bot").await;
        let mut bytes = 0;
        let mut lines = vec![Line::new(&space, &[bot.member()]), Line::new(&space, &[])];
        for line in &mut lines {
            for _ in 0..2 {
                line.post(&bot.member(), "x", None);
                bytes += line.writes.events.iter().map(|event| event.text.len()).sum::<usize>();
                line.save(&store).await;
            }
        }
        let bytes = i64::try_from(bytes).expect("few");
        let mut elsewhere = Line::new(&other, &[]);
        elsewhere.save(&store).await;
        let size = async || {
            let empty = SpaceId::new();
            let sizes = store.space_bytes(&[space.id, empty, other.id]).await.expect("the store");
            assert_eq!(sizes.len(), 2, "{sizes:?}");
            *sizes.iter().find(|size| size.space == space.id).expect("it")
        };
        assert_eq!(size().await, SpaceSize { space: space.id, bytes, is_partial: false });
        assert!(store.space_bytes(&[]).await.expect("the store").is_empty());
        assert!(!store.count_session_bytes(space.id, 10).await.expect("the store"));
        // As the version before leaves them.
        sql::Database::open(&store.url).await.execute("UPDATE sessions SET bytes = NULL").await;
        assert_eq!(size().await, SpaceSize { space: space.id, bytes: 0, is_partial: true });
        while store.count_session_bytes(space.id, 1).await.expect("the store") {}
        assert_eq!(size().await, SpaceSize { space: space.id, bytes, is_partial: false });
    }

    async fn those_who_count_what_a_space_has_take_turns(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let by = revoker(&space, Permission::Manage);
        let gone = store.agent_named(&space, "gone").await;
        store.deactivate_agent(&by, gone.id).await.expect("the store").expect("active");
        store.agent_named(&other, "elsewhere").await;
        store.human_named(&other, "elsewhere").await;
        let add = async |number: usize| {
            let mut tx = store.begin_directory().await.expect("the store");
            tx.ensure_agent(space.id, &format!("agent-{number}"), None, NOW).await.expect("the store");
            assert_eq!(tx.count_humans(space.id).await.expect("the store"), 0);
            let count = tx.count_agents(space.id).await.expect("the store");
            if count <= 3 {
                tx.commit(None).await.expect("the store");
            }
            count <= 3
        };
        let added = join_all((0..8).map(add)).await;
        assert_eq!(added.iter().filter(|added| **added).count(), 3);
        assert_eq!(store.agents(space.id, page(1, 10)).await.expect("the store").total, 3);
    }

    async fn a_guest_lives_as_long_as_their_place(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let mut line = Line::new(&space, &[]);
        let (member, participant) = line.invite("Gast", "token");
        line.save(&store).await;
        let guest = store.guest_by_secret(&hash("token")).await.expect("the store").expect("known");
        assert_eq!((guest.id.into(), guest.space_id, guest.session_id), (member.id, space.id, line.id()));
        assert_eq!((guest.name.as_str(), guest.expires_at), ("Gast", NOW.plus_seconds(60)));
        assert!(store.guest_by_secret(&hash("other")).await.expect("the store").is_none());
        assert!(store.guest(space.id, guest.id).await.expect("the store").is_some());
        assert!(store.guest(other.id, guest.id).await.expect("the store").is_none());
        let scope = Scope::Member(space.id, member.id);
        assert!(store.session(scope, line.id()).await.expect("the store").is_some());

        line.append(Change::ParticipantRemoved(participant), &Actor::system());
        line.save(&store).await;
        assert!(store.guest_by_secret(&hash("token")).await.expect("the store").is_none());
        assert!(store.guest(space.id, guest.id).await.expect("the store").is_none());
        assert!(store.session(scope, line.id()).await.expect("the store").is_none());
    }

    async fn a_refresh_token_is_used_once(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        let (later, ends_at) = (NOW.plus_seconds(60), NOW.plus_millis(SignIn::LASTS_MILLIS));
        let rotate = async |old, next, now| {
            store.rotate_refresh_token(&hash(old), &hash(next), later, now).await.expect("the store")
        };
        let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
        store.add_sign_in(&sign_in("a1", a, human.id, later), NOW).await.expect("the store");
        store.add_sign_in(&sign_in("b1", b, human.id, later), NOW).await.expect("the store");
        let rotated = |sign_in| RefreshOutcome::Rotated { human: human.id, sign_in, ends_at };
        assert_eq!(rotate("no", "x", NOW).await, RefreshOutcome::Unknown);
        assert_eq!(rotate("a1", "a2", NOW).await, rotated(a));
        assert_eq!(rotate("a2", "a3", NOW).await, rotated(a));
        assert!(store.has_sign_in(human.id, a, NOW).await.expect("the store"));
        // The first one again: somebody has a copy, so the sign-in ends, and no other one.
        assert_eq!(rotate("a1", "a4", NOW).await, RefreshOutcome::Reused { human: human.id, sign_in: a });
        for token in ["a1", "a2", "a3", "a4"] {
            assert_eq!(rotate(token, "x", NOW).await, RefreshOutcome::Unknown, "{token}");
        }
        assert!(!store.has_sign_in(human.id, a, NOW).await.expect("the store"));
        assert_eq!(subjects(&store).await, [a]);
        assert_eq!(rotate("b1", "b2", NOW).await, rotated(b));
        // At its end it is not good any more.
        assert_eq!(rotate("b2", "b3", later).await, RefreshOutcome::Expired);
        let ended = store.end_sign_in_of(&hash("b1"), false, NOW).await.expect("the store").expect("a sign-in");
        assert_eq!(ended, EndedSignIns { human: human.id, sign_in: b, subjects: vec![b] });
        assert_eq!(rotate("b2", "b3", NOW).await, RefreshOutcome::Unknown);
        assert_eq!(store.end_sign_in_of(&hash("never"), true, NOW).await.expect("the store"), None);
        // All of them, and their tokens that came of none.
        let c = Uuid::now_v7();
        store.add_sign_in(&sign_in("c1", c, human.id, later), NOW).await.expect("the store");
        let ended = store.end_all_sign_ins(human.id, NOW).await.expect("the store");
        assert_eq!(ended, [c, human.id.without_sign_in()]);
        assert_eq!(rotate("c1", "c2", NOW).await, RefreshOutcome::Unknown);
        assert!(!store.has_sign_in(human.id, c, NOW).await.expect("the store"));
    }

    async fn a_sign_in_ends_after_ninety_days_however_often_it_is_refreshed(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        let id = Uuid::now_v7();
        let day = |days: i64| NOW.plus_seconds(days * 86_400);
        store.add_sign_in(&sign_in("0", id, human.id, day(30)), NOW).await.expect("the store");
        for days in (20..=80).step_by(20) {
            let (old, next) = (hash(&(days - 20).to_string()), hash(&days.to_string()));
            let outcome = store.rotate_refresh_token(&old, &next, day(days + 30), day(days)).await.expect("the store");
            assert!(matches!(outcome, RefreshOutcome::Rotated { ends_at, .. } if ends_at == day(90)), "{outcome:?}");
        }
        assert!(store.has_sign_in(human.id, id, day(90).plus_millis(-1)).await.expect("the store"));
        assert!(!store.has_sign_in(human.id, id, day(90)).await.expect("the store"));
        let outcome = store.rotate_refresh_token(&hash("80"), &hash("x"), day(120), day(90)).await.expect("the store");
        assert_eq!(outcome, RefreshOutcome::Expired);
        assert_eq!(store.sign_ins(human.id, page(1, 9), day(90)).await.expect("the store").total, 0);
    }

    async fn sign_ins_are_listed_and_ended_by_their_human_alone(store: Empty) {
        let space = store.space("one").await;
        let (human, other) = (store.human_named(&space, "h").await, store.human_named(&space, "other").await);
        let ids = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
        for (seconds, id) in (0..).zip(ids) {
            let new = sign_in(&id.to_string(), id, human.id, NOW.plus_seconds(600));
            assert_eq!(store.add_sign_in(&new, NOW.plus_seconds(seconds)).await.expect("the store"), Some(vec![]));
        }
        let listed = store.sign_ins(human.id, page(1, 2), NOW).await.expect("the store");
        assert_eq!((listed.total, listed.data.iter().map(|found| found.id).collect::<Vec<_>>()), (3, vec![ids[2], ids[1]]));
        let first = &listed.data[0];
        assert_eq!((first.created_at, first.last_used_at), (NOW.plus_seconds(2), NOW.plus_seconds(2)));
        assert_eq!(first.user_agent.as_deref(), Some("a browser"));
        assert_eq!(store.sign_ins(other.id, page(1, 9), NOW).await.expect("the store").total, 0);
        for (human, id, ended) in [(other.id, ids[0], false), (human.id, ids[0], true), (human.id, ids[0], false)] {
            assert_eq!(store.end_sign_in(human, id, NOW).await.expect("the store"), ended);
        }
        assert!(!store.has_sign_in(other.id, ids[1], NOW).await.expect("the store"), "somebody else's");
        // One of the version before has neither a beginning nor an end.
        let database = sql::Database::open(&store.url).await;
        database.execute("UPDATE refresh_families SET created_at = NULL, ends_at = NULL").await;
        let old = store.sign_ins(human.id, page(1, 9), NOW).await.expect("the store");
        assert_eq!(old.total, 2);
        assert_eq!(old.data[0].ends_at, old.data[0].created_at.plus_millis(SignIn::LASTS_MILLIS));
        assert!(store.has_sign_in(human.id, ids[1], NOW).await.expect("the store"));
    }

    async fn a_new_password_ends_every_other_sign_in(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        let later = NOW.plus_seconds(60);
        let mut tx = store.begin_directory().await.expect("a transaction");
        tx.add_setup_token(&hash("s"), human.id, later).await.expect("the store");
        tx.add_setup_token(&hash("spare"), human.id, later).await.expect("the store");
        tx.commit(None).await.expect("the store");
        assert_eq!(store.human_of_setup_token(&hash("s"), NOW).await.expect("the store"), Some(human.id));
        assert_eq!(store.human_of_setup_token(&hash("s"), later).await.expect("the store"), None);
        store.choose_password(&hash("s"), "first", NOW).await.expect("the store").expect("chosen");
        assert_eq!(store.human_of_setup_token(&hash("s"), NOW).await.expect("the store"), None);
        let (kept, gone) = (Uuid::now_v7(), Uuid::now_v7());
        for id in [kept, gone] {
            let new = sign_in(&id.to_string(), id, human.id, later);
            // Of a password that is not, or no more, theirs nothing comes.
            assert_eq!(store.add_sign_in(&new, NOW).await.expect("the store"), None);
            let new = NewSignIn { password_hash: Some("first".to_owned()), ..new };
            assert_eq!(store.add_sign_in(&new, NOW).await.expect("the store"), Some(vec![]));
        }
        let change = async |before, new, keep| {
            store.change_password(human.id, before, new, keep, NOW.plus_seconds(1)).await.expect("the store")
        };
        assert_eq!(change("not it", "second", Some(kept)).await, None);
        assert_eq!(change("first", "second", Some(kept)).await, Some(vec![gone, human.id.without_sign_in()]));
        let now = store.human(human.id).await.expect("the store").expect("active");
        assert_eq!((now.password_hash.as_deref(), now.tokens_valid_from), (Some("second"), Some(NOW.plus_seconds(1))));
        assert!(store.has_sign_in(human.id, kept, NOW).await.expect("the store"));
        assert!(!store.has_sign_in(human.id, gone, NOW).await.expect("the store"));
        assert_eq!(store.choose_password(&hash("spare"), "x", NOW).await.expect("the store"), None, "a link of before");
        // Without one to keep, all of them end, and what is revoked stands where every node finds it.
        assert_eq!(change("second", "third", None).await, Some(vec![kept, human.id.without_sign_in()]));
        let revoked: HashSet<_> = subjects(&store).await.into_iter().collect();
        assert_eq!(revoked, HashSet::from([kept, gone, human.id.without_sign_in()]));
        // A link ends them too.
        let new = NewSignIn { password_hash: Some("third".to_owned()), ..sign_in("k", kept, human.id, later) };
        assert_eq!(store.add_sign_in(&new, NOW).await.expect("the store"), Some(vec![]));
        let mut tx = store.begin_directory().await.expect("a transaction");
        for token in ["old", "new"] {
            tx.void_setup_tokens(human.id).await.expect("the store");
            tx.add_setup_token(&hash(token), human.id, later).await.expect("the store");
        }
        tx.commit(None).await.expect("the store");
        assert_eq!(store.choose_password(&hash("old"), "x", NOW).await.expect("the store"), None);
        let chosen = store.choose_password(&hash("new"), "x", NOW).await.expect("the store").expect("chosen");
        assert_eq!(chosen.subjects, [kept, human.id.without_sign_in()]);
    }

    async fn an_outside_identity_is_one_human(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let human = store.human_named(&space, "h").await;
        let who = async |issuer: &str, subject: &str| {
            let found = store.external_identity(issuer, subject).await.expect("the store");
            found.map(|found| (found.human, found.active.map(|human| human.id)))
        };
        assert!(store.add_external_identity("iss", "sub", human.id, NOW).await.expect("the store"));
        assert!(!store.add_external_identity("iss", "sub", HumanId::new(), NOW).await.is_ok_and(|added| added));
        assert_eq!(who("iss", "sub").await, Some((human.id, Some(human.id))));
        for (issuer, subject) in [("iss", "Sub"), ("", "sub"), ("iss2", "sub")] {
            assert_eq!(who(issuer, subject).await, None);
        }
        let former = async |space: &Space, issuer: &str| {
            store.former_humans(space.id, "h@example.org", issuer).await.expect("the store")
        };
        assert_eq!(former(&space, "iss").await, FormerHumans::default());
        assert!(store.deactivate_human(space.id, human.id, NOW).await.expect("the store"));
        assert_eq!(who("iss", "sub").await, Some((human.id, None)));
        assert_eq!(former(&space, "iss").await, FormerHumans { any: true, unknown_to_issuer: false });
        assert_eq!(former(&space, "other").await, FormerHumans { any: true, unknown_to_issuer: true });
        assert_eq!(former(&other, "iss").await, FormerHumans::default());
        // Whoever has the address next is somebody else, whom the issuer may name by a new token.
        let next = store.human_named(&space, "h").await;
        assert!(!store.move_external_identity("iss", "sub", next.id, human.id).await.expect("the store"));
        assert!(store.move_external_identity("iss", "sub", human.id, next.id).await.expect("the store"));
        assert_eq!(who("iss", "sub").await, Some((next.id, Some(next.id))));
        // Dropped with what it was to name.
        let mut tx = store.begin_directory().await.expect("a transaction");
        let lost = tx.create_human(&new_human(space.id, "lost@example.org", "L"), NOW).await.expect("the store");
        let lost = lost.expect("new");
        assert!(tx.add_external_identity("iss", "lost", lost.id, NOW).await.expect("the store"));
        assert_eq!(tx.human(space.id, lost.id).await.expect("the store").expect("there").id, lost.id);
        assert!(tx.human(other.id, lost.id).await.expect("the store").is_none());
        drop(tx);
        assert_eq!(who("iss", "lost").await, None);
    }

    async fn a_human_is_one_subject_of_an_issuer(store: Empty) {
        let space = store.space("one").await;
        let (human, other) = (store.human_named(&space, "h").await, store.human_named(&space, "o").await);
        let subjects: Vec<_> = (0..8).map(|number| number.to_string()).collect();
        let added = join_all(subjects.iter().map(|subject| store.add_external_identity("iss", subject, human.id, NOW)));
        let added: Vec<_> = added.await.into_iter().map(|added| added.expect("the store")).collect();
        assert_eq!(added.iter().filter(|added| **added).count(), 1, "{added:?}");
        assert!(store.add_external_identity("iss2", "0", human.id, NOW).await.expect("the store"), "another issuer");
        assert!(store.add_external_identity("iss", "other", other.id, NOW).await.expect("the store"));
        assert!(!store.move_external_identity("iss", "other", other.id, human.id).await.expect("the store"));
        assert!(store.deactivate_human(space.id, other.id, NOW).await.expect("the store"));
        assert!(!store.add_external_identity("iss", "late", other.id, NOW).await.expect("the store"), "not active");
    }

    async fn an_address_that_is_not_verified_is_free(store: Empty) {
        let (space, elsewhere) = (store.space("one").await, store.space("two").await);
        let claim = async |space: &Space, email: &str| {
            let mut tx = store.begin_directory().await.expect("a transaction");
            let human = tx.create_human(&new_human(space.id, email, "C"), NOW).await.expect("the store").expect("new");
            tx.free_address(&human).await.expect("the store");
            tx.commit(None).await.expect("the store");
            let found = store.human(human.id).await.expect("the store").expect("active");
            assert_eq!((found.email.as_str(), found.email_verified), (email, false));
            found
        };
        let (first, second) = (claim(&space, "c@example.org").await, claim(&space, "c@example.org").await);
        assert!(store.human_by_address(space.id, "c@example.org").await.expect("the store").is_none());
        assert!(store.humans_by_address("c@example.org", 8).await.expect("the store").is_empty());
        assert_eq!(store.all_humans(space.id, 9).await.expect("the store").map(|humans| humans.len()), Some(2));
        // One of them has it in the end, once.
        let verified = join_all([&first, &second].map(|human| store.verify_address(human, "c@example.org"))).await;
        let verified: Vec<_> = verified.into_iter().map(|verified| verified.expect("the store")).collect();
        assert_eq!(verified.iter().filter(|verified| **verified).count(), 1, "{verified:?}");
        let holder = store.human_by_address(space.id, "c@example.org").await.expect("the store").expect("found");
        assert!(holder.email_verified && [first.id, second.id].contains(&holder.id));
        for human in [&first, &second] {
            assert!(!store.verify_address(human, "c@example.org").await.expect("the store"));
        }
        // Its own space alone is asked.
        let there = claim(&elsewhere, "c@example.org").await;
        assert!(store.verify_address(&there, "c@example.org").await.expect("the store"));
        // One who was deactivated has left nothing behind, and is given none.
        let gone = claim(&space, "gone@example.org").await;
        assert!(store.deactivate_human(space.id, gone.id, NOW).await.expect("the store"));
        assert!(!store.verify_address(&gone, "gone@example.org").await.expect("the store"));
        let former = store.former_humans(space.id, "gone@example.org", "iss").await.expect("the store");
        assert_eq!(former, FormerHumans::default());
    }

    async fn of_many_uses_of_a_refresh_token_at_once_one_wins(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        let later = NOW.plus_seconds(60);
        for uses in [2, 2, 2, 8, 8, 8, 8, 8] {
            let token = Uuid::now_v7().to_string();
            let id = Uuid::now_v7();
            store.add_sign_in(&sign_in(&token, id, human.id, later), NOW).await.expect("the store");
            let next: Vec<_> = (0..uses).map(|index| format!("{token} {index}")).collect();
            let raced = join_all(next.iter().map(|next| {
                let (store, old, next) = (Arc::clone(&store.store), hash(&token), hash(next));
                tokio::spawn(async move { store.rotate_refresh_token(&old, &next, later, NOW).await })
            }));
            let outcomes: Vec<_> = raced.await.into_iter().map(|raced| raced.expect("no panic")).collect();
            let is = |wanted: RefreshOutcome| outcomes.iter().filter(|o| o.as_ref().is_ok_and(|o| *o == wanted)).count();
            let ends_at = NOW.plus_millis(SignIn::LASTS_MILLIS);
            let reused = RefreshOutcome::Reused { human: human.id, sign_in: id };
            assert_eq!(is(RefreshOutcome::Rotated { human: human.id, sign_in: id, ends_at }), 1, "{outcomes:?}");
            // The second use ends the sign-in; to those after it the token is unknown.
            assert!(is(reused) >= 1, "{outcomes:?}");
            assert_eq!(is(reused) + is(RefreshOutcome::Unknown), uses - 1, "{outcomes:?}");
            for token in next {
                let outcome = store.rotate_refresh_token(&hash(&token), &hash("x"), later, NOW).await;
                assert_eq!(outcome.expect("the store"), RefreshOutcome::Unknown);
            }
        }
    }

    async fn a_setup_token_is_used_once(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        let later = NOW.plus_seconds(60);
        let mut tx = store.begin_directory().await.expect("a transaction");
        tx.add_setup_token(&hash("s"), human.id, later).await.expect("the store");
        tx.commit(None).await.expect("the store");
        assert_eq!(store.choose_password(&hash("no"), "phc", NOW).await.expect("the store"), None);
        assert_eq!(store.choose_password(&hash("s"), "phc", later).await.expect("the store"), None);
        let password = async || store.human(human.id).await.expect("the store").expect("active").password_hash;
        assert_eq!(password().await, None);
        let chosen = join_all((0..8).map(|number| {
            let phc = format!("phc{number}");
            let store = &store;
            async move { store.choose_password(&hash("s"), &phc, NOW).await.expect("the store").map(|chosen| (chosen.human, phc)) }
        }));
        let chosen: Vec<_> = chosen.await.into_iter().flatten().collect();
        assert_eq!(chosen, [(human.id, password().await.expect("a password"))]);
        // One whose human is gone is not used up, nor does it do anything.
        let space = store.space("two").await;
        let gone = store.human_named(&space, "gone").await;
        let mut tx = store.begin_directory().await.expect("a transaction");
        tx.add_setup_token(&hash("g"), gone.id, later).await.expect("the store");
        tx.commit(None).await.expect("the store");
        assert!(store.deactivate_human(space.id, gone.id, NOW).await.expect("the store"));
        assert_eq!(store.choose_password(&hash("g"), "phc", NOW).await.expect("the store"), None);
    }

    /// What the two halves of choosing a password rest on: a crash between them leaves neither.
    async fn a_password_that_can_t_be_set_leaves_the_setup_token(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        let later = NOW.plus_seconds(60);
        let mut tx = store.begin_directory().await.expect("a transaction");
        tx.add_setup_token(&hash("s"), human.id, later).await.expect("the store");
        tx.commit(None).await.expect("the store");
        let database = sql::Database::open(&store.url).await;
        database.execute("ALTER TABLE humans RENAME COLUMN password_hash TO elsewhere").await;
        assert!(store.choose_password(&hash("s"), "phc", NOW).await.is_err());
        database.execute("ALTER TABLE humans RENAME COLUMN elsewhere TO password_hash").await;
        let chosen = store.choose_password(&hash("s"), "phc", NOW).await.expect("the store");
        assert_eq!(chosen.map(|chosen| chosen.human), Some(human.id));
    }

    async fn the_directory_changes_with_its_reply_or_not_at_all(store: Empty) {
        let made = |reply: &str| saved("s", "k", SavedReplyKind::Body(reply.to_owned()), NOW);
        let digest = made("").request_hash;
        // Dropped, it never was, and the key is free again.
        let mut tx = store.begin_directory().await.expect("a transaction");
        assert!(tx.claim_reply("s", "k", &digest, NOW).await.expect("the store").is_none());
        let (space, _) = tx.ensure_space("lost", NOW).await.expect("the store").expect("active");
        let (agent, _) = tx.ensure_agent(space.id, "bot", None, NOW).await.expect("the store").expect("active");
        assert_eq!(tx.agent(space.id, agent.id).await.expect("the store").expect("there").name, "bot");
        tx.create_key(&key_of(&space, Some(agent.id), "secret"), NOW).await.expect("the store");
        drop(tx);
        assert!(store.space_by_name("lost").await.expect("the store").is_none());
        assert!(store.key_by_secret(&hash("secret")).await.expect("the store").is_none());

        // Of those that race, one makes it; the others wait and find its reply.
        let racers = join_all((0..4).map(|number| {
            let (store, reply) = (Arc::clone(&store.store), made(&format!("{number}")));
            async move {
                let mut tx = store.begin_directory().await.expect("a transaction");
                if let Some(kept) = tx.claim_reply("s", "k", &digest, NOW).await.expect("the store") {
                    return Some(kept.kind);
                }
                let (_, is_new) = tx.ensure_space("kept", NOW).await.expect("the store").expect("active");
                assert!(is_new);
                tx.commit(Some(reply)).await.expect("the store");
                None
            }
        }));
        let found: Vec<_> = racers.await.into_iter().flatten().collect();
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|kind| *kind == found[0]), "{found:?}");
        // Another key is another request; after 24 hours this one is free again.
        for (key, now) in [("K", NOW), ("k", NOW.plus_millis(SavedReply::KEPT_MILLIS + 1))] {
            let mut tx = store.begin_directory().await.expect("a transaction");
            assert!(tx.claim_reply("s", key, &digest, now).await.expect("the store").is_none());
        }
        // A batch of the timeline's writer that comes second is told so.
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let twice = tx.apply(WriteSet { replies: vec![made("2")], ..WriteSet::default() }).await;
        assert!(matches!(twice, Err(StoreError::Raced)), "{twice:?}");
    }

    async fn what_has_served_its_time_is_pruned(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        for (index, ends) in [-10, -1, 0, 10].into_iter().enumerate() {
            let token = sign_in(&format!("t{index}"), Uuid::now_v7(), human.id, NOW.plus_seconds(ends));
            store.add_sign_in(&token, NOW).await.expect("the store");
        }
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let replies = [-10, 0, 10].map(|at| {
            saved("s", &at.to_string(), SavedReplyKind::Body("{}".to_owned()), NOW.plus_seconds(at))
        });
        tx.apply(WriteSet { replies: replies.to_vec(), ..WriteSet::default() }).await.expect("the store");
        tx.commit(WriteSet::default()).await.expect("the store");

        let mut tx = store.begin_directory().await.expect("a transaction");
        for (index, ends) in [-10, 0, 10].into_iter().enumerate() {
            let hash = [u8::try_from(index).expect("small"); 32];
            tx.add_setup_token(&hash, human.id, NOW.plus_seconds(ends)).await.expect("the store");
        }
        tx.commit(None).await.expect("the store");
        let pieces = async |what, limit| {
            let mut pieces = Vec::new();
            while pieces.last() != Some(&0) {
                pieces.push(store.prune(what, NOW, limit).await.expect("the store"));
            }
            pieces
        };
        // A sign-in goes when nothing of it is left, and nothing goes in larger pieces than asked for.
        assert_eq!(pieces(Passing::SignIns, 10).await, [0]);
        assert_eq!(pieces(Passing::RefreshTokens, 1).await, [1, 1, 0]);
        assert_eq!(pieces(Passing::SignIns, 10).await, [2, 0]);
        assert_eq!(pieces(Passing::Replies, 10).await, [1, 0]);
        assert_eq!(pieces(Passing::SetupTokens, 10).await, [1, 0]);
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let keys = ["-10", "0", "10"].map(|key| ("s".to_owned(), key.to_owned()));
        let left = tx.saved_replies(&keys, NOW.plus_seconds(-100)).await.expect("the store");
        assert_eq!(left.iter().map(|reply| reply.key.as_str()).collect::<Vec<_>>(), ["0", "10"]);
        drop(tx);
        let rotated = store.rotate_refresh_token(&hash("t3"), &hash("n"), NOW.plus_seconds(99), NOW).await;
        assert!(matches!(rotated.expect("the store"), RefreshOutcome::Rotated { .. }));
    }

    async fn the_audit_log_is_kept_by_space(store: Empty) {
        let (a, b) = (store.space("a").await, store.space("b").await);
        let entry = |space: Option<SpaceId>, at: Timestamp| {
            let source = AuditSource { origin: Some("203.0.113.7".to_owned()), request_id: Some("r".to_owned()) };
            AuditEntry::new(AuditEvent::KeyCreated, space, &source, at)
        };
        let human = HumanId::new();
        let target = AuditTarget::new(AuditTargetType::Human, human, "Ann");
        let first = entry(Some(a.id), NOW).by(Author::command_line()).on(target);
        let failed = entry(None, NOW.plus_millis(1)).failed();
        let second = entry(Some(a.id), NOW.plus_millis(2)).by(Author::provisioner(KeyId::new()));
        store.add_audit_entries(&[first.clone(), failed.clone(), entry(Some(b.id), NOW)]).await.expect("the store");
        let mut tx = store.begin_directory().await.expect("the store");
        tx.audit(second.clone()).await.expect("the store");
        tx.commit(None).await.expect("the store");
        let mut lost = store.begin_directory().await.expect("the store");
        lost.audit(entry(Some(a.id), NOW)).await.expect("the store");
        drop(lost);

        let list = async |with_hub, after, at: PageRequest| {
            store.audit_entries(a.id, with_hub, after, at).await.expect("the store")
        };
        let all = list(false, None, page(1, 10)).await;
        assert_eq!((all.total, all.data), (2, vec![first.clone(), second.clone()]));
        let all = list(true, None, page(1, 10)).await;
        assert_eq!((all.total, all.data), (3, vec![first.clone(), failed.clone(), second.clone()]));
        assert_eq!(list(true, None, page(2, 2)).await.data, std::slice::from_ref(&second));
        assert_eq!(list(true, Some(first.id), page(1, 10)).await.data, [failed.clone(), second.clone()]);
        assert_eq!(list(true, None, page(i64::MAX, 100)).await.data, []);
        // An entry that is there gets the new target.
        let counted = failed.on(AuditTarget { attempts: Some(7), ..AuditTarget::new(AuditTargetType::Human, human, "Ann") });
        store.add_audit_entries(std::slice::from_ref(&counted)).await.expect("the store");
        assert_eq!(list(true, Some(first.id), page(1, 1)).await.data, [counted]);

        let later = NOW.plus_millis(2);
        assert_eq!(store.prune_audit(later, 2).await.expect("the store"), 2);
        assert_eq!(store.prune_audit(later, 2).await.expect("the store"), 1);
        assert_eq!(store.prune_audit(later, 2).await.expect("the store"), 0);
        assert_eq!(list(true, None, page(1, 10)).await.data, [second]);
    }

    async fn nothing_is_seen_from_outside_its_scope(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let agent = store.agent_named(&space, "a").await;
        let outsider = store.agent_named(&space, "outsider").await;
        let foreigner = store.agent_named(&other, "foreigner").await;
        let human = store.human_named(&space, "h").await;
        let bystander = store.human_named(&space, "bystander").await;
        let stranger = store.human_named(&other, "stranger").await;
        let mut line = Line::new(&space, &[agent.member(), human.member()]);
        let (guest, _) = line.invite("g", "token");
        let message = line.asks(&agent.member(), "approval");
        line.save(&store).await;
        let mut elsewhere = Line::new(&space, &[outsider.member()]);
        let (visitor, _) = elsewhere.invite("v", "visitor");
        elsewhere.save(&store).await;
        let id = line.id();

        let inside = [
            (Scope::Space(space.id), PrincipalId::from(agent.id)),
            (Scope::Member(space.id, agent.id.into()), agent.id.into()),
            (Scope::Member(space.id, human.id.into()), human.id.into()),
            (Scope::Member(space.id, guest.id), guest.id),
        ];
        for (scope, who) in inside {
            assert!(store.session(scope, id).await.expect("the store").is_some(), "{scope:?}");
            let listed = store.sessions(scope, None, page(1, 10)).await.expect("the store");
            assert!(listed.data.iter().any(|listed| listed.session.id == id), "{scope:?}");
            let large = Listed { session: line.session.clone(), left_out: 1 };
            let taken = store.sessions_of(scope, &[&large], 1 << 20).await.expect("the store");
            assert_eq!((taken.count, taken.data.len()), (1, 1), "{scope:?}");
            assert_eq!(store.feed(scope, who, page(1, 10)).await.expect("the store").data.len(), 1, "{scope:?}");
            assert!(store.participants(scope, id, page(1, 10)).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.mark_read(scope, id, who, 1).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.messages_after(scope, id, 0, 10, 1 << 20).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.message(scope, id, message.id).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.head(scope, id).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.standing(scope, id, who).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.outlook(scope, id, message.id).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.events_after(scope, id, 0, 10, 1 << 20).await.expect("the store").is_some(), "{scope:?}");
            let taken = store.last_messages(scope, &[(id, 1)], 1 << 20).await.expect("the store");
            assert_eq!((taken.count, taken.data.len()), (1, 1), "{scope:?}");
            let taken = store.interactions_of(scope, &[id], 1 << 20).await.expect("the store");
            assert_eq!((taken.count, taken.data.len()), (1, 1), "{scope:?}");
            assert_eq!(store.interaction_message(scope, id).await.expect("the store"), Some(message.id), "{scope:?}");
            assert!(store.interaction(scope, id, Moment::Now).await.expect("the store").is_some(), "{scope:?}");
            assert_eq!(store.interactions(scope, None, page(1, 10)).await.expect("the store").total, 1, "{scope:?}");
        }
        let outside = [
            Scope::Space(other.id),
            Scope::Member(space.id, outsider.id.into()),
            Scope::Member(other.id, agent.id.into()),
            Scope::Member(other.id, foreigner.id.into()),
            Scope::Member(space.id, foreigner.id.into()),
            Scope::Member(space.id, visitor.id),
            Scope::Member(space.id, bystander.id.into()),
            Scope::Member(other.id, stranger.id.into()),
            Scope::Member(space.id, stranger.id.into()),
            Scope::Member(other.id, human.id.into()),
        ];
        for scope in outside {
            let who = scope.participant().unwrap_or(agent.id.into());
            assert!(store.session(scope, id).await.expect("the store").is_none(), "{scope:?}");
            let listed = store.sessions(scope, None, page(1, 10)).await.expect("the store");
            assert!(listed.data.iter().all(|listed| listed.session.id != id), "{scope:?}");
            let large = Listed { session: line.session.clone(), left_out: 1 };
            let taken = store.sessions_of(scope, &[&large], 1 << 20).await.expect("the store");
            assert_eq!((taken.count, taken.data.len()), (1, 0), "{scope:?}");
            assert_eq!(listed.total, i64::try_from(listed.data.len()).expect("few"), "{scope:?}");
            let feed = store.feed(scope, who, page(1, 10)).await.expect("the store");
            assert!(feed.data.iter().all(|entry| entry.listed.session.id != id), "{scope:?}");
            assert!(store.participants(scope, id, page(1, 10)).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.mark_read(scope, id, who, 1).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.messages_after(scope, id, 0, 10, 1 << 20).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.message(scope, id, message.id).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.head(scope, id).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.standing(scope, id, who).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.outlook(scope, id, message.id).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.events_after(scope, id, 0, 10, 1 << 20).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.last_messages(scope, &[(id, 1)], 1 << 20).await.expect("the store").data.is_empty(), "{scope:?}");
            assert!(store.interactions_of(scope, &[id], 1 << 20).await.expect("the store").data.is_empty(), "{scope:?}");
            assert_eq!(store.interaction_message(scope, id).await.expect("the store"), None, "{scope:?}");
            for at in [Moment::Now, Moment::Settled, Moment::Seq(1)] {
                assert!(store.interaction(scope, id, at).await.expect("the store").is_none(), "{scope:?}");
            }
            let listed = store.interactions(scope, None, page(1, 10)).await.expect("the store");
            assert_eq!((listed.total, listed.data.len()), (0, 0), "{scope:?}");
        }
        // A session that was not made as an interaction is none.
        let whole = Scope::Space(space.id);
        assert_eq!(store.interaction_message(whole, elsewhere.id()).await.expect("the store"), None);
        assert!(store.interaction(whole, elsewhere.id(), Moment::Now).await.expect("the store").is_none());
        // A message under another session's id is no message of that session.
        let by_wrong_session = store.message(Scope::Space(space.id), elsewhere.id(), message.id).await;
        assert!(by_wrong_session.expect("the store").is_none());
        let by_wrong_session = store.outlook(Scope::Space(space.id), elsewhere.id(), message.id).await;
        assert!(by_wrong_session.expect("the store").is_none());
        assert!(store.member_ids(other.id, id).await.expect("the store").is_empty());
        assert!(store.last_seqs(&[(other.id, id)]).await.expect("the store").is_empty());
        assert_eq!(store.last_older(Scope::Space(other.id), id, 9, NOW).await.expect("the store"), None);
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        assert!(tx.lock_sessions(&[(other.id, id)]).await.expect("the store").is_empty());
        assert!(tx.message_states(&[(elsewhere.id(), message.id)]).await.expect("the store").is_empty());
    }

    async fn sessions_come_by_activity(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut lines = Vec::new();
        for index in 0..5 {
            let mut line = Line::new(&space, &[agent.member()]);
            line.session.title = Some(format!("s{index}"));
            line.at = NOW.plus_seconds(index);
            line.post(&agent.member(), "x", None);
            line.save(&store).await;
            lines.push(line);
        }
        lines[1].at = NOW.plus_seconds(100);
        lines[1].post(&agent.member(), "again", None);
        lines[1].save(&store).await;
        lines[2].append(Change::SessionClosed, &Actor::system());
        lines[2].save(&store).await;
        lines[3].append(Change::SessionArchived, &Actor::system());
        lines[3].save(&store).await;

        let scope = Scope::Member(space.id, agent.id.into());
        let titles = async |status, request| -> (Vec<String>, i64) {
            let found = store.sessions(scope, status, request).await.expect("the store");
            (found.data.into_iter().filter_map(|listed| listed.session.title).collect(), found.total)
        };
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(titles(None, page(1, 10)).await, (own(&["s1", "s4", "s2", "s0"]), 4));
        assert_eq!(titles(None, page(2, 3)).await, (own(&["s0"]), 4));
        assert_eq!(titles(Some(SessionStatus::Active), page(1, 10)).await, (own(&["s1", "s4", "s0"]), 3));
        assert_eq!(titles(Some(SessionStatus::Closed), page(1, 10)).await, (own(&["s2"]), 1));
        assert_eq!(titles(Some(SessionStatus::Archived), page(1, 10)).await, (own(&["s3"]), 1));
    }

    async fn large_titles_are_left_out_of_lists_and_read_apart(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let title = |length: usize| {
            let around = r#"{"ciphertext":"","wrappings":[]}"#.len();
            Envelope::from_stored(format!(r#"{{"ciphertext":"{}","wrappings":[]}}"#, "x".repeat(length - around)))
        };
        // Newest first: the last of these comes first.
        let sizes = [0, 4096, 4097, 9000, 8000];
        let mut lines = Vec::new();
        for (index, size) in (0..).zip(sizes) {
            let mut line = Line::new(&space, &[agent.member(), human.member()]);
            line.session.encrypted_title = (size > 0).then(|| title(size)).flatten();
            line.at = NOW.plus_seconds(index);
            line.post(&agent.member(), "x", None);
            line.save(&store).await;
            lines.push(line);
        }
        lines.reverse();
        let whole: Vec<_> = lines.iter().map(|line| (line.id(), line.session.encrypted_title.clone())).collect();
        let scope = Scope::Member(space.id, human.id.into());
        let listed = store.sessions(scope, None, page(1, 10)).await.expect("the store").data;
        let feed = store.feed(scope, human.id.into(), page(1, 10)).await.expect("the store").data;
        for listed in [listed.iter().collect::<Vec<_>>(), feed.iter().map(|entry| &entry.listed).collect()] {
            assert_eq!(listed.iter().map(|listed| listed.left_out).collect::<Vec<_>>(), [8000, 9000, 4097, 0, 0]);
            let titles = listed.iter().map(|listed| listed.session.encrypted_title.is_some());
            assert_eq!(titles.collect::<Vec<_>>(), [false, false, false, true, false]);
            let mut found = Vec::new();
            let mut counts = Vec::new();
            while found.len() < listed.len() {
                let taken = store.sessions_of(scope, &listed[found.len()..], 8001).await.expect("the store");
                assert_eq!(taken.count, taken.data.len());
                counts.push(taken.count);
                found.extend(taken.data.into_iter().map(|session| (session.id, session.encrypted_title)));
            }
            assert_eq!((counts, &found), (vec![2, 3], &whole));
        }
        let none = store.sessions_of(scope, &[], 1).await.expect("the store");
        assert_eq!((none.count, none.data.len()), (0, 0));

        // What has become of them meanwhile: one has another title, one has none, and one is gone.
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let mut changed: Vec<_> = lines[..2].iter().map(|line| line.session.clone()).collect();
        changed[0].encrypted_title = title(100);
        changed[1].encrypted_title = None;
        tx.apply(WriteSet { changed_sessions: changed, ..WriteSet::default() }).await.expect("the store");
        tx.commit(WriteSet::default()).await.expect("the store");
        let mut listed: Vec<_> = listed.iter().take(2).collect();
        let gone = Listed { session: Line::new(&space, &[]).session, left_out: 5000 };
        listed.push(&gone);
        let taken = store.sessions_of(scope, &listed, i64::MAX).await.expect("the store");
        let titles: Vec<_> = taken.data.into_iter().map(|session| session.encrypted_title).collect();
        assert_eq!((taken.count, titles), (3, vec![title(100), None]));
    }

    async fn sessions_that_have_moved_are_found_by_space_and_time(store: Empty) {
        let spaces = [store.space("one").await, store.space("two").await, store.space("three").await];
        let mut lines = Vec::new();
        for (index, space) in (0..).zip(spaces.iter().chain(&spaces)) {
            let agent = store.agent_named(space, &format!("a{index}")).await;
            let mut line = Line::new(space, &[agent.member()]);
            line.at = NOW.plus_seconds(index);
            line.post(&agent.member(), "x", None);
            line.save(&store).await;
            lines.push(line);
        }
        let found = async |asked: &[SpaceId], since| {
            let found = store.active_since(asked, since).await.expect("the store");
            found.into_iter().map(|session| (session.id, session)).collect::<HashMap<_, _>>()
        };
        let two = found(&[spaces[0].id, spaces[1].id, SpaceId::new()], NOW).await;
        assert_eq!(two.keys().collect::<HashSet<_>>(), [0, 1, 3, 4].map(|index| lines[index].session.id).iter().collect());
        let expected = ActiveSession { space: spaces[1].id, id: lines[4].id(), last_seq: 2, at: NOW.plus_seconds(4) };
        assert_eq!(two[&lines[4].id()], expected);
        let late = found(&[spaces[0].id, spaces[1].id], NOW.plus_seconds(3)).await;
        assert_eq!(late.keys().collect::<HashSet<_>>(), [3, 4].map(|index| lines[index].session.id).iter().collect());
        assert!(found(&[], NOW).await.is_empty());
        assert!(found(&[spaces[2].id], NOW.plus_seconds(6)).await.is_empty());
    }

    async fn where_the_older_part_of_a_timeline_ends_is_found_without_reading_it(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut line = Line::new(&space, &[agent.member()]);
        // Events 2 to 5, a second apart.
        for second in 1..5 {
            line.at = NOW.plus_seconds(second);
            line.post(&agent.member(), "x", None);
        }
        line.save(&store).await;
        let (scope, id) = (Scope::Space(space.id), line.id());
        let older = async |seq, floor| store.last_older(scope, id, seq, floor).await.expect("the store");
        assert_eq!(older(9, NOW.plus_seconds(3)).await, Some(3));
        assert_eq!(older(9, NOW.plus_seconds(60)).await, Some(5));
        assert_eq!(older(5, NOW.plus_seconds(60)).await, Some(4), "those before alone");
        assert_eq!(older(9, NOW.plus_seconds(-60)).await, Some(0));
        let member = Scope::Member(space.id, agent.id.into());
        assert_eq!(store.last_older(member, id, 9, NOW.plus_seconds(3)).await.expect("the store"), Some(3));
        let stranger = Scope::Member(space.id, store.agent_named(&space, "b").await.id.into());
        assert_eq!(store.last_older(stranger, id, 9, NOW.plus_seconds(3)).await.expect("the store"), None);
        // What retention has taken is no part of it.
        let database = sql::Database::open(&store.url).await;
        let own = database.id(&id.to_string());
        database
            .execute(&format!(
                "DELETE FROM events WHERE session_id = {own} AND seq < 4; UPDATE sessions SET first_seq = 4 WHERE id = {own}"
            ))
            .await;
        assert_eq!(older(9, NOW.plus_seconds(-60)).await, Some(3));
    }

    async fn a_session_comes_back_as_it_was_written(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut line = Line::new(&space, &[agent.member()]);
        let title = r#"{"ciphertext":"t\u0000é😀","wrappings":[{"z":1,"a":2}],"scheme":"x"}"#;
        line.session.created_by_agent_id = Some(agent.id);
        line.session.title = Some("Ünïcode 😀".to_owned());
        line.session.encrypted_title = Envelope::from_stored(title.to_owned());
        line.session.metadata = serde_json::from_str(r#"{"b":1,"a":"\u0000"}"#).expect("json");
        line.session.priority = Priority::Urgent;
        line.save(&store).await;
        let read = async || store.session(Scope::Space(space.id), line.id()).await.expect("the store").expect("there");
        let session = read().await;
        assert_eq!(json!(session), json!(line.session));
        assert_eq!((session.first_seq, session.message_count), (1, 0));
        assert_eq!(session.encrypted_title.as_ref().map(Envelope::as_str), Some(title));
        assert_eq!(session.metadata.as_ref().map(|metadata| metadata.get()), Some(r#"{"b":1,"a":"\u0000"}"#));

        line.session.title = None;
        line.session.encrypted_title = None;
        line.session.metadata = None;
        line.session.priority = Priority::Low;
        line.at = NOW.plus_seconds(1);
        line.append(Change::SessionClosed, &Actor::system());
        line.append(Change::SessionArchived, &Actor::system());
        line.save(&store).await;
        let session = store.session(Scope::Space(space.id), line.id()).await.expect("the store").expect("there");
        assert_eq!(json!(session), json!(line.session));
        assert_eq!((session.closed_at, session.archived_at), (Some(line.at), Some(line.at)));
    }

    async fn the_feed_puts_what_waits_first(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let members = [agent.member(), human.member()];
        let deadline = |seconds| Some(NOW.plus_seconds(seconds));
        let asks: [(&str, &[Ask]); 7] = [
            ("quiet", &[]),
            ("low", &[Ask { priority: Priority::Low, deadline: deadline(5) }]),
            ("high, no end", &[Ask { priority: Priority::High, deadline: None }]),
            ("high, late", &[Ask { priority: Priority::High, deadline: deadline(50) }]),
            ("high, soon", &[Ask { priority: Priority::High, deadline: deadline(40) }, PLAIN_ASK]),
            ("urgent", &[PLAIN_ASK, Ask { priority: Priority::Urgent, deadline: deadline(90) }]),
            ("busy", &[]),
        ];
        let mut lines = Vec::new();
        for (index, (title, asks)) in asks.into_iter().enumerate() {
            let mut line = Line::new(&space, &members);
            line.session.title = Some(title.to_owned());
            line.at = NOW.plus_seconds(i64::try_from(index).expect("few"));
            line.post(&agent.member(), "hello", None);
            for ask in asks {
                line.post(&agent.member(), "?", Some(*ask));
            }
            line.save(&store).await;
            lines.push(line);
        }
        let mut archived = Line::new(&space, &members);
        archived.post(&agent.member(), "?", Some(PLAIN_ASK));
        archived.append(Change::SessionArchived, &Actor::system());
        archived.save(&store).await;

        let scope = Scope::Member(space.id, human.id.into());
        let feed = store.feed(scope, human.id.into(), page(1, 10)).await.expect("the store");
        let titles: Vec<_> = feed.data.iter().filter_map(|entry| entry.listed.session.title.as_deref()).collect();
        assert_eq!(titles, ["urgent", "high, soon", "high, late", "high, no end", "low", "busy", "quiet"]);
        assert_eq!(feed.total, 7);
        let soon = &feed.data[1];
        assert_eq!((soon.highest_priority, soon.next_deadline_at), (Some(Priority::High), deadline(40)));
        assert_eq!((soon.listed.session.pending_count, soon.unread_count), (2, 3));
        let ids: Vec<_> = feed.data.iter().map(|entry| (entry.listed.session.id, entry.listed.session.message_count)).collect();
        let last = store.last_messages(scope, &ids, i64::MAX).await.expect("the store");
        let of_soon = last.data.iter().find(|message| message.session_id == ids[1].0);
        assert_eq!((last.count, last.data.len(), of_soon.map(|message| message.seq)), (7, 7, Some(4)));
        // One always comes, so that a large one blocks nobody; then no more once the bytes are passed.
        let one = store.last_messages(scope, &ids, 1).await.expect("the store");
        assert_eq!((one.count, one.data.len(), one.data[0].session_id), (1, 1, ids[0].0));
        let none = store.last_messages(scope, &[], 1).await.expect("the store");
        assert_eq!((none.count, none.data.len()), (0, 0));
        let bare = store.last_messages(scope, &[(ids[0].0, 0), ids[1]], 1).await.expect("the store");
        assert_eq!((bare.count, bare.data[0].session_id, bare.data.len()), (2, ids[1].0, 1));
        let quiet = &feed.data[6];
        assert_eq!((quiet.highest_priority, quiet.next_deadline_at, quiet.unread_count), (None, None, 1));
        let second = store.feed(scope, human.id.into(), page(2, 5)).await.expect("the store");
        assert_eq!((second.data[0].listed.session.title.as_deref(), second.data.len()), (Some("busy"), 2));

        // Settled, it no longer waits; read, it no longer counts.
        let urgent = &mut lines[5];
        let found = store.messages_after(scope, urgent.id(), 0, 10, i64::MAX).await.expect("the store");
        urgent.answer(&human.member(), found.expect("in scope").messages[2].id, "!");
        let end = urgent.session.last_seq;
        urgent.save(&store).await;
        store.mark_read(scope, urgent.id(), human.id.into(), end).await.expect("the store");
        let feed = store.feed(scope, human.id.into(), page(1, 10)).await.expect("the store");
        let entry = feed.data.iter().find(|entry| entry.listed.session.id == urgent.id()).expect("there");
        assert_eq!((entry.highest_priority, entry.next_deadline_at), (Some(Priority::Medium), None));
        assert_eq!((entry.listed.session.pending_count, entry.unread_count), (1, 0));
    }

    async fn participants_come_in_pages(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let mut line = Line::new(&space, &[agent.member()]);
        line.add(&human.member(), None);
        let (guest, _) = line.invite("g", "token");
        line.save(&store).await;
        let scope = Scope::Space(space.id);
        let first = store.participants(scope, line.id(), page(1, 2)).await.expect("the store").expect("in scope");
        let second = store.participants(scope, line.id(), page(2, 2)).await.expect("the store").expect("in scope");
        let all: Vec<_> = first.data.iter().chain(&second.data).collect();
        assert_eq!(all.iter().map(|p| (p.kind, p.name.as_str())).collect::<Vec<_>>(), [
            (ParticipantType::Agent, "a"),
            (ParticipantType::Human, "h"),
            (ParticipantType::Guest, "g"),
        ]);
        assert_eq!((first.total, all[0].role.as_str(), all[1].role.as_str()), (3, "member", "reviewer"));
        assert_eq!((all[0].agent_id, all[0].human_id, all[0].guest_id), (Some(agent.id), None, None));
        assert_eq!((all[1].agent_id, all[1].human_id, all[1].guest_id), (None, Some(human.id), None));
        let members: HashSet<_> = store.member_ids(space.id, line.id()).await.expect("the store").into_iter().collect();
        assert_eq!(members, HashSet::from([agent.id.into(), human.id.into(), guest.id]));
        // A human who is deactivated sees the session no more, nor does the next one of the address.
        store.deactivate_human(space.id, human.id, NOW).await.expect("the store");
        let without = store.participants(scope, line.id(), page(1, 9)).await.expect("the store").expect("in scope");
        let kinds: Vec<_> = without.data.iter().map(|participant| participant.kind).collect();
        assert_eq!((kinds, without.total), (vec![ParticipantType::Agent, ParticipantType::Guest], 2));
        let left: HashSet<_> = store.member_ids(space.id, line.id()).await.expect("the store").into_iter().collect();
        assert_eq!(left, HashSet::from([agent.id.into(), guest.id]));
        let next = store.human_named(&space, "h").await;
        assert_eq!(store.member_ids(space.id, line.id()).await.expect("the store").len(), 2);
        let scope = Scope::Member(space.id, next.id.into());
        assert!(store.session(scope, line.id()).await.expect("the store").is_none());
        // Nobody takes part twice.
        line.add(&human.member(), None);
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        assert!(matches!(tx.apply(line.take()).await, Err(StoreError::Conflict(_))));
    }

    async fn a_read_mark_never_goes_backwards(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let mut line = Line::new(&space, &[agent.member(), human.member()]);
        for _ in 0..5 {
            line.post(&agent.member(), "x", None);
        }
        line.save(&store).await;
        let scope = Scope::Member(space.id, human.id.into());
        let who = PrincipalId::from(human.id);
        let mark = async |seq| -> (i64, bool) {
            let ReadMark { seq, moved, .. } =
                store.mark_read(scope, line.id(), who, seq).await.expect("the store").expect("takes part");
            (seq, moved)
        };
        let unread = async || store.feed(scope, who, page(1, 1)).await.expect("the store").data[0].unread_count;
        assert_eq!(unread().await, 5);
        assert_eq!(mark(0).await, (0, false));
        assert_eq!(mark(3).await, (3, true));
        assert_eq!(unread().await, 3);
        assert_eq!(mark(3).await, (3, false));
        assert_eq!(mark(2).await, (3, false));
        assert_eq!(unread().await, 3);
        assert_eq!(mark(1000).await, (6, true));
        assert_eq!(unread().await, 0);
        assert_eq!(mark(1).await, (6, false));
        // Whoever sees the session without taking part has no mark.
        let space_scope = Scope::Space(space.id);
        let none = store.mark_read(space_scope, line.id(), PrincipalId(Uuid::now_v7()), 1).await.expect("the store");
        assert_eq!(none, None);
        // Marks that race end at the furthest.
        let mut line = Line::new(&space, &[human.member()]);
        for _ in 0..9 {
            line.post(&agent.member(), "x", None);
        }
        line.save(&store).await;
        join_all((1..=10).map(|seq| store.mark_read(scope, line.id(), who, seq))).await;
        let read = async |line: &Line| {
            let people = store.participants(scope, line.id(), page(1, 1)).await.expect("the store").expect("in scope");
            people.data[0].last_read_seq
        };
        assert_eq!(read(&line).await, 10);
        // So do those that come with what was written, of whoever takes part.
        for (seq, then) in [(10, 10), (9, 10), (11, 11)] {
            line.post(&human.member(), "y", None);
            let others = NewMark { session: line.id(), principal: PrincipalId(Uuid::now_v7()), seq: 12, count: 12 };
            let own = NewMark { session: line.id(), principal: who, seq, count: seq - 1 };
            line.writes.read_marks = vec![others, own];
            line.save(&store).await;
            assert_eq!(read(&line).await, then);
        }
        let feed = store.feed(scope, who, page(1, 9)).await.expect("the store").data;
        assert_eq!(feed.iter().map(|entry| entry.unread_count).collect::<Vec<_>>(), [2, 0]);
    }

    async fn messages_carry_their_answers(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let mut line = Line::new(&space, &[agent.member(), human.member()]);
        let plain = line.post(&agent.member(), "plain", None);
        let asked = line.post(&agent.member(), "asked", Some(PLAIN_ASK));
        let dropped = line.post(&agent.member(), "dropped", Some(PLAIN_ASK));
        line.save(&store).await;
        let scope = Scope::Member(space.id, agent.id.into());
        let read = async |id| store.message(scope, asked.session_id, id).await.expect("the store").expect("there");
        assert_eq!(json!(read(plain.id).await), json!(plain));
        assert_eq!(json!(read(asked.id).await), json!(asked));
        line.at = NOW.plus_seconds(5);
        let answer = line.answer(&human.member(), asked.id, "answer");
        line.cancel(&agent.member(), dropped.id);
        line.save(&store).await;

        let done = read(asked.id).await;
        let response = done.response.as_ref().expect("a response");
        assert_eq!((done.status, done.updated_at), (MessageStatus::Completed, line.at));
        assert_eq!((response.message_id, &response.responded_by), (answer.id, &Responder::from(&human.member().actor())));
        assert_eq!((response.responded_at, &response.encrypted_content), (line.at, &answer.encrypted_content));
        let gone = read(dropped.id).await;
        assert_eq!((gone.status, gone.response.is_none()), (MessageStatus::Cancelled, true));
        let reply = read(answer.id).await;
        assert_eq!((reply.sender_type, reply.sender_human_id), (SenderType::Human, Some(human.id)));

        let after = async |after, limit, bytes| -> (Vec<MessageId>, i64) {
            let found = store.messages_after(scope, line.id(), after, limit, bytes).await.expect("the store");
            let found = found.expect("in scope");
            (found.messages.iter().map(|message| message.id).collect(), found.total)
        };
        assert_eq!(after(0, 10, i64::MAX).await, (vec![plain.id, asked.id, dropped.id, answer.id], 4));
        assert_eq!(after(3, 3, i64::MAX).await, (vec![answer.id], 4));
        assert_eq!(after(i64::MAX, 100, i64::MAX).await, (vec![], 4));
        // One message always comes, so that a large one blocks nobody; then no more once the bytes are passed, and an
        // answer counts with what it answers.
        assert_eq!(after(0, 10, 1).await, (vec![plain.id], 4));
        let all = store.events_after(scope, line.id(), 0, 100, i64::MAX).await.expect("the store").expect("in scope");
        let size = |seq| i64::try_from(all.events.iter().find(|event| event.seq == seq).expect("it").text.len());
        let settled = read(asked.id).await;
        let completed = all.events.iter().find(|event| event.settles == Some(asked.id)).expect("it").seq;
        let both = size(settled.seq).expect("small") + size(completed).expect("small");
        assert_eq!(after(1, 10, both).await, (vec![asked.id], 4));
        assert_eq!(after(1, 10, both + 1).await, (vec![asked.id, dropped.id], 4));
        assert!(store.message(scope, line.id(), MessageId::new()).await.expect("the store").is_none());
    }

    async fn interactions_come_by_activity_and_status(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await.member();
        let mut lines = Vec::new();
        for index in 0..5 {
            Line::new(&space, std::slice::from_ref(&agent)).save(&store).await;
            let mut line = Line::new(&space, std::slice::from_ref(&agent));
            line.at = NOW.plus_seconds(index);
            let asked = line.asks(&agent, &format!("i{index}"));
            line.save(&store).await;
            lines.push((line, asked));
        }
        let (line, asked) = &mut lines[1];
        line.at = NOW.plus_seconds(100);
        line.push_blocks(&agent, asked.id, "one");
        line.push_blocks(&agent, asked.id, "two");
        line.save(&store).await;
        let (line, asked) = &mut lines[2];
        line.cancel(&agent, asked.id);
        line.save(&store).await;
        let (line, asked) = &mut lines[3];
        line.cancel(&agent, asked.id);
        line.append(Change::SessionArchived, &Actor::system());
        line.save(&store).await;

        let scope = Scope::Member(space.id, agent.id);
        let kinds = async |status, request| -> (Vec<String>, i64) {
            let found = store.interactions(scope, status, request).await.expect("the store");
            let taken = store.interactions_of(scope, &found.data, i64::MAX).await.expect("the store");
            assert_eq!(taken.count, found.data.len());
            (taken.data.into_iter().map(|interaction| interaction.kind).collect(), found.total)
        };
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(kinds(None, page(1, 10)).await, (own(&["i1", "i4", "i2", "i0"]), 4));
        assert_eq!(kinds(None, page(2, 3)).await, (own(&["i0"]), 4));
        assert_eq!(kinds(Some(MessageStatus::Pending), page(1, 10)).await, (own(&["i1", "i4", "i0"]), 3));
        assert_eq!(kinds(Some(MessageStatus::Cancelled), page(1, 10)).await, (own(&["i2"]), 1));
        assert_eq!(kinds(Some(MessageStatus::Expired), page(1, 10)).await, (own(&[]), 0));
        let ids = store.interactions(scope, None, page(1, 10)).await.expect("the store").data;
        let first = store.interactions_of(scope, &ids, 1).await.expect("the store");
        assert_eq!((first.count, first.data.len()), (1, 1), "one always comes");
        let first = &first.data[0];
        let gone = store.interactions_of(scope, &[SessionId::new(), ids[0]], i64::MAX).await.expect("the store");
        assert_eq!((gone.count, gone.data[0].id, gone.data.len()), (2, ids[0], 1));
        let alone = store.interaction(scope, lines[1].0.id(), Moment::Now).await.expect("the store").expect("there");
        assert_eq!(json!(first), json!(alone));
        let blocks: Vec<_> = first.blocks.iter().map(Envelope::as_str).collect();
        assert_eq!(blocks, [r#"{"ciphertext":"one","wrappings":[]}"#, r#"{"ciphertext":"two","wrappings":[]}"#]);
    }

    async fn an_interaction_is_read_as_of_any_moment(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await.member(), store.human_named(&space, "h").await.member());
        let mut line = Line::new(&space, &[agent.clone(), human.clone()]);
        let asked = line.asks(&agent, "approval");
        line.save(&store).await;
        line.at = NOW.plus_seconds(1);
        let first = line.push_blocks(&agent, asked.id, "one");
        line.session.title = Some("Named".to_owned());
        line.append(Change::SessionUpdated(SessionPatch::default()), &agent.actor());
        line.at = NOW.plus_seconds(2);
        let answer = line.answer(&human, asked.id, "!");
        line.at = NOW.plus_seconds(3);
        let taken = line.acknowledge(&agent, asked.id);
        line.push_blocks(&agent, asked.id, "two");
        line.save(&store).await;

        let scope = Scope::Space(space.id);
        let read = async |at| store.interaction(scope, line.id(), at).await.expect("the store").expect("there");
        let now = read(Moment::Now).await;
        assert_eq!((now.id, now.session_id, now.message_id), (line.id(), line.id(), asked.id));
        assert_eq!((now.kind.as_str(), now.title.as_deref(), now.status), ("approval", Some("Named"), MessageStatus::Completed));
        assert_eq!((now.agent_id, now.created_at, now.updated_at), (Some(AgentId(agent.id.0)), NOW, line.at));
        assert_eq!((now.acknowledged_at, now.blocks.len()), (Some(line.at), 2));
        assert_eq!(now.response.as_ref().map(|response| response.message_id), Some(answer.id));
        assert_eq!(json!(read(Moment::Seq(line.session.last_seq)).await), json!(now));
        let acknowledged = read(Moment::Seq(taken)).await;
        assert_eq!((acknowledged.acknowledged_at, acknowledged.blocks.len()), (Some(line.at), 1));
        let settled = read(Moment::Settled).await;
        assert_eq!((settled.acknowledged_at, settled.status), (None, MessageStatus::Completed));
        assert_eq!((settled.updated_at, settled.response.is_some()), (NOW.plus_seconds(2), true));
        let before = read(Moment::Seq(first)).await;
        assert_eq!((before.status, before.title.as_deref()), (MessageStatus::Pending, None));
        assert_eq!((before.updated_at, before.blocks.len()), (NOW.plus_seconds(1), 1));
        assert!(before.response.is_none());
        assert_eq!(read(Moment::Seq(2)).await.blocks.len(), 0);

        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let state = tx.interaction(line.id()).await.expect("the store").expect("there");
        assert_eq!((state.message, state.blocks), (asked.id, 2));
        let taken = tx.message_states(&[(line.id(), asked.id)]).await.expect("the store");
        assert_eq!((taken[0].status, taken[0].acknowledged_at), (MessageStatus::Completed, Some(line.at)));
        let mut bytes = 0;
        for seq in [first, line.session.last_seq] {
            let one = store.events_after(scope, line.id(), seq - 1, 1, 1).await.expect("the store").expect("there");
            bytes += one.events[0].text.len();
        }
        assert_eq!(state.block_bytes, i64::try_from(bytes).expect("few"));
        assert_eq!(tx.interaction(SessionId::new()).await.expect("the store"), None);
        // Its outcome is taken once.
        let again = Acknowledged { session: line.id(), message: asked.id, seq: 99, at: NOW };
        let again = WriteSet { acknowledged: vec![again], ..WriteSet::default() };
        assert!(tx.apply(again).await.is_err());
    }

    async fn pruning_goes_in_pieces_and_passes_over_what_others_hold(store: Empty) {
        let database = sql::Database::open(&store.url).await;
        let (many, id) = database.many(1_203);
        let old = NOW.0 - 1;
        database.execute(&format!("{many} INSERT INTO revocations (id, subject, at) SELECT {id}, {id}, {old} FROM n")).await;
        let mut tx = None;
        if let sql::Database::Postgres(pool) = &database {
            let mut held = pool.begin().await.expect("a transaction");
            sqlx::query("SELECT id FROM revocations LIMIT 3 FOR UPDATE").execute(&mut *held).await.expect("the rows");
            tx = Some(held);
        }
        let held = if tx.is_some() { 3 } else { 0 };
        let mut pieces = Vec::new();
        while pieces.last().is_none_or(|gone| *gone == 500) {
            pieces.push(store.prune(Passing::Revocations, NOW, 500).await.expect("the store"));
        }
        assert_eq!(pieces, [500, 500, 203 - held]);
        drop(tx);
    }

    async fn a_store_that_takes_writes_says_so_and_leaves_nothing_behind_of_the_asking(store: Empty) {
        assert!(!store.writes_fail());
        let breaks = store.broken_connections();
        store.try_write().await.expect("the store");
        store.try_write().await.expect("the store");
        assert!(!store.writes_fail());
        assert_eq!(store.broken_connections(), breaks);
    }

    async fn sessions_that_another_transaction_holds_are_told_from_the_others(store: Empty) {
        let space = store.space("one").await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            let mut line = Line::new(&space, &[]);
            line.save(&store).await;
            ids.push(line.id());
        }
        ids.push(SessionId::new());
        assert!(store.held_elsewhere(&ids).await.expect("the store").is_empty());
        if store.url.starts_with("sqlite:") {
            return;
        }
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let named = Named { sessions: vec![(space.id, ids[1])], ..Named::default() };
        tx.load(&named, NOW).await.expect("the store");
        assert_eq!(store.held_elsewhere(&ids).await.expect("the store"), HashSet::from([ids[1]]));
        drop(tx);
        eventually("it to be let go", async || {
            store.held_elsewhere(&ids).await.expect("the store").is_empty().then_some(())
        })
        .await;
    }

    async fn a_head_says_where_a_timeline_stands(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut line = Line::new(&space, &[agent.member()]);
        line.post(&agent.member(), "x", None);
        line.save(&store).await;
        let at = line.session.updated_at;
        let head = Head { space: space.id, last_seq: 2, first_seq: 1, at };
        let scope = Scope::Space(space.id);
        assert_eq!(store.head(scope, line.id()).await.expect("the store"), Some(head));
        let standing = store.standing(scope, line.id(), agent.id.into()).await.expect("the store").expect("in scope");
        let own = store.participants(scope, line.id(), page(1, 1)).await.expect("the store").expect("in scope").data;
        assert_eq!((standing.head, standing.participant), (head, Some(own[0].id)));
        assert!(!standing.is_crowd);
        let mut people = Vec::new();
        for number in 0..21 {
            people.push(store.human_named(&space, &format!("h{number}")).await.member());
        }
        people.push(agent.member());
        for (count, is_crowd) in [(20, false), (21, true)] {
            let mut line = Line::new(&space, &people[21 - count..]);
            line.save(&store).await;
            let standing = store.standing(scope, line.id(), agent.id.into()).await.expect("the store");
            assert_eq!(standing.expect("in scope").is_crowd, is_crowd, "{count} people and an agent");
        }
        let other = store.standing(scope, line.id(), PrincipalId(Uuid::now_v7())).await.expect("the store");
        assert_eq!(other.expect("in scope").participant, None);
    }

    async fn what_people_say_is_found_after_what_the_agent_said(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let (agent, human) = (store.agent_named(&space, "a").await.member(), store.human_named(&space, "h").await.member());
        let mut line = Line::new(&space, &[agent.clone(), human.clone()]);
        let (guest, _) = line.invite("g", "token");
        line.save(&store).await;
        let scope = Scope::Space(space.id);
        let first = async |after| store.first_said(scope, line.id(), after).await.expect("the store").expect("there");
        assert_eq!(store.last_said_by(scope, line.id(), agent.id).await.expect("the store"), Some(0));
        assert_eq!((first(0).await.head.last_seq, first(0).await.message), (2, None));
        line.post(&agent, "a", None);
        let by_human = line.post(&human, "h", None);
        let own = line.post(&agent, "a", None);
        let by_guest = line.post(&guest, "g", None);
        line.save(&store).await;
        let first = async |after| store.first_said(scope, line.id(), after).await.expect("the store").expect("there");
        assert_eq!(store.last_said_by(scope, line.id(), agent.id).await.expect("the store"), Some(own.seq));
        assert_eq!(first(0).await.message, Some(by_human.id));
        assert_eq!(first(by_human.seq).await.message, Some(by_guest.id));
        assert_eq!(first(by_guest.seq).await.message, None);
        assert_eq!(first(0).await.head.last_seq, 6);
        for elsewhere in [Scope::Space(other.id), Scope::Member(space.id, PrincipalId(Uuid::now_v7()))] {
            assert!(store.first_said(elsewhere, line.id(), 0).await.expect("the store").is_none());
            assert!(store.last_said_by(elsewhere, line.id(), agent.id).await.expect("the store").is_none());
        }
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let guests = tx.participant_names(line.id(), false).await.expect("the store");
        assert!(matches!(&guests[..], [taken] if taken.kind == ParticipantType::Guest && taken.name == "g"), "{guests:?}");
        assert_eq!(tx.participant_names(line.id(), true).await.expect("the store").len(), 3);
        // Who may be named as one who answers, and how they take part.
        let named = [agent.id, human.id, guest.id, PrincipalId(Uuid::now_v7())].map(|who| (line.id(), who));
        let ids = vec![line.id(), SessionId::new()];
        let named = Named { answerers: named.to_vec(), members: named.to_vec(), new_sessions: ids, ..Named::default() };
        let loaded = tx.load(&named, NOW).await.expect("the store");
        let answerers: HashSet<_> = loaded.answerers.into_iter().map(|(_, who)| who).collect();
        assert_eq!(answerers, HashSet::from([human.id, guest.id]));
        assert_eq!((loaded.members.len(), loaded.taken), (3, vec![line.id()]));
    }

    async fn settled_questions_wait_until_they_are_acknowledged(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let (agent, second) = (store.agent_named(&space, "a").await, store.agent_named(&space, "b").await);
        let human = store.human_named(&space, "h").await.member();
        let mut line = Line::new(&space, &[agent.member(), human.clone()]);
        let ids: Vec<_> = (0..4).map(|_| line.post(&agent.member(), "?", Some(PLAIN_ASK)).id).collect();
        let foreign = line.post(&second.member(), "?", Some(PLAIN_ASK)).id;
        line.post(&agent.member(), "no question", None);
        // In the order in which they settle, not in that in which they were asked.
        for (index, asked) in [ids[2], ids[0], ids[1], foreign].into_iter().enumerate() {
            line.at = NOW.plus_seconds(i64::try_from(index).expect("few"));
            line.answer(&human, asked, "yes");
        }
        line.save(&store).await;
        let scope = Scope::Space(space.id);
        let open = async |scope, number| {
            store.unacknowledged(scope, agent.id, page(number, 2)).await.expect("the store")
        };
        assert_eq!(open(scope, 1).await.total, 3);
        assert_eq!(open(scope, 1).await.data, [(line.id(), ids[2]), (line.id(), ids[0])]);
        assert_eq!(open(Scope::Member(space.id, agent.id.into()), 2).await.data, [(line.id(), ids[1])]);
        assert_eq!(open(Scope::Member(space.id, second.id.into()), 1).await.total, 0, "they take no part");
        assert_eq!(open(Scope::Space(other.id), 1).await.total, 0);

        let asked = [(line.id(), ids[2]), (line.id(), MessageId::new()), (line.id(), ids[0])];
        let found = store.messages_of(scope, &asked, 1_000_000).await.expect("the store");
        assert_eq!((found.count, found.data.iter().map(|message| message.id).collect::<Vec<_>>()), (3, vec![ids[2], ids[0]]));
        assert_eq!(found.data[0].outcome, Some(AnswerOutcome::Approved));
        assert_eq!(store.messages_of(scope, &asked, 1).await.expect("the store").count, 1, "by their size");
        assert!(store.messages_of(Scope::Space(other.id), &asked, 1).await.expect("the store").data.is_empty());

        line.acknowledge(&agent.member(), ids[0]);
        line.save(&store).await;
        assert_eq!(open(scope, 1).await.data, [(line.id(), ids[2]), (line.id(), ids[1])]);
    }

    async fn an_outlook_says_how_a_message_stands_on_its_timeline(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await.member();
        let mut line = Line::new(&space, std::slice::from_ref(&agent));
        let asked = line.post(&agent, "?", Some(PLAIN_ASK));
        let plain = line.post(&agent, "no question", None);
        line.save(&store).await;
        let outlook = async |id| {
            let found = store.outlook(Scope::Space(space.id), line.id(), id).await.expect("the store");
            found.map(|outlook| (outlook.status, outlook.head))
        };
        let at = line.session.updated_at;
        let head = Head { space: space.id, last_seq: 3, first_seq: 1, at };
        assert_eq!(outlook(asked.id).await, Some((MessageStatus::Pending, head)));
        assert_eq!(outlook(plain.id).await, Some((MessageStatus::Completed, head)));
        assert_eq!(outlook(MessageId::new()).await, None);
        line.cancel(&agent, asked.id);
        line.save(&store).await;
        let found = store.outlook(Scope::Space(space.id), line.id(), asked.id).await.expect("the store").expect("there");
        assert_eq!((found.status, found.head.last_seq), (MessageStatus::Cancelled, 4));
    }

    async fn events_come_in_order_and_no_more_than_asked(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut line = Line::new(&space, &[agent.member()]);
        for index in 0..9 {
            line.post(&agent.member(), &format!("{index}"), None);
        }
        line.save(&store).await;
        let scope = Scope::Space(space.id);
        let after = async |after, limit, bytes| -> Vec<i64> {
            let found = store.events_after(scope, line.id(), after, limit, bytes).await.expect("the store");
            let found = found.expect("in scope");
            assert_eq!(found.head.last_seq, 10);
            found.events.iter().map(|event| event.seq).collect()
        };
        assert_eq!(after(0, 100, i64::MAX).await, (1..=10).collect::<Vec<_>>());
        assert_eq!(after(-5, 2, i64::MAX).await, [1, 2]);
        assert_eq!(after(4, 3, i64::MAX).await, [5, 6, 7]);
        assert_eq!(after(9, 100, i64::MAX).await, [10]);
        assert!(after(10, 100, i64::MAX).await.is_empty());
        assert!(after(i64::MAX, 100, i64::MAX).await.is_empty());
        // One event always comes, so that a large one blocks nobody; then no more once the bytes are passed.
        assert_eq!(after(0, 100, 1).await, [1]);
        let all = store.events_after(scope, line.id(), 0, 100, i64::MAX).await.expect("the store").expect("in scope");
        let two = i64::try_from(all.events[0].text.len() + all.events[1].text.len()).expect("small");
        assert_eq!(after(0, 100, two).await, [1, 2]);
        assert_eq!(after(0, 100, two + 1).await, [1, 2, 3]);
    }

    async fn an_event_comes_back_byte_for_byte(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let mut line = Line::new(&space, &[agent.member()]);
        let participant = line.add(&human.member(), None);
        // Escapes as JSON writes them, NUL included, which PostgreSQL's text does not hold.
        let asked = line.post(&agent.member(), "\u{0}\u{1}\u{7f}\u{2028}é😀\"\\/", Some(PLAIN_ASK));
        line.cancel(&agent.member(), asked.id);
        line.append(Change::ParticipantRemoved(participant), &Actor::system());
        let written = line.writes.events.clone();
        assert!(written[2].text.contains(r"\u0000"), "{}", written[2].text);
        line.save(&store).await;
        let scope = Scope::Space(space.id);
        let read = store.events_after(scope, line.id(), 0, 10, i64::MAX).await.expect("the store").expect("in scope");
        assert_eq!(read.events.len(), written.len());
        for (read, written) in read.events.iter().zip(&written) {
            assert_eq!((read.space, read.session, read.seq), (written.space, written.session, written.seq));
            assert_eq!((read.kind, read.at, read.pending), (written.kind, written.at, written.pending));
            assert_eq!((read.settles, read.removes), (written.settles, written.removes));
            assert_eq!(read.text, written.text);
        }
        assert_eq!(read.events[3].settles, Some(asked.id));
        assert_eq!(read.events[4].removes, Some(human.id.into()));
        let message = store.message(scope, line.id(), asked.id).await.expect("the store").expect("there");
        let envelope: Value = serde_json::from_str(message.encrypted_content.expect("content").as_str()).expect("json");
        assert_eq!(envelope["ciphertext"], "\u{0}\u{1}\u{7f}\u{2028}é😀\"\\/");
    }

    async fn what_retention_took_is_not_asked_for(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut line = Line::new(&space, &[agent.member()]);
        for _ in 0..9 {
            line.post(&agent.member(), "x", None);
        }
        // As after a retention that has kept 6 to 10.
        line.session.first_seq = 6;
        line.writes.events.retain(|event| event.seq >= 6);
        line.writes.new_messages.retain(|(message, _)| message.seq >= 6);
        line.save(&store).await;
        let scope = Scope::Space(space.id);
        for after in [0, 3, 5] {
            let found = store.events_after(scope, line.id(), after, 2, i64::MAX).await.expect("the store");
            let found = found.expect("in scope");
            assert_eq!(found.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [6, 7], "after {after}");
            assert_eq!(found.head.first_seq, 6);
        }
    }

    async fn many_rows_go_and_come_in_one_batch(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let members = [agent.member(), human.member()];
        // 203 = 64 + 64 + 64 + 8 + 2 + 1: every size of statement.
        let mut long = Line::new(&space, &members);
        for index in 0..203 {
            long.post(&agent.member(), &format!("{index}"), Some(PLAIN_ASK));
        }
        let mut lines: Vec<_> = (0..203).map(|_| Line::new(&space, &members)).collect();
        let mut together = long.take();
        for line in &mut lines {
            let writes = line.take();
            together.new_sessions.extend(writes.new_sessions);
            together.new_participants.extend(writes.new_participants);
            together.events.extend(writes.events);
        }
        let asked: Vec<_> = together.new_messages.iter().map(|(state, _)| state.id).collect();
        let tx = store.begin(LockWait::Long).await.expect("a transaction");
        tx.commit(together).await.expect("the store");

        let scope = Scope::Space(space.id);
        let found = store.events_after(scope, long.id(), 0, 1000, i64::MAX).await.expect("the store").expect("in scope");
        assert_eq!(found.events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=204).collect::<Vec<_>>());
        let last = store.messages_after(scope, long.id(), 200, 100, i64::MAX).await.expect("the store");
        let last = last.expect("in scope");
        assert_eq!((last.messages.iter().map(|message| message.id).collect::<Vec<_>>(), last.total), (asked[200..].to_vec(), 203));
        assert_eq!(store.sessions(scope, None, page(1, 1)).await.expect("the store").total, 204);

        // And changed, locked, looked up and settled the same way.
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let mut named: Vec<_> = lines.iter().map(|line| (space.id, line.id())).collect();
        named.reverse();
        let locked = tx.lock_sessions(&named).await.expect("the store");
        named.reverse();
        assert_eq!(locked.iter().map(|session| session.id).collect::<Vec<_>>(), lines.iter().map(Line::id).collect::<Vec<_>>());
        let mut pairs: Vec<_> = lines.iter().map(|line| (line.id(), agent.id.into())).collect();
        assert_eq!(tx.participations(&pairs).await.expect("the store").len(), 203);
        pairs.iter_mut().for_each(|(_, who)| *who = PrincipalId(Uuid::now_v7()));
        assert!(tx.participations(&pairs).await.expect("the store").is_empty());
        let states: Vec<_> = asked.iter().map(|id| (long.id(), *id)).collect();
        assert_eq!(tx.message_states(&states).await.expect("the store").len(), 203);
        let pending: Vec<_> = tx.pending_messages(long.id()).await.expect("the store").iter().map(|m| m.id).collect();
        assert_eq!(pending, asked);
        let mut together = WriteSet::default();
        for line in &mut lines {
            line.at = NOW.plus_seconds(7);
            line.append(Change::SessionClosed, &Actor::system());
            let writes = line.take();
            together.changed_sessions.extend(writes.changed_sessions);
            together.events.extend(writes.events);
        }
        let named = Named { sessions: named, members: pairs, messages: states, ..Named::default() };
        let all = tx.load(&named, NOW).await.expect("the store");
        assert_eq!((all.sessions.len(), all.members.len(), all.messages.len()), (203, 0, 203));
        for id in &asked {
            long.cancel(&agent.member(), *id);
        }
        let writes = long.take();
        together.changed_sessions.extend(writes.changed_sessions);
        together.events.extend(writes.events);
        together.settled.extend(writes.settled);
        tx.apply(together).await.expect("the store");
        assert!(tx.pending_messages(long.id()).await.expect("the store").is_empty());
        tx.commit(WriteSet::default()).await.expect("the store");
        let closed = store.sessions(scope, Some(SessionStatus::Closed), page(1, 100)).await.expect("the store");
        assert_eq!(closed.total, 203);
        let mut closed = closed.data.iter().map(|listed| &listed.session);
        assert!(closed.all(|session| session.closed_at == Some(NOW.plus_seconds(7)) && session.last_seq == 2));
    }

    async fn heads_of_many_timelines_come_in_one_call(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let mut together = WriteSet::default();
        let mut asked = Vec::new();
        for _ in 0..503 {
            let mut line = Line::new(&space, &[]);
            asked.push((space.id, line.id()));
            let writes = line.take();
            together.new_sessions.extend(writes.new_sessions);
            together.events.extend(writes.events);
        }
        let tx = store.begin(LockWait::Long).await.expect("a transaction");
        tx.commit(together).await.expect("the store");
        asked.push((space.id, SessionId::new()));
        let found = store.last_seqs(&asked).await.expect("the store");
        assert_eq!(found.len(), 503);
        assert!(found.iter().all(|(_, head)| head.last_seq == 1));
        assert!(store.last_seqs(&[]).await.expect("the store").is_empty());
        assert!(store.last_seqs(&[(other.id, asked[0].1)]).await.expect("the store").is_empty());
    }

    async fn a_session_that_ended_long_ago_goes_whole(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await.member();
        let mut lines = Vec::new();
        for closed in [true, true, false] {
            let mut line = Line::new(&space, &[&agent].map(Clone::clone));
            let (guest, _) = line.invite("g", &format!("token {}", lines.len()));
            for number in 0..5 {
                line.post(&agent, &format!("{number}"), None);
            }
            if closed {
                line.append(Change::SessionClosed, &Actor::system());
            }
            line.save(&store).await;
            lines.push((line.id(), guest));
        }
        let scope = Scope::Space(space.id);
        assert!(store.retire_session(NOW, NOW).await.expect("the store").is_none(), "not long enough ago");
        assert!(!store.sweep_retired(10).await.expect("the store"));
        let later = NOW.plus_seconds(3600);
        let mut gone = Vec::new();
        while let Some(retired) = store.retire_session(later, later).await.expect("the store") {
            assert_eq!((retired.space, retired.guests.len()), (space.id, 1));
            // Written down for nodes that nobody tells.
            let told = store.revoked_since(later).await.expect("the store");
            assert!(told.iter().any(|(_, subject)| *subject == retired.guests[0].0), "{told:?}");
            assert_eq!(told.len(), gone.len() + 1);
            gone.push(retired.session);
        }
        assert_eq!(gone.iter().collect::<HashSet<_>>(), lines[..2].iter().map(|(id, _)| id).collect());
        for (number, (id, _)) in lines.iter().enumerate() {
            let found = store.session(scope, *id).await.expect("the store").is_some();
            assert_eq!(found, number == 2);
            let token = hash(&format!("token {number}"));
            assert_eq!(store.guest_by_secret(&token).await.expect("the store").is_some(), number == 2);
        }
        // Two at a time; each step takes something, and then there is nothing left.
        let mut steps = 0;
        while store.sweep_retired(2).await.expect("the store") {
            steps += 1;
        }
        assert!((6..=12).contains(&steps), "{steps}");
        let page = store.events_after(scope, lines[2].0, 0, 100, i64::MAX).await.expect("the store").expect("in scope");
        assert_eq!(page.events.len(), 7);
    }

    async fn the_most_overdue_comes_first(store: Empty) {
        let (one, two) = (store.space("one").await, store.space("two").await);
        let agent = store.agent_named(&one, "a").await.member();
        let ask = |seconds| Some(Ask { priority: Priority::Low, deadline: Some(NOW.plus_seconds(seconds)) });
        let mut left = Line::new(&one, &[]);
        let third = left.post(&agent, "x", ask(0));
        let first = left.post(&agent, "x", ask(-9));
        left.post(&agent, "not yet", ask(1));
        left.post(&agent, "never", Some(PLAIN_ASK));
        left.post(&agent, "nothing asked", None);
        let settled = left.post(&agent, "settled", ask(-20));
        left.cancel(&agent, settled.id);
        left.save(&store).await;
        let mut right = Line::new(&two, &[]);
        let second = right.post(&agent, "x", ask(-5));
        right.save(&store).await;
        let due = |space: &Space, message: &Message| {
            DueMessage { space: space.id, session: message.session_id, message: message.id }
        };
        assert_eq!(store.pending_responses().await.expect("the store"), 5);
        let expected = [due(&one, &first), due(&two, &second), due(&one, &third)];
        assert_eq!(store.due_messages(NOW, 10).await.expect("the store"), expected);
        assert_eq!(store.due_messages(NOW, 2).await.expect("the store"), expected[..2]);
        assert_eq!(store.due_messages(NOW.plus_millis(-1), 10).await.expect("the store"), expected[..2]);
    }

    async fn a_transaction_reads_what_it_locks(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let mut line = Line::new(&space, &[agent.member()]);
        let added = line.add(&human.member(), None);
        let deadline = Some(NOW.plus_seconds(9));
        let asked = line.post(&agent.member(), "?", Some(Ask { priority: Priority::High, deadline }));
        line.save(&store).await;

        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        assert!(tx.lock_sessions(&[]).await.expect("the store").is_empty());
        let both = [(space.id, line.id()), (space.id, SessionId::new())];
        let locked = tx.lock_sessions(&both).await.expect("the store");
        assert_eq!((locked.len(), json!(locked[0])), (1, json!(line.session)));
        let pairs = [(line.id(), agent.id.into()), (line.id(), human.id.into()), (SessionId::new(), human.id.into())];
        let found: HashSet<_> = tx.participations(&pairs).await.expect("the store").into_iter().collect();
        assert_eq!(found, HashSet::from([pairs[0], pairs[1]]));
        let states = tx.message_states(&[(line.id(), asked.id), (line.id(), MessageId::new())]).await.expect("the store");
        assert_eq!(states.len(), 1);
        let state = &states[0];
        assert_eq!((state.id, state.session_id, state.seq), (asked.id, line.id(), 3));
        assert_eq!((state.sender, state.status, state.priority), (Some(agent.id.into()), MessageStatus::Pending, Priority::High));
        assert_eq!((state.response_required, state.deadline_at, state.in_reply_to), (true, deadline, None));
        assert!(state.settlement.is_none());
        let participant = tx.participant(line.id(), added.id).await.expect("the store").expect("there");
        assert_eq!((participant.human_id, participant.role.as_str()), (Some(human.id), "reviewer"));
        assert!(tx.participant(line.id(), ParticipantId::new()).await.expect("the store").is_none());
        assert!(tx.participant(SessionId::new(), added.id).await.expect("the store").is_none());
        let same = tx.participant_of(line.id(), human.id.into()).await.expect("the store").expect("there");
        assert_eq!(same.id, added.id);
        assert!(tx.participant_of(line.id(), PrincipalId(Uuid::now_v7())).await.expect("the store").is_none());
        // What it wrote it sees; others only once it has committed.
        let answer = line.answer(&human.member(), asked.id, "!");
        tx.apply(line.take()).await.expect("the store");
        let state = tx.message_states(&[(line.id(), asked.id)]).await.expect("the store").remove(0);
        let settlement = state.settlement.expect("settled");
        assert_eq!((state.status, settlement.seq, settlement.at), (MessageStatus::Completed, 5, NOW));
        assert_eq!(settlement.by, Responder::from(&human.member().actor()));
        assert_eq!(settlement.response, Some((answer.id, AnswerOutcome::Approved)));
        assert_eq!(store.head(Scope::Space(space.id), line.id()).await.expect("the store").expect("there").last_seq, 3);
        tx.commit(WriteSet::default()).await.expect("the store");
        assert_eq!(store.head(Scope::Space(space.id), line.id()).await.expect("the store").expect("there").last_seq, 5);
    }

    async fn a_message_settles_once(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await.member();
        let mut line = Line::new(&space, &[]);
        let asked = line.post(&agent, "?", Some(PLAIN_ASK));
        let plain = line.post(&agent, "no question", None);
        line.save(&store).await;
        line.cancel(&agent, asked.id);
        line.save(&store).await;
        let settlement = Settlement { seq: 9, at: NOW, by: (&agent.actor()).into(), response: None };
        for id in [asked.id, plain.id, MessageId::new()] {
            let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
            let settled = vec![(id, MessageStatus::Expired, settlement.clone())];
            let again = tx.apply(WriteSet { settled, ..WriteSet::default() }).await;
            assert!(again.is_err(), "a second settling of {id}");
        }
        let message = store.message(Scope::Space(space.id), line.id(), asked.id).await.expect("the store").expect("there");
        assert_eq!(message.status, MessageStatus::Cancelled);
        // Twice in one batch is as wrong.
        let fresh = line.post(&agent, "?", Some(PLAIN_ASK));
        line.save(&store).await;
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let twice = [MessageStatus::Cancelled, MessageStatus::Expired].map(|status| (fresh.id, status, settlement.clone()));
        assert!(tx.apply(WriteSet { settled: twice.to_vec(), ..WriteSet::default() }).await.is_err());
        drop(tx);
        let message = store.message(Scope::Space(space.id), line.id(), fresh.id).await.expect("the store").expect("there");
        assert_eq!(message.status, MessageStatus::Pending);
    }

    async fn a_place_on_a_timeline_is_taken_once(store: Empty) {
        let space = store.space("one").await;
        let mut line = Line::new(&space, &[]);
        line.save(&store).await;
        line.append(Change::SessionClosed, &Actor::system());
        let events = line.writes.events.clone();
        line.save(&store).await;
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let again = tx.apply(WriteSet { events, ..WriteSet::default() }).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }

    async fn a_dropped_transaction_never_was(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut kept = Line::new(&space, &[agent.member()]);
        kept.save(&store).await;
        // More often than there are connections, so that none of them stays behind.
        for _ in 0..20 {
            let mut line = Line::new(&space, &[agent.member()]);
            line.invite("g", &format!("token {}", line.id()));
            line.post(&agent.member(), "x", Some(Ask { priority: Priority::Low, deadline: Some(NOW) }));
            let reply = saved("s", "k", SavedReplyKind::Body("{}".to_owned()), NOW);
            line.writes.replies.push(reply);
            let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
            tx.lock_sessions(&[(space.id, kept.id())]).await.expect("the store");
            tx.apply(line.take()).await.expect("the store");
            drop(tx);
            let scope = Scope::Space(space.id);
            assert!(store.session(scope, line.id()).await.expect("the store").is_none());
            assert!(store.guest_by_secret(&hash(&format!("token {}", line.id()))).await.expect("the store").is_none());
        }
        assert!(store.due_messages(NOW, 10).await.expect("the store").is_empty());
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let none = tx.saved_replies(&[("s".to_owned(), "k".to_owned())], NOW.plus_seconds(-1)).await;
        assert!(none.expect("the store").is_empty());
    }

    async fn saved_replies_are_kept_for_a_time(store: Empty) {
        let (session, message) = (SessionId::new(), MessageId::new());
        let kinds = [
            ("posted", SavedReplyKind::Posted(session, message)),
            ("settled", SavedReplyKind::Settled(session, message)),
            ("interaction", SavedReplyKind::Interaction(session, 7)),
            ("body", SavedReplyKind::Body("{\"a\":\"\\u0000é\"}".to_owned())),
        ];
        let replies: Vec<_> = kinds.iter().map(|(key, kind)| saved("scope", key, kind.clone(), NOW)).collect();
        let tx = store.begin(LockWait::Long).await.expect("a transaction");
        tx.commit(WriteSet { replies, ..WriteSet::default() }).await.expect("the store");
        let keys: Vec<_> = kinds.iter().map(|(key, _)| ("scope".to_owned(), (*key).to_owned())).collect();
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let found = tx.saved_replies(&keys, NOW).await.expect("the store");
        assert_eq!(found.len(), 4);
        for (key, kind) in &kinds {
            let reply = found.iter().find(|reply| reply.key == *key).expect("found");
            assert_eq!((reply.scope.as_str(), reply.key.as_str(), &reply.kind), ("scope", *key, kind));
            assert_eq!((reply.status, reply.created_at), (201, NOW));
            assert_eq!(reply.request_hash, hash(&format!("scope {key}")));
        }
        assert!(tx.saved_replies(&keys, NOW.plus_millis(1)).await.expect("the store").is_empty());
        assert!(tx.saved_replies(&[], NOW).await.expect("the store").is_empty());
        let elsewhere = [("other".to_owned(), "body".to_owned()), ("scope".to_owned(), "none".to_owned())];
        assert!(tx.saved_replies(&elsewhere, NOW).await.expect("the store").is_empty());
        // One whose time is over gives way to a new one under the same key.
        let next = saved("scope", "body", SavedReplyKind::Body("[]".to_owned()), NOW.plus_millis(SavedReply::KEPT_MILLIS + 1));
        tx.apply(WriteSet { replies: vec![next], ..WriteSet::default() }).await.expect("the store");
        let found = tx.saved_replies(&keys, NOW.plus_seconds(50)).await.expect("the store");
        assert_eq!((found.len(), &found[0].kind), (1, &SavedReplyKind::Body("[]".to_owned())));
        tx.commit(WriteSet::default()).await.expect("the store");

        // Many at once: one that is kept already is noticed among them, wherever it stands, and one that is too old is
        // none.
        let late = NOW.plus_millis(SavedReply::KEPT_MILLIS + 2);
        let many = |prefix: &str| -> Vec<_> {
            (0..203).map(|number| saved("scope", &format!("{prefix} {number:03}"), kinds[0].1.clone(), late)).collect()
        };
        for (prefix, taken, raced) in [("a", "body", true), ("b", "posted", false)] {
            let mut replies = many(prefix);
            replies.insert(101, saved("scope", taken, kinds[0].1.clone(), late));
            let keys: Vec<_> = replies.iter().map(|reply| (reply.scope.clone(), reply.key.clone())).collect();
            let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
            let written = tx.apply(WriteSet { replies, ..WriteSet::default() }).await;
            assert_eq!(matches!(written, Err(StoreError::Raced)), raced, "{written:?}");
            if !raced {
                tx.commit(WriteSet::default()).await.expect("the store");
                let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
                let found: HashSet<_> =
                    tx.saved_replies(&keys, NOW).await.expect("the store").into_iter().map(|reply| reply.key).collect();
                assert_eq!(found, keys.into_iter().map(|(_, key)| key).collect());
            }
        }
    }

    async fn transactions_on_one_session_come_one_after_the_other(store: Empty) {
        const WRITERS: i64 = 8;
        const ROUNDS: i64 = 8;
        let space = store.space("one").await;
        let mut lines = [Line::new(&space, &[]), Line::new(&space, &[])];
        for line in &mut lines {
            line.save(&store).await;
        }
        let ids = lines.map(|line| (space.id, line.id()));
        // Each reads under its lock and writes one more; were any two of them inside at once, one count would be
        // lost. Half of them name the sessions the other way round, which must not make them wait for each other.
        let writers = (0..WRITERS).map(|writer| {
            let store = Arc::clone(&store.store);
            let named = if writer % 2 == 0 { ids } else { [ids[1], ids[0]] };
            tokio::spawn(async move {
                for _ in 0..ROUNDS {
                    let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
                    let mut sessions = tx.lock_sessions(&named).await.expect("the store");
                    assert_eq!(sessions.len(), 2);
                    sessions.iter_mut().for_each(|session| session.last_seq += 1);
                    let writes = WriteSet { changed_sessions: sessions, ..WriteSet::default() };
                    tx.apply(writes).await.expect("the store");
                    tx.commit(WriteSet::default()).await.expect("the store");
                }
            })
        });
        for writer in join_all(writers).await {
            writer.expect("no panic");
        }
        for (_, head) in store.last_seqs(&ids).await.expect("the store") {
            assert_eq!(head.last_seq, 1 + WRITERS * ROUNDS);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_nodes_may_start_on_an_empty_postgres_at_once() {
    let url = postgres::new_database();
    let database = at(&url);
    let stores = join_all((0..4).map(|_| open(&database))).await;
    for store in stores {
        store.expect("the store opens").ping().await.expect("it answers");
    }
}

#[tokio::test]
async fn a_url_of_no_known_engine_is_refused() {
    for url in ["mysql://localhost/x", "hub.db", ""] {
        let error = open(&at(url)).await.err().expect("refused");
        assert!(error.to_string().starts_with("DATABASE_URL"), "{error}");
    }
}

/// What this suite runs. A new method of the traits belongs here together with its test.
const COVERED: &[&str] = &[
    // Directory
    "begin_directory",
    "ensure_space",
    "space_by_name",
    "spaces",
    "deactivate_space",
    "ensure_agent",
    "agent",
    "agent_by_name",
    "agents",
    "deactivate_agent",
    "create_human",
    "human",
    "human_by_address",
    "humans_by_address",
    "human_in_space",
    "members_named",
    "humans",
    "all_humans",
    "deactivate_human",
    "create_key",
    // PublicKeys
    "current_key",
    "put_key",
    "attest_key",
    "session_keys",
    "announcements",
    "sessions_to_tell",
    "note_told",
    "rest_announcement",
    "end_announcement",
    "key_backup",
    "set_key_backup",
    "delete_key_backup",
    // DirectoryTx
    "count_agents",
    "count_humans",
    "hold_key",
    "claim_reply",
    "add_setup_token",
    "void_setup_tokens",
    "free_address",
    "audit",
    // Credentials
    "setting",
    "setting_or",
    "revoked_since",
    "guest_by_secret",
    "guests",
    "guest",
    // SignIns
    "add_sign_in",
    "rotate_refresh_token",
    "sign_ins",
    "has_sign_in",
    "end_sign_in",
    "end_sign_in_of",
    "end_all_sign_ins",
    "change_password",
    "human_of_setup_token",
    "choose_password",
    // ApiKeys
    "key_by_secret",
    "keys",
    "revoke_key",
    "note_uses",
    // ExternalIdentities
    "external_identity",
    "add_external_identity",
    "move_external_identity",
    "verify_address",
    "former_humans",
    // Sessions
    "session",
    "sessions",
    "sessions_of",
    "feed",
    "unlisted",
    "list_sessions",
    "participants",
    "member_ids",
    "space_bytes",
    "count_session_bytes",
    "mark_read",
    // Timelines
    "messages_after",
    "last_messages",
    "message",
    "head",
    "standing",
    "outlook",
    "events_after",
    "last_older",
    "last_seqs",
    "active_since",
    "due_messages",
    // Interactions
    "interaction_message",
    "interaction",
    "interactions",
    "interactions_of",
    // Retention
    "retire_session",
    "sweep_retired",
    // AuditLog
    "add_audit_entries",
    "audit_entries",
    "prune_audit",
    // Store
    "ping",
    "writes_fail",
    "try_write",
    "broken_connections",
    "held_elsewhere",
    "time",
    "pending_responses",
    "prune",
    "shrink_log",
    "begin",
    "close",
    "writers",
    // WriteTx
    "load",
    "pending_messages",
    "participant",
    "participant_of",
    "told_key",
    "count_guests",
    "apply",
    "commit",
    "first_said",
    "last_said_by",
    "messages_of",
    "participant_names",
    "unacknowledged",
];

#[test]
fn every_method_of_the_store_is_covered() {
    let declared: Vec<&str> = concat!(
        include_str!("../../src/store/mod.rs"),
        include_str!("../../src/store/traits/api_keys.rs"),
        include_str!("../../src/store/traits/audit_log.rs"),
        include_str!("../../src/store/traits/credentials.rs"),
        include_str!("../../src/store/traits/directory.rs"),
        include_str!("../../src/store/traits/interactions.rs"),
        include_str!("../../src/store/traits/external_identities.rs"),
        include_str!("../../src/store/traits/public_keys.rs"),
        include_str!("../../src/store/traits/retention.rs"),
        include_str!("../../src/store/traits/sessions.rs"),
        include_str!("../../src/store/traits/sign_ins.rs"),
        include_str!("../../src/store/traits/timelines.rs"),
        include_str!("../../src/store/traits/write.rs"),
    )
    .lines()
    .filter_map(|line| line.strip_prefix("    async fn ").or_else(|| line.strip_prefix("    fn ")))
    .filter_map(|rest| rest.split('(').next())
    .collect();
    assert!(declared.len() > 50, "the traits were read: {declared:?}");
    let (declared, covered): (BTreeSet<_>, BTreeSet<_>) =
        (declared.into_iter().collect(), COVERED.iter().copied().collect());
    assert_eq!(declared.difference(&covered).collect::<Vec<_>>(), Vec::<&&str>::new(), "methods without a test");
    assert_eq!(covered.difference(&declared).collect::<Vec<_>>(), Vec::<&&str>::new(), "methods that are no more");
    let suite = concat!(include_str!("store.rs"), include_str!("store/lists.rs"), include_str!("store/public_keys.rs"));
    for method in COVERED {
        assert!(suite.contains(&format!(".{method}(")), "{method} is listed but not called");
    }
}

/// A store whose database goes away says that it is out of reach, and works again when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_comes_back_is_used_again() {
    let mut server = Postgres::start();
    let store = open(&at(&server.new_database())).await.expect("the store opens");
    store.ensure_space("one", NOW).await.expect("the store");
    for crash in [false, true] {
        if crash {
            server.crash();
        } else {
            server.stop();
        }
        store.ping().await.expect_err("nobody answers");
        server.revive();
        eventually("the store answers", async || store.ping().await.ok()).await;
        assert!(store.space_by_name("one").await.expect("the store").is_some());
    }
}

/// A node takes as many connections as it was given and no more, and gives up a row that somebody else won't let go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_connections_and_waiting_have_limits() {
    let url = postgres::new_database();
    let database = Database { url: url.clone(), connections: 3 };
    let store = open(&database).await.expect("the store opens");
    let operator = sql::Database::open(&url).await;
    let sql::Database::Postgres(pool) = &operator else { panic!("{url}") };
    let count =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hiloop'";
    assert!((1..=3).contains(&operator.number(count).await));

    // All three wait for a lock, and a fourth for one of them.
    let mut lock = pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE spaces").execute(&mut *lock).await.expect("the lock");
    let waiting = join_all((0..4).map(|_| store.space_by_name("one")));
    let full = eventually("three connections to wait", async || {
        (operator.number(&format!("{count} AND wait_event_type = 'Lock'")).await == 3).then_some(())
    });
    let (answers, ()) = tokio::join!(waiting, full);
    // Three have waited for the lock, the fourth for one of them, or for the lock after that.
    let busy = answers.iter().filter(|answer| matches!(answer, Err(StoreError::Busy(_)))).count();
    let unavailable = answers.iter().filter(|answer| matches!(answer, Err(StoreError::Unavailable(_)))).count();
    assert!(busy >= 3 && busy + unavailable == 4, "{answers:?}");
    assert_eq!(operator.number(count).await, 3);
    lock.rollback().await.expect("the lock goes");
    assert!(store.space_by_name("one").await.expect("the store").is_none());
}

/// As after a failover: the connections of before lead to a server that takes no writes any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_a_demoted_postgres_are_given_up() {
    let url = postgres::new_database();
    let store = open(&at(&url)).await.expect("the store opens");
    let operator = sql::Database::open(&url).await;
    let name = url.split(['/', '?']).nth(3).expect("a name");
    let terminate = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
                     WHERE datname = current_database() AND application_name = 'hiloop'";
    operator.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    operator.number(terminate).await;
    // Connections that are made now take no writes, as long as they live; reading works.
    let read_only = async || store.ensure_space("one", NOW).await.err().map(|error| error.to_string());
    eventually("writes to be refused", async || read_only().await.filter(|text| text.contains("read-only"))).await;
    let idle = join_all((0..8).map(|_| store.space_by_name("one"))).await;
    assert!(idle.iter().all(Result::is_ok), "{idle:?}");
    // Also on a connection that the operator's own pool has made meanwhile.
    operator
        .execute(&format!("BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT"))
        .await;

    assert!(matches!(store.ensure_space("one", NOW).await, Ok(_) | Err(StoreError::Unavailable(_))));
    // One such refusal is enough: every connection of before it is given up, also by those who only read.
    for _ in 0..20 {
        let written = join_all((0..4).map(|_| store.ensure_space("one", NOW))).await;
        assert!(written.iter().all(Result::is_ok), "{written:?}");
    }
}

/// A server that is gone without a word, as one whose machine lost its power: nobody ever hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_postgres_is_given_up() {
    let url = postgres::new_database();
    let space = open(&at(&url)).await.expect("the store opens").ensure_space("one", NOW).await;
    let space = space.expect("the store").expect("active").0;
    let relay = Hush::to(&url);
    let store = open_with(&at(&relay.url), Duration::from_secs(1)).await.expect("the store opens");
    // On a busy machine the server may take longer than that before it is silent, too.
    let mut tx = eventually("a transaction", async || store.begin(LockWait::Long).await.ok()).await;
    relay.hush(true);
    let since = Stopwatch::start();
    let pair = [(space.id, SessionId::new())];
    assert!(matches!(tx.lock_sessions(&pair).await, Err(StoreError::Unavailable(_))));
    drop(tx);
    // Many who wait at the same time, more than there are connections.
    let answers = join_all((0..40).map(|_| store.space_by_name("one"))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(StoreError::Unavailable(_)))), "{answers:?}");
    assert!(since.elapsed() < PATIENCE, "{:?}", since.elapsed());
    // Those whom nobody waited for any more hold no connection either: all are new.
    relay.hush(false);
    eventually("the store answers", async || store.ping().await.ok()).await;
    let unheard = relay.unheard();
    eventually("each of many to be answered", async || {
        let answers = join_all((0..40).map(|_| store.space_by_name("one"))).await;
        answers.iter().all(|answer| matches!(answer, Ok(Some(_)))).then_some(())
    })
    .await;
    assert_eq!(relay.unheard(), unheard);
}

/// PostgreSQL's clock is every node's; SQLite has none but the machine's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_tells_the_time() {
    let url = postgres::new_database();
    let store = open(&at(&url)).await.expect("the store opens");
    let (before, time, after) = (SystemClock.now(), store.time().await.expect("the store"), SystemClock.now());
    let time = time.expect("a time");
    // Both are rounded to a millisecond.
    assert!(before.0 - 1 <= time.0 && time.0 <= after.0 + 1, "{before:?} {time:?} {after:?}");
    assert_eq!(Empty::open(Engine::Sqlite).await.store.time().await.expect("the store"), None);
}

/// A reader that somebody has forgotten makes SQLite's log grow; once it has gone, the log is small again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_sqlite_is_small_again_after_a_forgotten_reader_has_gone() {
    let store = Empty::open(Engine::Sqlite).await;
    let log = format!("{}-wal", store.url.trim_start_matches("sqlite://"));
    let size = || std::fs::metadata(&log).expect("the log").len();
    let (reader, writer) = (sql::Database::open(&store.url).await, sql::Database::open(&store.url).await);
    let sql::Database::Sqlite(reader) = &reader else { panic!("SQLite") };
    let mut forgotten = reader.begin().await.expect("a transaction");
    sqlx::query("SELECT COUNT(*) FROM settings").execute(&mut *forgotten).await.expect("it reads");
    writer.execute("CREATE TABLE ballast (body BLOB)").await;
    for _ in 0..50 {
        writer.execute("INSERT INTO ballast (body) VALUES (randomblob(1000000))").await;
    }
    assert!(size() > 40 << 20, "{}", size());
    // Nobody waits for the reader.
    store.shrink_log().await.expect("the store");
    store.ensure_space("one", NOW).await.expect("the store");
    assert!(size() > 40 << 20, "{}", size());
    drop(forgotten);
    eventually("the log to be small", async || {
        store.shrink_log().await.expect("the store");
        (size() <= 32 << 20).then_some(())
    })
    .await;
    store.ensure_space("two", NOW).await.expect("the store");
}
