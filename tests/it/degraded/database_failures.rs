//! PostgreSQL restarts; a commit is not announced.

use super::{BY_THE_STORE, Node, post, session, takes};
use crate::support::hub::at_agent;
use crate::support::relay::Relay;
use crate::support::{Client, Postgres, Redis, Socket, Stopwatch, eventually};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn during_a_postgres_restart_writes_get_503_and_sockets_stay_open() {
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
        // Typing over an authenticated socket needs no query.
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
    // The long-poll has survived both restarts.
    second.owner.post(&at_agent(&session, &format!("/messages/{message}/cancel")), json!({})).await.expect(200);
    let since = Stopwatch::start();
    let settled = poll.await.expect("no panic");
    assert_eq!(settled["status"], "Cancelled");
    assert!(since.elapsed() < BY_THE_STORE, "{:?}", since.elapsed());
}

/// A node that is partitioned from Redis and killed right after its reply: to the others it died between commit and
/// publish.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unannounced_commit_is_delivered_by_reconciliation() {
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
    // A client without the reply retries with the same key, on a node that got no hint.
    assert_eq!(post(&keyed(&stays.owner), &session, "my last words").await, message);
    socket.expect_none("event").await;
    feed.expect_none("feed").await;
}
