//! Delivery between nodes: over one Redis, a cluster, TLS.

use super::{LIVE, crosses_at_once, listened_to, post, unless_told, way, within};
use crate::support::hub::{Engine, at_agent, at_human, text};
use crate::support::process::{Process, hiloop};
use crate::support::{Client, Nodes, Redis, Socket, Stopwatch, eventually};
use serde_json::json;
use std::time::Duration;

/// The longest of ten delays.
async fn slowest_way(writer: &Client, reader: &mut Socket, session: &str) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        slowest = slowest.max(way(writer, reader, session).await);
    }
    slowest
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

    // Messages and the feed, sooner than by the reconcile tick; events that are too large for Redis are read from the store.
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
        // A reader on the same node gets it immediately.
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

    // A long-poll on one node, the only reader there, ends with an answer on the other.
    let waiters = &nodes.servers[0].context.metrics.long_polls;
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

    // A revocation closes the sockets of the other node, sooner than by polling the store.
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
async fn live_updates_cross_nodes_on_postgres() {
    everything_crosses(Engine::Postgres, Redis::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_updates_cross_nodes_on_sqlite() {
    everything_crosses(Engine::Sqlite, Redis::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_updates_cross_nodes_over_a_redis_cluster() {
    everything_crosses(Engine::Postgres, Redis::start_cluster().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_updates_cross_nodes_over_a_redis_cluster_of_three() {
    everything_crosses(Engine::Postgres, Redis::start_cluster_of_three().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_follow_a_moved_slot() {
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
        // Nothing is lost meanwhile, and delivery becomes immediate again.
        eventually("immediate delivery", async || {
            let slow = slowest_way(&here, &mut socket, &session).await;
            (slow < LIVE).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_over_tls_requires_a_trusted_certificate() {
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
    eventually("immediate delivery", async || (slowest_way(&owner, &mut socket, &session).await < LIVE).then_some(()))
        .await;
}
