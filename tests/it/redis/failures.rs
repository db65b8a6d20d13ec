//! Redis stops, cuts connections, carries foreign data, or refuses the password.

use super::{crosses_at_once, listened_to, way, within};
use crate::support::hub::{Engine, at_agent, config, text};
use crate::support::{Client, Nodes, Redis, Socket, Stopwatch, eventually, supervisor};
use hiloop::broker::redis::Target;
use hiloop::broker::{Broker, Connectivity, RedisBroker, Signal};
use hiloop::clock::ShiftedClock;
use hiloop::domain::{CommittedEvent, EventType, SessionId, SpaceId, Timestamp};
use hiloop::server::start_at;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The delay of unannounced events: the reconcile tick of a second, with a margin for a busy machine.
const BY_THE_STORE: Duration = Duration::from_secs(2);

/// Messages are delivered by the store, within the limit.
async fn crosses_by_the_store(writer: &Client, reader: &mut Socket, session: &str) {
    within(BY_THE_STORE, "a message by the store", async || way(writer, reader, session).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_a_redis_outage_events_are_read_from_the_store() {
    let mut redis = Redis::down(false);
    let nodes = Nodes::start_alone(Engine::Postgres, 2, &redis).await;
    let (here, there) = (nodes.owner(0), nodes.owner(1));
    let session = nodes.maker.session(&here).await;
    let mut socket = Socket::open(&there).await;
    socket.subscribe(&session, Some(0)).await;
    assert_eq!(socket.event().await["seq"], json!(1));

    // Down at the start.
    let ready = there.get("/readyz").await.expect(200);
    assert_eq!((&ready["status"], &ready["redis"]), (&json!("degraded"), &json!("unreachable")));
    crosses_by_the_store(&here, &mut socket, &session).await;

    // It starts.
    redis.revive().await;
    nodes.connected().await;
    listened_to(&redis, &session).await;
    assert_eq!(there.get("/readyz").await.expect(200)["status"], "ok");
    crosses_at_once(&here, &nodes.servers[1], &mut socket, &session).await;

    // It is killed, and restarted.
    redis.kill();
    crosses_by_the_store(&here, &mut socket, &session).await;
    nodes.all_are(Connectivity::Disconnected).await;
    redis.revive().await;
    nodes.connected().await;
    listened_to(&redis, &session).await;
    crosses_at_once(&here, &nodes.servers[1], &mut socket, &session).await;

    // It hangs: connections stay open, without replies.
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
async fn a_disconnected_node_reconnects_to_redis_and_misses_nothing() {
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

/// As Redis does with slow subscribers: the node must back off instead of resubscribing continuously.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_disconnects_from_redis_back_off() {
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
async fn foreign_messages_on_the_same_redis_are_ignored() {
    let redis = Redis::start().await;
    let nodes = Nodes::start(Engine::Postgres, 2, &redis).await;
    // Another hub with another store.
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
    assert_eq!((foreign.received.get(), foreign.rejected.get()), (0, 0), "hubs are isolated");
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
async fn a_wrong_redis_password_fails_the_start_and_is_not_printed() {
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

/// Every kind of revocation closes sockets on the other node without Redis.
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
        // The other node has not cached the credential either.
        assert_eq!(Socket::try_open(&there).await.err(), Some(401), "{path}");
    }

    // A removed participant loses the session and keeps the socket.
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
