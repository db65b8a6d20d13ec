//! Two nodes over one store, with a broker between them that drops, repeats and reorders messages.

use crate::support::hub::{Engine, Hub, at_agent, config, text};
use crate::support::{Client, Socket, Stopwatch, seed};
use futures::future::join_all;
use hiloop::broker::{Broker, Signal};
use hiloop::clock::{ShiftedClock, SystemClock};
use hiloop::domain::{EventHint, EventType, SessionId, SpaceId, Timestamp};
use hiloop::server::{Server, start_with};
use hiloop::testing::Hub as LiveHub;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Delivers signals to the other node, or drops, repeats or delays them.
struct FaultyBroker {
    other: OnceLock<Arc<LiveHub>>,
    state: Mutex<(StdRng, Vec<Signal>)>,
}

impl FaultyBroker {
    fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { other: OnceLock::new(), state: Mutex::new((StdRng::seed_from_u64(seed), Vec::new())) })
    }
}

impl Broker for FaultyBroker {
    fn publish(&self, signal: Signal) {
        let Some(other) = self.other.get() else { return };
        let mut due = Vec::new();
        {
            let (random, held) = &mut *self.state.lock().expect("no panic");
            held.push(signal);
            // Some of the delayed signals are delivered now, in random order; some are dropped, some are repeated later.
            while held.len() > random.gen_range(0..6) {
                let index = random.gen_range(0..held.len());
                let signal = held.swap_remove(index);
                match random.gen_range(0..10) {
                    0 | 1 => {}
                    2 => {
                        due.push(signal.clone());
                        held.push(signal);
                    }
                    _ => due.push(signal),
                }
            }
        }
        due.into_iter().for_each(|signal| other.accept(signal));
    }

    fn set_interest(&self, _: SessionId, _: bool) {}

    fn set_space_interest(&self, _: SpaceId, _: bool) {}

    fn is_lossless(&self) -> bool {
        false
    }
}

/// Delivers signals to the other node unless it is set to drop them.
#[derive(Default)]
struct LossyBroker {
    other: OnceLock<Arc<LiveHub>>,
    loses: AtomicBool,
}

impl Broker for LossyBroker {
    fn publish(&self, signal: Signal) {
        if let Some(other) = self.other.get().filter(|_| !self.loses.load(Ordering::SeqCst)) {
            other.accept(signal);
        }
    }

    fn set_interest(&self, _: SessionId, _: bool) {}

    fn set_space_interest(&self, _: SpaceId, _: bool) {}

    fn is_lossless(&self) -> bool {
        false
    }
}

/// A node whose signals to the other node can be dropped, with a clock that the test controls.
struct Speaker {
    maker: Hub,
    speaker: Server,
    listener: Server,
    broker: Arc<LossyBroker>,
    clock: Arc<ShiftedClock>,
}

impl Speaker {
    async fn start(engine: Engine) -> Self {
        let (maker, broker, clock) = (Hub::start(engine).await, Arc::<LossyBroker>::default(), ShiftedClock::new());
        let start = async |broker: Arc<LossyBroker>, clock: Arc<ShiftedClock>| {
            start_with(config(&maker.database_url, &[]), clock, broker).await.expect("the node starts")
        };
        let speaker = start(broker.clone(), clock.clone()).await;
        let listener = start(Arc::default(), ShiftedClock::new()).await;
        assert!(broker.other.set(listener.context.hub.clone()).is_ok());
        Self { maker, speaker, listener, broker, clock }
    }

    fn speaking(&self, client: &Client) -> Client {
        Client { base: format!("http://{}", self.speaker.address), ..client.clone() }
    }

    /// A feed of this client on the other node.
    async fn feed(&self, client: &Client) -> Socket {
        let client = Client { base: format!("http://{}", self.listener.address), ..client.clone() };
        let mut socket = Socket::open(&client).await;
        socket.ask(json!({ "type": "subscribe", "feed": true })).await;
        socket
    }
}

async fn newcomers(engine: Engine) {
    let nodes = Speaker::start(engine).await;
    let (agent, key) = (nodes.maker.agent("space").await, nodes.maker.agent("agent").await);
    let newcomer = key.get("/v1/agent/me").await.expect(200);
    let (mut everything, mut own) = (nodes.feed(&agent).await, nodes.feed(&key).await);
    let agent = nodes.speaking(&agent);
    let session = nodes.maker.session(&agent).await;
    write(&agent, &session, 1).await;
    // The other node has cached the participants by now.
    for seq in 1..=2 {
        assert_eq!(everything.find("feed").await["seq"], json!(seq));
    }
    nodes.broker.loses.store(true, Ordering::SeqCst);
    let body = json!({ "type": "Agent", "agentId": newcomer["id"] });
    agent.post(&at_agent(&session, "/participants"), body).await.expect(201);
    nodes.broker.loses.store(false, Ordering::SeqCst);
    write(&agent, &session, 1).await;
    for (seq, kind) in [(3, "participant.added"), (4, "message.created")] {
        let hint = own.find("feed").await;
        assert_eq!((&hint["sessionId"], &hint["seq"], &hint["event"]), (&json!(session), &json!(seq), &json!(kind)));
    }
}

/// The feed of an added participant gets the addition although the hint was lost and the participants were cached.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_delivers_an_addition_whose_hint_was_lost_on_sqlite() {
    newcomers(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_delivers_an_addition_whose_hint_was_lost_on_postgres() {
    newcomers(Engine::Postgres).await;
}

/// A commit that becomes visible half a minute after its timestamp, without a hint.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_delivers_a_commit_that_becomes_visible_late() {
    let nodes = Speaker::start(Engine::Sqlite).await;
    let agent = nodes.maker.agent("space").await;
    let mut feed = nodes.feed(&agent).await;
    let agent = nodes.speaking(&agent);
    let known = nodes.maker.session(&agent).await;
    assert_eq!(feed.find("feed").await["sessionId"], json!(known));
    nodes.broker.loses.store(true, Ordering::SeqCst);
    nodes.clock.advance(-40_000);
    write(&agent, &known, 1).await;
    let hint = feed.find("feed").await;
    assert_eq!((&hint["sessionId"], &hint["seq"]), (&json!(known), &json!(2)));
    let unknown = nodes.maker.session(&agent).await;
    write(&agent, &unknown, 1).await;
    for seq in 1..=2 {
        let hint = feed.find("feed").await;
        assert_eq!((&hint["sessionId"], &hint["seq"]), (&json!(unknown), &json!(seq)));
    }
    feed.expect_none("feed").await;
}

async fn write(client: &Client, session: &str, count: usize) {
    for number in 0..count {
        let body = json!({ "encryptedContent": format!("{number}") });
        client.post(&at_agent(session, "/messages"), body).await.expect(201);
    }
}

async fn read(client: &Client, session: &str, after: Option<i64>, last: i64) {
    let mut socket = Socket::open(client).await;
    let reply = socket.subscribe(session, after).await;
    let first = after.unwrap_or_else(|| reply["seq"].as_i64().expect("a seq")) + 1;
    for seq in first..=last {
        assert_eq!(socket.event().await["seq"], json!(seq));
    }
    socket.expect_none("event").await;
}

struct Pair {
    /// Created the store and the key that the nodes share.
    maker: Hub,
    nodes: Vec<Server>,
    /// The owner, at each node.
    clients: Vec<Client>,
}

impl Pair {
    async fn start(engine: Engine) -> Self {
        let seed = seed();
        let maker = Hub::start(engine).await;
        let brokers = [FaultyBroker::new(seed), FaultyBroker::new(seed ^ 1)];
        let mut nodes = Vec::new();
        for broker in &brokers {
            let broker: Arc<dyn Broker> = broker.clone();
            let config = config(&maker.database_url, &[]);
            nodes.push(start_with(config, Arc::new(SystemClock), broker).await.expect("the node starts"));
        }
        for (broker, other) in brokers.iter().zip([&nodes[1], &nodes[0]]) {
            assert!(broker.other.set(other.context.hub.clone()).is_ok());
        }
        let mut pair = Self { clients: Vec::new(), maker, nodes };
        pair.clients = (0..2).map(|node| pair.at(node, &pair.maker.owner)).collect();
        pair
    }

    /// The same client, at one of the nodes.
    fn at(&self, node: usize, client: &Client) -> Client {
        Client { base: format!("http://{}", self.nodes[node].address), ..client.clone() }
    }
}

async fn timelines(engine: Engine) {
    let pair = Pair::start(engine).await;
    let Pair { maker, nodes, clients } = &pair;
    let session = maker.session(&clients[0]).await;
    let last = 1 + 4 * 40;
    let readers = (0..8).map(|number| read(&clients[number % 2], &session, (number % 4 > 1).then_some(0), last));
    let writers = (0..4).map(|number| write(&clients[number % 2], &session, 40));
    tokio::join!(join_all(readers), join_all(writers));

    // A long-poll on one node ends with an answer on the other, even if the hint is lost.
    let human = pair.at(1, &maker.human().await);
    let agent = pair.at(0, &maker.agent("space").await);
    for _ in 0..5 {
        let session = maker.session(&agent).await;
        let question = json!({ "encryptedContent": "?", "responseRequired": true });
        let question = agent.post(&at_agent(&session, "/messages"), question).await.expect(201);
        let id = question["id"].as_str().expect("an id");
        let path = at_agent(&session, &format!("/messages/{id}/await?timeout=15"));
        let answer = json!({ "encryptedContent": "!", "inReplyTo": id });
        let answered = async {
            crate::support::eventually("the long-poll to wait", async || {
                nodes[0].context.hub.is_watched(session.parse().expect("an id")).then_some(())
            })
            .await;
            human.post(&crate::support::hub::at_human(&session, "/messages"), answer).await.expect(201);
            Stopwatch::start()
        };
        let (message, since) = tokio::join!(agent.get(&path), answered);
        assert_eq!(message.expect(200)["status"], "Completed");
        assert!(since.elapsed() < std::time::Duration::from_secs(5), "{:?} after the answer", since.elapsed());
    }
}

/// Follows a feed until each of the sessions has come to `last`; every event comes once and in its order.
async fn follow(socket: &mut Socket, sessions: &[String], last: i64) {
    let mut delivered: HashMap<String, i64> = sessions.iter().map(|session| (session.clone(), 0)).collect();
    while delivered.values().any(|seq| *seq < last) {
        let hint = socket.find("feed").await;
        let seq = delivered.get_mut(text(&hint["sessionId"])).expect("a session that it may see");
        assert_eq!(hint["seq"], json!(*seq + 1), "{hint}");
        *seq += 1;
    }
    socket.expect_none("feed").await;
}

async fn feeds(engine: Engine) {
    let pair = Pair::start(engine).await;
    let human = pair.maker.human().await;
    let agent = pair.maker.agent("space").await;
    // Events before the subscription are not delivered.
    let old = pair.maker.session(&agent).await;
    let mut followers = Vec::new();
    for (node, client) in [(0, &human), (1, &human), (0, &agent), (1, &agent)] {
        let mut socket = Socket::open(&pair.at(node, client)).await;
        socket.ask(json!({ "type": "subscribe", "feed": true })).await;
        followers.push(socket);
    }
    let agents = [pair.at(0, &agent), pair.at(1, &agent)];
    let mut sessions = Vec::new();
    for number in 0..12 {
        sessions.push(pair.maker.session(&agents[number % 2]).await);
    }
    let writes = (0..).zip(&sessions).map(|(number, session)| write(&agents[number / 2 % 2], session, 15));
    let reads = followers.iter_mut().map(|socket| follow(socket, &sessions, 16));
    tokio::join!(join_all(writes), join_all(reads));
    // A session that was idle when the feeds began.
    write(&agents[0], &old, 1).await;
    for socket in &mut followers {
        let hint = socket.find("feed").await;
        assert_eq!((&hint["sessionId"], &hint["seq"]), (&json!(old), &json!(2)));
    }
}

/// More hints at once than the queue of a node holds: the others are read from the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_delivers_every_event_when_its_queue_overflows() {
    let hub = Hub::start(Engine::Sqlite).await;
    let (human, agent) = (hub.human().await, hub.agent("agent").await);
    let mut feed = hub.socket(&human).await;
    feed.ask(json!({ "type": "subscribe", "feed": true })).await;
    let over = Arc::new(AtomicBool::new(false));
    let flood = std::thread::spawn({
        let (live, over) = (hub.context().hub.clone(), over.clone());
        let stranger = |_| EventHint {
            space: SpaceId::new(),
            session: SessionId::new(),
            seq: 1,
            kind: EventType::MessageCreated,
            at: Timestamp(0),
            pending: 0,
        };
        move || {
            while !over.load(Ordering::SeqCst) {
                live.accept(Signal::Hints((0..50).map(stranger).collect()));
            }
        }
    });
    let mut sessions = Vec::new();
    for _ in 0..20 {
        let session = hub.session(&agent).await;
        write(&agent, &session, 1).await;
        sessions.push(session);
    }
    over.store(true, Ordering::SeqCst);
    flood.join().expect("no panic");
    follow(&mut feed, &sessions, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_delivers_every_event_once_with_a_faulty_broker_on_sqlite() {
    feeds(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_delivers_every_event_once_with_a_faulty_broker_on_postgres() {
    feeds(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_gets_every_event_once_with_a_faulty_broker_on_sqlite() {
    timelines(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_gets_every_event_once_with_a_faulty_broker_on_postgres() {
    timelines(Engine::Postgres).await;
}
