//! Redis is down, unreachable for one node, full, or a replica.

use super::{BY_THE_STORE, Node, post, session, takes};
use crate::support::hub::{at_agent, text};
use crate::support::relay::Relay;
use crate::support::{Client, Postgres, Redis, Socket, Stopwatch, eventually};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_outage_is_visible_in_metrics_and_log() {
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
    let received = second.metric("hiloop_redis_received_total").await;
    second.shows("hiloop_redis_channels", 2.0).await;
    let message = post(&first.owner, &session, "with Redis").await;
    takes(&mut socket, &message).await;
    assert!(first.metric("hiloop_redis_published_total").await >= 1.0);
    assert!(second.metric("hiloop_redis_received_total").await > received);

    redis.kill();
    for node in [&first, &second] {
        node.shows("hiloop_redis_unreachable", 1.0).await;
        node.logs("Redis is unavailable").await;
        assert!(node.metric("hiloop_redis_disconnects_total").await >= 1.0);
    }
    let repairs = second.metric("hiloop_repairs_total").await;
    let message = post(&first.owner, &session, "without").await;
    let since = Stopwatch::start();
    takes(&mut socket, &message).await;
    assert!(since.elapsed() < BY_THE_STORE, "{:?}", since.elapsed());
    assert!(second.metric("hiloop_repairs_total").await > repairs, "it was read from the store");
    assert!(first.metric("hiloop_redis_dropped_total").await >= 1.0);

    redis.revive().await;
    for node in [&first, &second] {
        node.shows("hiloop_redis_unreachable", 0.0).await;
    }
    let message = post(&first.owner, &session, "with it again").await;
    takes(&mut socket, &message).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_partitioned_from_redis_serves_and_misses_nothing() {
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
    assert_eq!(whole.metric("hiloop_redis_unreachable").await, 0.0);
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
    // Settled once on the partitioned node and delivered on the other, and vice versa.
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

/// A full Redis delivers messages and rejects writes, which is logged once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejected_presence_writes_are_logged() {
    const REFUSED: &str = "Redis rejects presence updates";
    let redis = Redis::start().await;
    let postgres = Postgres::start();
    let node = Node::start(&postgres.new_database(), redis.port(), None);
    node.shows("hiloop_redis_unreachable", 0.0).await;
    for round in 0..2 {
        let logged = node.log_after(0).len();
        redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
        node.logs_after(logged, REFUSED).await;
        // Further attempts fail, as the expired lease shows, and are not logged again.
        eventually("the lease to expire", async || {
            let keys: Vec<String> = redis::from_redis_value(redis.command(&["KEYS", "*:node:*"]).await).expect("names");
            keys.is_empty().then_some(())
        })
        .await;
        assert_eq!(node.log_after(logged).matches(REFUSED).count(), 1, "in round {round}");
        redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
        eventually("the lease to be renewed", async || {
            let keys: Vec<String> = redis::from_redis_value(redis.command(&["KEYS", "*:node:*"]).await).expect("names");
            (!keys.is_empty()).then_some(())
        })
        .await;
    }
}

/// A primary that was demoted takes no writes: messages are still delivered, presence does not change until it is a primary
/// again, and the rejection is logged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demoted_redis_still_delivers_messages() {
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
    eventually("the leases to expire", async || (leases().await == 0).then_some(())).await;
    // Without Redis all would be found in the store; on a busy machine a tick may find some of them first.
    let mut live = 0;
    for number in 0..10 {
        let found = second.metric("hiloop_repairs_total").await;
        let message = post(&first.owner, &session, &format!("{number}")).await;
        takes(&mut theirs, &message).await;
        live += usize::from(second.metric("hiloop_repairs_total").await <= found);
    }
    assert!(live >= 5, "{live} of 10 messages came by Redis");
    theirs.send(json!({ "type": "typing", "sessionId": session, "typing": true })).await;
    assert_eq!(watching.find("typing").await["typing"], json!(true));
    // Presence changes are not announced; the last known state is kept.
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
        assert_eq!(node.log_after(0).matches(REFUSED).count(), 1, "it is logged once");
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
    eventually("the leases to be renewed", async || (leases().await == 2).then_some(())).await;
    let message = post(&first.owner, &session, "again").await;
    takes(&mut late, &message).await;
    // And presence works again.
    drop(late);
    assert_eq!(watching.find("presence").await["online"], json!(false));
}
