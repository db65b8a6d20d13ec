//! Several nodes, of which something is broken: each way as an operator sees it, by the figures and the log, and as
//! clients do.

use crate::support::hub::{Engine, at_agent, config, text};
use crate::support::process::{Process, hiloop};
use crate::support::relay::Relay;
use crate::support::{Client, Nodes, Postgres, Redis, Socket, Stopwatch, eventually};
use hiloop::broker::LocalBroker;
use hiloop::clock::{Clock as _, ShiftedClock, SystemClock};
use hiloop::server::start_with;
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// How late things may be that no node was told of: the tick of a second, and room for a busy machine.
const BY_THE_STORE: Duration = Duration::from_secs(5);
/// A long-poll that settles at its end, rather than by an answer, takes this long.
const LONG: Duration = Duration::from_secs(30);

/// A node in a process of its own, whose log can be read.
struct Node {
    process: Process,
    owner: Client,
    log: PathBuf,
    _folder: TempDir,
}

impl Node {
    fn start(database: &str, redis_port: u16, owner: Option<&Client>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let mut command = hiloop(folder.path());
        command
            .env("DATABASE_URL", database)
            .env("REDIS_URL", format!("redis://127.0.0.1:{redis_port}"))
            .env("HILOOP_LISTEN", "127.0.0.1:0")
            .env("HILOOP_METRICS_LISTEN", "127.0.0.1:0")
            .env("HILOOP_LOG", "info")
            .stderr(File::create(&log).expect("a file"));
        let process = Process::spawn(&mut command);
        let owner = match owner {
            Some(owner) => Client { base: process.base.clone(), ..owner.clone() },
            None => process.owner(),
        };
        Self { process, owner, log, _folder: folder }
    }

    /// The value of a figure without labels.
    async fn figure(&self, name: &str) -> f64 {
        let text = Client::anonymous(self.process.metrics()).get("/metrics").await.expect(200);
        let text = text.as_str().expect("text").to_owned();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is among the figures")).parse().expect("a number")
    }

    async fn shows(&self, name: &str, value: f64) {
        let what = format!("{name} to be {value}");
        eventually(&what, async || (self.figure(name).await == value).then_some(())).await;
    }

    async fn logs(&self, words: &str) {
        self.logs_after(0, words).await;
    }

    /// What is in the log beyond this length, which it had when something had not happened yet.
    fn log_after(&self, length: usize) -> String {
        std::fs::read_to_string(&self.log).expect("the log").split_off(length)
    }

    async fn logs_after(&self, length: usize, words: &str) {
        let what = format!("a line in the log: {words}");
        eventually(&what, async || self.log_after(length).contains(words).then_some(())).await;
    }

    async fn ask(&self, session: &str) -> String {
        let question = json!({ "encryptedContent": "?", "responseRequired": true });
        let question = self.owner.post(&at_agent(session, "/messages"), question).await.expect(201);
        text(&question["id"]).to_owned()
    }

    /// A long-poll for a message that is under way when this returns.
    async fn wait_for(&self, session: &str, message: &str) -> tokio::task::JoinHandle<Value> {
        let waiting = self.figure("hiloop_waiters").await;
        let path = at_agent(session, &format!("/messages/{message}/await?timeout={}", LONG.as_secs()));
        let owner = self.owner.clone();
        let poll = tokio::spawn(async move { owner.get(&path).await.expect(200) });
        self.shows("hiloop_waiters", waiting + 1.0).await;
        poll
    }
}

async fn session(node: &Node) -> String {
    text(&node.owner.post("/v1/agent/sessions", json!({})).await.expect(201)["id"]).to_owned()
}

async fn post(client: &Client, session: &str, content: &str) -> Value {
    client.post(&at_agent(session, "/messages"), json!({ "encryptedContent": content })).await.expect(201)
}

/// Takes the next event, which is this message.
async fn takes(socket: &mut Socket, message: &Value) {
    assert_eq!(socket.event().await["data"]["message"]["id"], message["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_dead_the_figures_and_the_log_say_so() {
    let mut redis = Redis::start().await;
    let postgres = Postgres::start();
    let database = postgres.new_database();
    let first = Node::start(&database, redis.port(), None);
    let second = Node::start(&database, redis.port(), Some(&first.owner));
    let session = session(&first).await;
    let mut socket = Socket::open(&second.owner).await;
    socket.subscribe(&session, None).await;
    for node in [&first, &second] {
        node.shows("hiloop_redis_unreachable", 0.0).await;
        node.logs("connected to the other nodes").await;
    }
    let heard = second.figure("hiloop_redis_received_total").await;
    second.shows("hiloop_redis_channels", 2.0).await;
    let message = post(&first.owner, &session, "with Redis").await;
    takes(&mut socket, &message).await;
    assert!(first.figure("hiloop_redis_published_total").await >= 1.0);
    assert!(second.figure("hiloop_redis_received_total").await > heard);

    redis.kill();
    for node in [&first, &second] {
        node.shows("hiloop_redis_unreachable", 1.0).await;
        node.logs("Redis is unavailable").await;
        assert!(node.figure("hiloop_redis_disconnects_total").await >= 1.0);
    }
    let repairs = second.figure("hiloop_repairs_total").await;
    let message = post(&first.owner, &session, "without").await;
    let since = Stopwatch::start();
    takes(&mut socket, &message).await;
    assert!(since.elapsed() < BY_THE_STORE, "{:?}", since.elapsed());
    assert!(second.figure("hiloop_repairs_total").await > repairs, "it was read from the store");
    assert!(first.figure("hiloop_redis_dropped_total").await >= 1.0);

    redis.revive().await;
    for node in [&first, &second] {
        node.shows("hiloop_redis_unreachable", 0.0).await;
    }
    let message = post(&first.owner, &session, "with it again").await;
    takes(&mut socket, &message).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_postgres_is_restarted_writes_are_told_to_come_again_and_sockets_stay() {
    let redis = Redis::start().await;
    let mut postgres = Postgres::start();
    let database = postgres.new_database();
    let first = Node::start(&database, redis.port(), None);
    let second = Node::start(&database, redis.port(), Some(&first.owner));
    let session = session(&first).await;
    let message = first.ask(&session).await;
    let mut socket = Socket::open(&second.owner).await;
    socket.subscribe(&session, Some(0)).await;
    assert_eq!((socket.event().await["seq"].clone(), socket.event().await["seq"].clone()), (json!(1), json!(2)));
    let poll = second.wait_for(&session, &message).await;

    for (round, crash) in [(0, false), (1, true)] {
        let logged = [&first, &second].map(|node| node.log_after(0).len());
        if crash {
            postgres.crash();
        } else {
            postgres.stop();
        }
        for (node, logged) in [&first, &second].into_iter().zip(logged) {
            let refused = node.owner.post(&at_agent(&session, "/messages"), json!({ "encryptedContent": "x" })).await;
            assert_eq!(refused.header("retry-after"), Some("1"));
            refused.expect_error(503, "UNAVAILABLE");
            node.shows("hiloop_store_unreachable", 1.0).await;
            node.logs_after(logged, "cannot query the database's clock").await;
        }
        // Typing needs no store to be passed on, only to be allowed: the socket was.
        socket.expect_none("event").await;
        postgres.revive();
        for (node, logged) in [&first, &second].into_iter().zip(logged) {
            eventually("the node to be ready", async || (node.owner.get("/readyz").await.status == 200).then_some(()))
                .await;
            node.shows("hiloop_store_unreachable", 0.0).await;
            node.logs_after(logged, "the database is available again").await;
        }
        let message = post(&first.owner, &session, &format!("after round {round}")).await;
        takes(&mut socket, &message).await;
    }
    // The long-poll has outlasted both.
    second.owner.post(&at_agent(&session, &format!("/messages/{message}/cancel")), json!({})).await.expect(200);
    let since = Stopwatch::start();
    let settled = poll.await.expect("no panic");
    assert_eq!(settled["status"], "Cancelled");
    assert!(since.elapsed() < BY_THE_STORE, "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_from_redis_alone_still_serves_and_hears_everything() {
    let redis = Redis::start().await;
    let postgres = Postgres::start();
    let database = postgres.new_database();
    let relay = Relay::to(redis.port()).await;
    let whole = Node::start(&database, redis.port(), None);
    let cut = Node::start(&database, relay.port, Some(&whole.owner));
    let session = session(&whole).await;
    let (mut at_whole, mut at_cut) = (Socket::open(&whole.owner).await, Socket::open(&cut.owner).await);
    for socket in [&mut at_whole, &mut at_cut] {
        socket.subscribe(&session, None).await;
    }

    relay.cut();
    cut.shows("hiloop_redis_unreachable", 1.0).await;
    cut.logs("Redis is unavailable").await;
    assert_eq!(cut.owner.get("/readyz").await.expect(200)["status"], "degraded");
    assert_eq!(whole.figure("hiloop_redis_unreachable").await, 0.0);
    assert_eq!(whole.owner.get("/readyz").await.expect(200)["status"], "ok");
    for writer in [&whole, &cut] {
        let since = Stopwatch::start();
        let message = post(&writer.owner, &session, "across the cut").await;
        assert!(since.elapsed() < Duration::from_secs(1), "a commit waits for no Redis: {:?}", since.elapsed());
        for socket in [&mut at_whole, &mut at_cut] {
            takes(socket, &message).await;
        }
        assert!(since.elapsed() < BY_THE_STORE, "{:?}", since.elapsed());
    }
    // Settled on the cut-off side, once; heard on the other, and the other way round.
    for (asks, answers) in [(&whole, &cut), (&cut, &whole)] {
        let message = asks.ask(&session).await;
        let poll = asks.wait_for(&session, &message).await;
        answers.owner.post(&at_agent(&session, &format!("/messages/{message}/cancel")), json!({})).await.expect(200);
        let since = Stopwatch::start();
        let settled = poll.await.expect("no panic");
        assert_eq!(settled["status"], "Cancelled");
        assert!(since.elapsed() < BY_THE_STORE, "{:?}", since.elapsed());
    }

    relay.mend();
    cut.shows("hiloop_redis_unreachable", 0.0).await;
    assert_eq!(cut.owner.get("/readyz").await.expect(200)["status"], "ok");
}

/// A node whose way to Redis is cut and that is killed right after its reply has told nobody: to the others it died
/// between commit and publish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_committed_and_never_told_reaches_everyone() {
    let redis = Redis::start().await;
    let postgres = Postgres::start();
    let database = postgres.new_database();
    let relay = Relay::to(redis.port()).await;
    let stays = Node::start(&database, redis.port(), None);
    let mut dies = Node::start(&database, relay.port, Some(&stays.owner));
    let session = session(&stays).await;
    let question = stays.ask(&session).await;
    let poll = stays.wait_for(&session, &question).await;
    let mut socket = Socket::open(&stays.owner).await;
    socket.subscribe(&session, None).await;
    let mut feed = Socket::open(&stays.owner).await;
    feed.ask(json!({ "type": "subscribe", "feed": true })).await;

    relay.cut();
    dies.shows("hiloop_redis_unreachable", 1.0).await;
    let keyed = |client: &Client| client.with("idempotency-key", "last-words");
    let message = post(&keyed(&dies.owner), &session, "my last words").await;
    dies.owner.post(&at_agent(&session, &format!("/messages/{question}/cancel")), json!({})).await.expect(200);
    let since = Stopwatch::start();
    dies.process.kill();
    takes(&mut socket, &message).await;
    assert_eq!(socket.event().await["type"], "message.cancelled");
    assert!(since.elapsed() < BY_THE_STORE, "{:?}", since.elapsed());
    assert_eq!(poll.await.expect("no panic")["status"], "Cancelled");
    assert_eq!((feed.find("feed").await["seq"].clone(), feed.find("feed").await["seq"].clone()), (json!(3), json!(4)));
    // Whoever did not get the reply asks again with the same key, on a node that was told of nothing.
    assert_eq!(post(&keyed(&stays.owner), &session, "my last words").await, message);
    socket.expect_none("event").await;
    feed.expect_none("feed").await;
}

/// A Redis that is full passes messages on and keeps nothing: an operator is told so, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_refuses_to_keep_presence_is_told_of_in_the_log() {
    const REFUSED: &str = "Redis rejects presence updates";
    let redis = Redis::start().await;
    let postgres = Postgres::start();
    let node = Node::start(&postgres.new_database(), redis.port(), None);
    node.shows("hiloop_redis_unreachable", 0.0).await;
    for round in 0..2 {
        let logged = node.log_after(0).len();
        redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
        node.logs_after(logged, REFUSED).await;
        // Each attempt would say so again; some of them, by the lease that they fail to renew.
        eventually("the lease to lapse", async || {
            let keys: Vec<String> = redis::from_redis_value(redis.command(&["KEYS", "*:node:*"]).await).expect("names");
            keys.is_empty().then_some(())
        })
        .await;
        assert_eq!(node.log_after(logged).matches(REFUSED).count(), 1, "in round {round}");
        redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
        eventually("the lease to be there again", async || {
            let keys: Vec<String> = redis::from_redis_value(redis.command(&["KEYS", "*:node:*"]).await).expect("names");
            (!keys.is_empty()).then_some(())
        })
        .await;
    }
}

/// A primary that was demoted takes no writes: messages cross all the same, presence stands still until it is a primary
/// again, and an operator is told so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_has_become_a_replica_still_carries_what_is_live() {
    const REFUSED: &str = "Redis rejects presence updates";
    let redis = Redis::start().await;
    let postgres = Postgres::start();
    let database = postgres.new_database();
    let first = Node::start(&database, redis.port(), None);
    let second = Node::start(&database, redis.port(), Some(&first.owner));
    let session = session(&first).await;
    let mut watching = Socket::open(&first.owner).await;
    watching.subscribe(&session, None).await;
    let guest = async |name: &str| {
        let guest = first.owner.post(&at_agent(&session, "/guest-tokens"), json!({ "name": name })).await.expect(201);
        let guest =
            Client::anonymous(&second.process.base).with("authorization", &format!("Bearer {}", text(&guest["token"])));
        let mut socket = Socket::open(&guest).await;
        socket.subscribe(&session, None).await;
        socket
    };
    let mut theirs = guest("Gus").await;
    let came = watching.find("presence").await;
    assert_eq!(came["online"], json!(true));
    let leases = async || -> usize {
        redis::from_redis_value::<Vec<String>>(redis.command(&["KEYS", "*:node:*"]).await).expect("names").len()
    };

    redis.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
    for node in [&first, &second] {
        node.logs(REFUSED).await;
    }
    eventually("the leases to lapse", async || (leases().await == 0).then_some(())).await;
    // Without Redis each would be found in the store; on a busy machine a tick may find one that is on its way.
    let mut live = 0;
    for number in 0..10 {
        let found = second.figure("hiloop_repairs_total").await;
        let message = post(&first.owner, &session, &format!("{number}")).await;
        takes(&mut theirs, &message).await;
        live += usize::from(second.figure("hiloop_repairs_total").await <= found);
    }
    assert!(live >= 5, "{live} of 10 messages came by Redis");
    theirs.send(json!({ "type": "typing", "sessionId": session, "typing": true })).await;
    assert_eq!(watching.find("typing").await["typing"], json!(true));
    // Who goes and who comes is not told, and who was there stands as last heard.
    drop(theirs);
    second.shows("hiloop_sockets", 0.0).await;
    let mut late = guest("Lea").await;
    watching.expect_none("presence").await;
    let participants = first.owner.get(&at_agent(&session, "/participants")).await.expect(200);
    for (name, online) in [("Gus", true), ("Lea", false)] {
        let all = participants["data"].as_array().expect("a list");
        let one = all.iter().find(|one| one["name"] == name).expect("the guest");
        assert_eq!(one["online"], json!(online), "{name}");
    }
    for node in [&first, &second] {
        assert_eq!(node.log_after(0).matches(REFUSED).count(), 1, "it is said once");
        assert!(!node.log_after(0).contains("panic"));
        node.shows("hiloop_redis_unreachable", 0.0).await;
        node.shows("hiloop_redis_disconnects_total", 0.0).await;
    }

    redis.command(&["REPLICAOF", "NO", "ONE"]).await;
    let promoted = Stopwatch::start();
    let mut turns = [watching.find("presence").await, watching.find("presence").await];
    turns.sort_by_key(|turn| turn["online"].as_bool());
    assert_eq!((&turns[0]["online"], &turns[0]["participantId"]), (&json!(false), &came["participantId"]));
    assert_eq!(turns[1]["online"], json!(true), "{turns:?}");
    assert!(promoted.elapsed() < Duration::from_secs(15), "it took {:?}", promoted.elapsed());
    eventually("the leases to be there again", async || (leases().await == 2).then_some(())).await;
    let message = post(&first.owner, &session, "again").await;
    takes(&mut late, &message).await;
    // And goes on.
    drop(late);
    assert_eq!(watching.find("presence").await["online"], json!(false));
}

/// What is logged by the tests' own thread.
#[derive(Clone, Default)]
struct Log(Arc<parking_lot::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A node on a machine whose clock is wrong says so, once; on others it says nothing.
#[tokio::test]
async fn a_clock_that_is_far_from_the_databases_is_told_of_in_the_log() {
    for (wrong_by, times) in [(0, 0), (-5_000, 1)] {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        let _here = tracing::subscriber::set_default(subscriber);
        let database = crate::support::postgres::new_database();
        let clock = ShiftedClock::wrong_by(wrong_by);
        let server = start_with(config(&database, &[]), clock.clone(), Arc::new(LocalBroker)).await.expect("it starts");
        // It compares before it serves.
        assert!(clock.now().millis_since(SystemClock.now()).abs() < 200);
        server.stop().await;
        let logged = String::from_utf8(log.0.lock().clone()).expect("text");
        let lines: Vec<&str> =
            logged.lines().filter(|line| line.contains("clock differs from the database's")).collect();
        assert_eq!(lines.len(), times, "{logged}");
        assert!(lines.iter().all(|line| line.contains("WARN") && line.contains("milliseconds=")), "{logged}");
    }
}

/// Machines that disagree about the time by 5 s, either way: the database's time is everybody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_whose_clocks_are_wrong_keep_deadlines_and_tokens_all_the_same() {
    let redis = Redis::start().await;
    let clocks = [0, 5_000, -5_000].map(ShiftedClock::wrong_by);
    let nodes = Nodes::start_with_clocks(Engine::Postgres, clocks.to_vec(), &redis).await;
    let metrics = |node: usize| nodes.servers[node].context.metrics.clock_correction.get();
    for (node, correction) in [(0, 0.0), (1, -5.0), (2, 5.0)] {
        let measured: f64 = metrics(node);
        assert!((measured - correction).abs() < 0.2, "node {node} corrects by {measured} s");
    }
    let human = nodes.maker.human().await;
    let session = nodes.maker.session(&nodes.owner(0)).await;
    let mut socket = Socket::open(&nodes.owner(0)).await;
    socket.subscribe(&session, None).await;
    // One that is told of late, on a machine that is held up for a moment, is asked again: a clock that is wrong is so
    // each time.
    let (mut asks, mut told_late) = (0, 0);
    while asks < clocks.len() {
        let since = Stopwatch::start();
        let deadline = clocks[asks].now().plus_millis(2_000);
        let question = json!({ "encryptedContent": "?", "responseRequired": true, "deadlineAt": deadline });
        let question = nodes.owner(asks).post(&at_agent(&session, "/messages"), question).await.expect(201);
        assert_eq!(socket.event().await["data"]["message"]["id"], question["id"]);
        let expired = socket.event().await;
        assert_eq!((&expired["type"], &expired["data"]["messageId"]), (&json!("message.expired"), &question["id"]));
        let late = SystemClock.now().millis_since(deadline);
        let is_late = since.elapsed() >= Duration::from_millis(3_000);
        told_late += usize::from(is_late);
        assert!(late > -100 && told_late < 3, "node {asks} asked; it expired {late} ms after its deadline");
        asks += usize::from(!is_late);
    }
    // Once each: nothing more came.
    socket.expect_none("event").await;
    // A token that any of them may look at.
    for node in 0..3 {
        nodes.at(node, &human).get("/v1/human/me").await.expect(200);
    }
}
