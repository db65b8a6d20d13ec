//! Several nodes over one store and one Redis, which comes and goes.

use crate::support::hub::{Engine, at_agent, at_human, config, text};
use crate::support::process::{Process, hiloop};
use crate::support::{Client, Nodes, Redis, Socket, Stopwatch, eventually, supervisor};
use hiloop::broker::{Broker, Connectivity, RedisBroker, Signal, redis::Target};
use hiloop::clock::ShiftedClock;
use hiloop::domain::{CommittedEvent, EventType, SessionId, SpaceId, Timestamp};
use hiloop::server::{Server, start_at};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Sooner than the reconcile tick could be by chance, ten times running.
const LIVE: Duration = Duration::from_millis(300);

async fn post(client: &Client, session: &str, content: &str) -> Value {
    client.post(&at_agent(session, "/messages"), json!({ "encryptedContent": content })).await.expect(201)
}

/// Sooner than the store is looked at where nobody told: a tick of a second, and room for a busy machine.
const BY_THE_STORE: Duration = Duration::from_secs(2);

/// Sees something happen ten times running, each time within `limit`. A machine that is held up for a moment gets a few
/// more chances at that; a hub that tells of something late, or not at all, does so again and again.
async fn within(limit: Duration, what: &str, mut once: impl AsyncFnMut() -> Duration) {
    let mut late = Vec::new();
    let mut running = 0;
    while running < 10 {
        let took = Box::pin(once()).await;
        running += 1;
        if took >= limit {
            late.push(took);
            running = 0;
            assert!(late.len() < 5, "{what} took {late:?}");
        }
    }
}

/// How late something came to a node that it was to come to by Redis: not at all unless the node found it in the store,
/// since a busy machine takes its time with what is told at once, too.
async fn unless_told(node: &Server, once: impl Future<Output = Duration>) -> Duration {
    let repairs = node.context.metrics.repairs.get();
    let took = once.await;
    if node.context.metrics.repairs.get() == repairs { Duration::ZERO } else { took }
}

/// Posts on one node and reads on another; how long the way was, from before the post.
async fn way(writer: &Client, reader: &mut Socket, session: &str) -> Duration {
    let since = Stopwatch::start();
    let posted = post(writer, session, "on its way").await;
    let event = reader.event().await;
    assert_eq!(event["data"]["message"]["id"], posted["id"]);
    since.elapsed()
}

/// Messages cross by the store, none too late.
async fn crosses_by_the_store(writer: &Client, reader: &mut Socket, session: &str) {
    within(BY_THE_STORE, "a message by the store", async || way(writer, reader, session).await).await;
}

/// Messages cross to this node by Redis.
async fn crosses_at_once(writer: &Client, node: &Server, reader: &mut Socket, session: &str) {
    within(LIVE, "a message", async || unless_told(node, way(writer, reader, session)).await).await;
}

/// The longest of ten ways.
async fn slowest_way(writer: &Client, reader: &mut Socket, session: &str) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        slowest = slowest.max(way(writer, reader, session).await);
    }
    slowest
}

/// Waits until Redis has a listener for this session's channel.
async fn listened_to(redis: &Redis, session: &str) {
    eventually("a node listens to the session", async || {
        (!redis.channels(&format!("hiloop:*:session:{session}")).await.is_empty()).then_some(())
    })
    .await;
}

async fn everything_crosses(engine: Engine, redis: Redis) {
    let nodes = Nodes::start(engine, 2, &redis).await;
    let (agent, human) = (nodes.maker.agent("space").await, nodes.maker.human().await);
    let (here, there) = (nodes.at(0, &agent), nodes.at(1, &human));
    let session = nodes.maker.session(&here).await;
    let mut socket = Socket::open(&there).await;
    socket.subscribe(&session, None).await;
    let mut feed = Socket::open(&there).await;
    feed.ask(json!({ "type": "subscribe", "feed": true })).await;
    let mut agent_socket = Socket::open(&here).await;
    agent_socket.subscribe(&session, None).await;
    listened_to(&redis, &session).await;
    eventually("a node listens to the space", async || {
        (!redis.channels("hiloop:*:space:*").await.is_empty()).then_some(())
    })
    .await;

    // Messages and the feed, sooner than by the reconcile tick; what is too large for Redis comes all the same.
    let mut seq = 1;
    within(LIVE, "a message", async || {
        seq += 1;
        let took = unless_told(&nodes.servers[1], way(&here, &mut socket, &session)).await;
        let frame = feed.find("feed").await;
        assert_eq!((&frame["seq"], &frame["event"]), (&json!(seq), &json!("message.created")), "{frame}");
        took
    })
    .await;
    within(LIVE, "the feed", async || {
        seq += 1;
        let since = Stopwatch::start();
        post(&here, &session, "for the feed").await;
        assert_eq!(feed.find("feed").await["seq"], json!(seq));
        let took = since.elapsed();
        assert_eq!(socket.event().await["seq"], json!(seq));
        took
    })
    .await;
    let large = "x".repeat(200_000);
    while agent_socket.event().await["seq"] != json!(seq) {}
    within(LIVE, "a large message", async || {
        post(&here, &session, &large).await;
        // A reader on its own node has it as soon as this machine can.
        agent_socket.event().await;
        let since = Stopwatch::start();
        assert_eq!(socket.event().await["data"]["message"]["encryptedContent"]["ciphertext"], json!(large));
        since.elapsed()
    })
    .await;

    // Typing and receipts, both ways.
    there.post(&at_human(&session, "/typing"), json!({})).await.expect(204);
    let typing = agent_socket.find("typing").await;
    assert_eq!((&typing["typing"], &typing["actor"]["type"]), (&json!(true), &json!("Human")));
    there.post(&at_human(&session, "/typing"), json!({ "typing": false })).await.expect(204);
    assert_eq!(agent_socket.find("typing").await["typing"], json!(false));
    there.post(&at_human(&session, "/read"), json!({ "seq": 5 })).await.expect(204);
    assert_eq!(agent_socket.find("receipt").await["seq"], json!(5));

    // A long-poll on one node, where nobody else reads the session, hears of the answer on the other.
    let waiters = &nodes.servers[0].context.metrics.waiters;
    within(LIVE, "an answer", async || {
        let session = nodes.maker.session(&here).await;
        let question = json!({ "encryptedContent": "?", "responseRequired": true });
        let question = here.post(&at_agent(&session, "/messages"), question).await.expect(201);
        let path = at_agent(&session, &format!("/messages/{}/await?timeout=15", text(&question["id"])));
        let answer = async {
            eventually("the long-poll to wait", async || (waiters.get() == 1).then_some(())).await;
            listened_to(&redis, &session).await;
            let since = Stopwatch::start();
            let body = json!({ "encryptedContent": "!", "inReplyTo": question["id"] });
            there.post(&at_human(&session, "/messages"), body).await.expect(201);
            since
        };
        let answered = async {
            let (message, since) = tokio::join!(here.get(&path), answer);
            assert_eq!(message.expect(200)["status"], "Completed");
            since.elapsed()
        };
        unless_told(&nodes.servers[0], Box::pin(answered)).await
    })
    .await;

    // A revocation closes the sockets of the other node, sooner than it would be found in the store each time.
    within(LIVE, "a revocation", async || {
        let key = nodes.owner(0).post("/v1/manage/keys", json!({ "permission": "agent" })).await.expect(201);
        let revoked = nodes.maker.anonymous().with("x-api-key", text(&key["apiKey"]));
        let mut socket = Socket::open(&nodes.at(1, &revoked)).await;
        let since = Stopwatch::start();
        nodes.owner(0).delete(&format!("/v1/manage/keys/{}", text(&key["id"]))).await.expect(204);
        assert_eq!(socket.end().await, crate::support::socket::End::Code(4403));
        since.elapsed()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_live_crosses_nodes_on_postgres() {
    everything_crosses(Engine::Postgres, Redis::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_live_crosses_nodes_on_sqlite() {
    everything_crosses(Engine::Sqlite, Redis::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_live_crosses_nodes_over_a_redis_cluster() {
    everything_crosses(Engine::Postgres, Redis::start_cluster().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_live_crosses_nodes_over_a_redis_cluster_of_three() {
    everything_crosses(Engine::Postgres, Redis::start_cluster_of_three().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_within_the_cluster_takes_its_sessions_along() {
    let redis = Redis::start_cluster_of_three().await;
    let nodes = Nodes::start(Engine::Postgres, 2, &redis).await;
    let (here, there) = (nodes.owner(0), nodes.owner(1));
    let session = nodes.maker.session(&here).await;
    let mut socket = Socket::open(&there).await;
    socket.subscribe(&session, None).await;
    for _ in 0..3 {
        listened_to(&redis, &session).await;
        let channel = redis.channels(&format!("hiloop:*:session:{session}")).await.remove(0);
        crosses_at_once(&here, &nodes.servers[1], &mut socket, &session).await;
        redis.move_slot(&channel).await;
        // Nothing is lost meanwhile, and it becomes live again.
        eventually("messages to cross at once again", async || {
            let slow = slowest_way(&here, &mut socket, &session).await;
            (slow < LIVE).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_may_be_reached_by_tls_alone_and_only_with_a_certificate_that_is_trusted() {
    let (_redis, url, certificate) = Redis::start_with_tls().await;
    let database = crate::support::postgres::new_database();
    let folder = tempfile::tempdir().expect("a folder");
    let start = |trusted: bool| {
        let mut command = hiloop(folder.path());
        command.env("DATABASE_URL", &database).env("REDIS_URL", &url).env("HILOOP_LISTEN", "127.0.0.1:0");
        if trusted {
            command.env("SSL_CERT_FILE", &certificate);
        }
        Process::spawn(&mut command)
    };
    let first = start(true);
    let owner = first.owner();
    let (second, stranger) = (start(true), start(false));
    let at = |node: &Process| Client { base: node.base.clone(), ..owner.clone() };
    for node in [&first, &second] {
        eventually("the node to be connected", async || {
            (at(node).get("/readyz").await.expect(200)["redis"] == "ok").then_some(())
        })
        .await;
    }
    let ready = at(&stranger).get("/readyz").await.expect(200);
    assert_eq!((&ready["status"], &ready["redis"]), (&json!("degraded"), &json!("unreachable")));
    let session = text(&owner.post("/v1/agent/sessions", json!({})).await.expect(201)["id"]).to_owned();
    let mut socket = Socket::open(&at(&second)).await;
    socket.subscribe(&session, None).await;
    eventually("messages to cross at once", async || {
        (slowest_way(&owner, &mut socket, &session).await < LIVE).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_everything_arrives_by_the_store_and_with_it_again_at_once() {
    let mut redis = Redis::down(false);
    let nodes = Nodes::start_alone(Engine::Postgres, 2, &redis).await;
    let (here, there) = (nodes.owner(0), nodes.owner(1));
    let session = nodes.maker.session(&here).await;
    let mut socket = Socket::open(&there).await;
    socket.subscribe(&session, Some(0)).await;
    assert_eq!(socket.event().await["seq"], json!(1));

    // Dead at the start.
    let ready = there.get("/readyz").await.expect(200);
    assert_eq!((&ready["status"], &ready["redis"]), (&json!("degraded"), &json!("unreachable")));
    crosses_by_the_store(&here, &mut socket, &session).await;

    // It comes.
    redis.revive().await;
    nodes.connected().await;
    listened_to(&redis, &session).await;
    assert_eq!(there.get("/readyz").await.expect(200)["status"], "ok");
    crosses_at_once(&here, &nodes.servers[1], &mut socket, &session).await;

    // It is killed under way, and comes back.
    redis.kill();
    crosses_by_the_store(&here, &mut socket, &session).await;
    nodes.all_are(Connectivity::Disconnected).await;
    redis.revive().await;
    nodes.connected().await;
    listened_to(&redis, &session).await;
    crosses_at_once(&here, &nodes.servers[1], &mut socket, &session).await;

    // It hangs: connections stay, nothing answers.
    redis.pause();
    crosses_by_the_store(&here, &mut socket, &session).await;
    nodes.all_are(Connectivity::Disconnected).await;
    redis.resume();
    nodes.connected().await;
    crosses_by_the_store(&here, &mut socket, &session).await;
    let counters = nodes.servers[0].context.broker.counters().expect("counters");
    assert!(
        counters.dropped.get() > 0 && counters.published.get() > 0 && counters.disconnects.get() > 1,
        "{counters:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_redis_cuts_off_connects_again_and_misses_nothing() {
    let redis = Redis::start().await;
    let nodes = Nodes::start(Engine::Postgres, 2, &redis).await;
    let (here, there) = (nodes.owner(0), nodes.owner(1));
    let session = nodes.maker.session(&here).await;
    let mut socket = Socket::open(&there).await;
    socket.subscribe(&session, Some(0)).await;
    assert_eq!(socket.event().await["seq"], json!(1));
    for _ in 0..5 {
        listened_to(&redis, &session).await;
        redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        redis.command(&["CLIENT", "KILL", "TYPE", "normal"]).await;
        crosses_by_the_store(&here, &mut socket, &session).await;
        nodes.connected().await;
    }
    socket.expect_none("event").await;
}

/// As Redis does with one that is slow to read: making everything anew each time must not become all that it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_redis_cuts_off_again_and_again_takes_its_time() {
    let redis = Redis::start().await;
    let broker = RedisBroker::new(Target::parse(&redis.url()).expect("a URL"), "store", supervisor());
    broker.listen(Arc::new(|_| {}));
    eventually("it is connected", async || (broker.connectivity() == Connectivity::Connected).then_some(())).await;
    let counters = broker.counters().expect("counters");
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Waits of 50 ms at least that double: the sixth one has come to 1.6 s.
    let times = counters.disconnects.get();
    assert!((2..=8).contains(&times), "it was cut off {times} times");
    eventually("it is connected again", async || (broker.connectivity() == Connectivity::Connected).then_some(()))
        .await;
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_write_on_the_same_redis_does_no_harm() {
    let redis = Redis::start().await;
    let nodes = Nodes::start(Engine::Postgres, 2, &redis).await;
    // Another hub with a store of its own.
    let others = Nodes::start(Engine::Postgres, 1, &redis).await;
    let session = nodes.maker.session(&nodes.owner(0)).await;
    let mut socket = Socket::open(&nodes.owner(1)).await;
    socket.subscribe(&session, None).await;
    listened_to(&redis, &session).await;
    let [channel] = &redis.channels(&format!("*{session}")).await[..] else { panic!("one channel") };
    let counters = nodes.servers[1].context.broker.counters().expect("counters");

    let node = SessionId::new();
    let mine = format!(
        r#"{{"space":"{node}","events":[{{"session":"{node}","seq":1,"kind":"message.created","at":1,"pending":0,"text":{{}}}}]}}"#
    );
    let bodies = ["", "{}", "[1,2", "null", &mine, &"x".repeat(1_000_000), "\0\u{ffff}"];
    let mut sent = 0;
    for body in bodies {
        for message in [
            body.to_owned(),
            format!(r#"{{"v":1,"node":"{node}","body":{body}}}"#),
            format!(r#"{{"v":9,"node":"{node}","body":{body}}}"#),
        ] {
            redis.command(&["PUBLISH", channel, &message]).await;
            sent += 1;
        }
    }
    eventually("every one of them is refused", async || (counters.rejected.get() == sent).then_some(())).await;
    crosses_at_once(&nodes.owner(0), &nodes.servers[1], &mut socket, &session).await;
    let foreign = others.servers[0].context.broker.counters().expect("counters");
    assert_eq!((foreign.received.get(), foreign.rejected.get()), (0, 0), "hubs don't hear each other");
}

/// Twenty nodes' worth of subscriptions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_listens_to_what_it_has_readers_of_and_to_nothing_else() {
    let redis = Redis::start().await;
    let mut brokers = Vec::new();
    let heard: Arc<Mutex<Vec<(usize, i64)>>> = Arc::default();
    for node in 0..20 {
        let broker = RedisBroker::new(Target::parse(&redis.url()).expect("a URL"), "store", supervisor());
        let heard = Arc::clone(&heard);
        broker.listen(Arc::new(move |signal| {
            if let Signal::SessionEvents(events) = signal {
                heard.lock().expect("no panic").extend(events.iter().map(|event| (node, event.seq)));
            }
        }));
        brokers.push(broker);
    }
    let sessions: Vec<_> = (0..500).map(|_| SessionId::new()).collect();
    // Each session has readers on two nodes; some come, go and come again meanwhile.
    for (number, session) in sessions.iter().enumerate() {
        for node in [number % 20, (number + 1) % 20] {
            brokers[node].set_interest(*session, true);
            brokers[node].set_interest(*session, false);
            brokers[node].set_interest(*session, true);
        }
        brokers[(number + 2) % 20].set_interest(*session, true);
        brokers[(number + 2) % 20].set_interest(*session, false);
    }
    let mut expected: Vec<_> = sessions.iter().map(|session| format!("hiloop:1:store:session:{session}")).collect();
    expected.sort();
    let channels = async || {
        let mut channels = redis.channels("hiloop:*:session:*").await;
        channels.sort();
        channels
    };
    eventually("exactly the sessions with readers", async || (channels().await == expected).then_some(())).await;
    eventually("each on two nodes", async || {
        let listening = brokers.iter().map(|broker| broker.counters().expect("counters").channels.get());
        (listening.sum::<u64>() == 2 * 500 + 20).then_some(())
    })
    .await;

    // What is published reaches exactly the nodes that listen, and never the sender.
    let session = sessions[0];
    let event = CommittedEvent {
        space: SpaceId::new(),
        session,
        seq: 1,
        kind: EventType::MessageCreated,
        at: Timestamp(0),
        pending: 0,
        settles: None,
        removes: None,
        text: Arc::from("{}"),
    };
    brokers[0].publish(Signal::Events(vec![event.clone()]));
    brokers[7].publish(Signal::Events(vec![CommittedEvent { seq: 2, ..event }]));
    eventually("both arrive", async || (heard.lock().expect("no panic").len() >= 3).then_some(())).await;
    let mut heard = heard.lock().expect("no panic").clone();
    heard.sort_unstable();
    assert_eq!(heard, [(0, 2), (1, 1), (1, 2)]);

    // Everybody leaves.
    for (number, session) in sessions.iter().enumerate() {
        for node in [number % 20, (number + 1) % 20] {
            brokers[node].set_interest(*session, false);
        }
    }
    eventually("nothing is listened to", async || channels().await.is_empty().then_some(())).await;
    for broker in &brokers {
        broker.close().await;
    }
    eventually("nobody is connected", async || redis.channels("hiloop:*").await.is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_never_waits_for_redis() {
    let redis = Redis::start().await;
    let broker = RedisBroker::new(Target::parse(&redis.url()).expect("a URL"), "store", supervisor());
    let resyncs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&resyncs);
    broker.listen(Arc::new(move |signal| {
        counted.fetch_add(usize::from(matches!(signal, Signal::Resync)), Ordering::SeqCst);
    }));
    eventually("it is connected", async || (broker.connectivity() == Connectivity::Connected).then_some(())).await;
    redis.pause();
    let event = CommittedEvent {
        space: SpaceId::new(),
        session: SessionId::new(),
        seq: 1,
        kind: EventType::MessageCreated,
        at: Timestamp(0),
        pending: 0,
        settles: None,
        removes: None,
        text: Arc::from(format!("{{\"a\":\"{}\"}}", "x".repeat(60_000))),
    };
    let counters = broker.counters().expect("counters");
    let mut published = 0;
    while counters.dropped.get() == 0 {
        let since = Stopwatch::start();
        broker.publish(Signal::Events(vec![event.clone()]));
        assert!(since.elapsed() < Duration::from_millis(500), "publishing took {:?}", since.elapsed());
        published += 1;
        assert!(published < 10_000, "the queue is bounded");
    }
    redis.resume();
    let before = counters.published.get();
    eventually("it goes on", async || {
        broker.publish(Signal::Events(vec![event.clone()]));
        (counters.published.get() > before && resyncs.load(Ordering::SeqCst) > 0).then_some(())
    })
    .await;
    broker.close().await;
}

#[tokio::test]
async fn a_wrong_password_is_an_error_at_the_start_that_does_not_tell_it() {
    let redis = Redis::start().await;
    redis.command(&["CONFIG", "SET", "requirepass", "right"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!("sqlite://{}/hub.db", folder.path().display());
    let url = redis.url().replace("redis://", "redis://:wr0ng@");
    let started = start_at(config(&database, &["--redis-url", &url]), ShiftedClock::new()).await;
    let error = started.err().expect("refused").to_string();
    assert!(error.starts_with("REDIS_URL: ") && !error.contains("wr0ng") && !error.contains('\n'), "{error}");
    let url = redis.url().replace("redis://", "redis://:right@");
    let server = start_at(config(&database, &["--redis-url", &url]), ShiftedClock::new()).await.expect("it starts");
    server.stop().await;
}

/// Everything that can be revoked ends its sockets on the other node, though no message can tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_reaches_every_node_without_redis() {
    let redis = Redis::down(false);
    let nodes = Nodes::start_alone(Engine::Postgres, 2, &redis).await;
    let owner = nodes.owner(0);
    let agent = nodes.maker.agent("agent").await;
    let session = nodes.maker.session(&nodes.at(0, &agent)).await;
    let guest = nodes.maker.guest(&nodes.at(0, &agent), &session).await;
    let human = nodes.maker.human().await;
    let key = owner.post("/v1/manage/keys", json!({ "permission": "space" })).await.expect(201);
    let by_key = nodes.maker.anonymous().with("x-api-key", text(&key["apiKey"]));
    let id = |client: &Client, path: &str| {
        let (client, path) = (client.clone(), path.to_owned());
        async move { text(&client.get(&path).await.expect(200)["id"]).to_owned() }
    };
    let agent_id = id(&nodes.at(0, &agent), "/v1/agent/me").await;
    let human_id = id(&nodes.at(0, &human), "/v1/human/me").await;
    let guest_id = id(&nodes.at(0, &guest), "/v1/human/me").await;

    for (client, path) in [
        (by_key, format!("/v1/manage/keys/{}", text(&key["id"]))),
        (guest, at_agent(&session, &format!("/guest-tokens/{guest_id}"))),
        (human, format!("/v1/manage/humans/{human_id}")),
        (agent, format!("/v1/manage/agents/{agent_id}")),
    ] {
        let there = nodes.at(1, &client);
        let mut socket = Socket::open(&there).await;
        owner.delete(&path).await.expect(204);
        let since = Stopwatch::start();
        assert_eq!(socket.end().await, crate::support::socket::End::Code(4403), "{path}");
        assert!(since.elapsed() < Duration::from_secs(2), "{path} took {:?}", since.elapsed());
        // Nor does the other node remember the credential.
        assert_eq!(Socket::try_open(&there).await.err(), Some(401), "{path}");
    }

    // Who was removed loses the session and keeps the socket.
    let member = nodes.maker.agent("agent").await;
    let member_id = id(&nodes.at(0, &member), "/v1/agent/me").await;
    let body = json!({ "type": "Agent", "agentId": member_id });
    let participant = owner.post(&at_agent(&session, "/participants"), body).await.expect(201);
    let mut socket = Socket::open(&nodes.at(1, &member)).await;
    socket.subscribe(&session, None).await;
    let path = at_agent(&session, &format!("/participants/{}", text(&participant["id"])));
    owner.delete(&path).await.expect(204);
    let since = Stopwatch::start();
    assert_eq!(socket.find("unsubscribed").await["sessionId"], json!(session));
    assert!(since.elapsed() < Duration::from_secs(2), "removal took {:?}", since.elapsed());
}

/// Ten nodes start at once on an empty database: one makes the schema, all serve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_nodes_may_start_at_once_on_an_empty_database() {
    let redis = Redis::start().await;
    let database = crate::support::postgres::new_database();
    let starts = (0..10).map(|_| start_at(config(&database, &["--redis-url", &redis.url()]), ShiftedClock::new()));
    let mut ids = std::collections::HashSet::new();
    for started in futures::future::join_all(starts).await {
        let server = started.expect("the node starts");
        let ready = Client::anonymous(&format!("http://{}", server.address)).get("/readyz").await.expect(200);
        assert_eq!(ready["store"], "ok");
        ids.insert(server.context.store.setting("store_id").await.expect("the store").expect("an id"));
        server.stop().await;
    }
    assert_eq!(ids.len(), 1, "they agree on the store's id");
}

/// The same as programs: one prints the secrets of the new store, all serve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_programs_may_start_at_once_on_an_empty_database_and_one_prints_the_key() {
    let redis = Redis::start().await;
    let database = crate::support::postgres::new_database();
    let folder = tempfile::tempdir().expect("a folder");
    let starts = (0..10).map(|_| {
        let mut command = hiloop(folder.path());
        command.env("DATABASE_URL", &database).env("REDIS_URL", redis.url()).env("HILOOP_LISTEN", "127.0.0.1:0");
        tokio::task::spawn_blocking(move || Process::spawn(&mut command))
    });
    let mut nodes = Vec::new();
    for started in futures::future::join_all(starts).await {
        nodes.push(started.expect("the node starts"));
    }
    let printed: Vec<&Process> = nodes.iter().filter(|node| node.output.contains("API key")).collect();
    assert_eq!(printed.len(), 1, "one of them made the store");
    let owner = printed[0].owner();
    let session = text(&owner.post("/v1/agent/sessions", json!({})).await.expect(201)["id"]).to_owned();
    for (number, node) in (2..).zip(&nodes) {
        let client = Client { base: node.base.clone(), ..owner.clone() };
        assert_eq!(post(&client, &session, "here too").await["seq"], json!(number));
    }
}
