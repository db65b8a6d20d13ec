//! Sessions whose rows are locked by another transaction: only requests to these sessions wait, and nothing is lost.

use crate::support::hub::{Engine, Hub, SESSIONS, at_agent, config, say, text};
use crate::support::sql::Database;
use crate::support::{Client, eventually};
use futures::future::join_all;
use hiloop::broker::LocalBroker;
use hiloop::clock::SystemClock;
use hiloop::server::start_with;
use serde_json::{Value, json};
use sqlx::{PgPool, Postgres, Transaction};
use std::sync::Arc;

/// Another transaction that locks the rows of these sessions.
struct Hold(Transaction<'static, Postgres>);

impl Hold {
    async fn on(hub: &Hub, sessions: &[&str]) -> Self {
        let Database::Postgres(pool) = Database::open(&hub.database_url).await else { panic!("on PostgreSQL alone") };
        let mut tx = PgPool::begin(&pool).await.expect("a transaction");
        for session in sessions {
            let id = session.parse::<uuid::Uuid>().expect("an id");
            let lock = sqlx::query("SELECT id FROM sessions WHERE id = $1 FOR UPDATE").bind(id);
            lock.execute(&mut *tx).await.expect("the lock");
        }
        Self(tx)
    }

    async fn end(self) {
        self.0.rollback().await.expect("it ends");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locked_sessions_do_not_delay_others_of_the_batch() {
    let hub = Hub::start(Engine::Postgres).await;
    let agent = hub.agent("agent").await;
    let mut sessions = Vec::new();
    for _ in 0..40 {
        sessions.push(hub.session(&agent).await);
    }
    // More locked sessions than lock waits at a time.
    let held: Vec<&str> = sessions[..8].iter().map(String::as_str).collect();
    let hold = Hold::on(&hub, &held).await;
    let post =
        async |session: &String| agent.post(&at_agent(session, "/messages"), json!({ "encryptedContent": "x" })).await;
    let stuck = join_all(sessions[..8].iter().map(post));
    tokio::pin!(stuck);
    let free = join_all(sessions[8..].iter().map(post));
    tokio::select! {
        biased;
        _ = &mut stuck => panic!("the locked sessions came first"),
        replies = free => replies.into_iter().for_each(|reply| drop(reply.expect(201))),
    }
    hold.end().await;
    for reply in stuck.await {
        assert!([201, 503].contains(&reply.status), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_participant_readded_while_the_store_is_locked_gets_every_event() {
    let hub = Hub::start(Engine::Postgres).await;
    let (host, member) = (hub.agent("space").await, hub.agent("agent").await);
    let me = member.get("/v1/agent/me").await.expect(200);
    let member_body = json!({ "type": "Agent", "agentId": me["id"] });
    let (session, other) = (hub.session(&host).await, hub.session(&member).await);
    let add = async || host.post(&at_agent(&session, "/participants"), member_body.clone()).await.expect(201);
    let remove = async |participant: &Value| {
        let path = at_agent(&session, &format!("/participants/{}", text(&participant["id"])));
        host.delete(&path).await.expect(204);
    };
    let first = add().await;
    let mut socket = hub.socket(&member).await;
    socket.subscribe(&session, None).await;

    // The socket waits for a locked session, with a subscription queued behind it.
    let hold = Hold::on(&hub, &[&other]).await;
    socket.send(json!({ "type": "send", "id": "s", "sessionId": other, "encryptedContent": "x" })).await;
    socket.send(json!({ "type": "subscribe", "id": "again", "sessionId": session })).await;
    remove(&first).await;
    assert_eq!(socket.find("unsubscribed").await["reason"], "removed");
    add().await;
    hold.end().await;
    let reply = loop {
        let frame = socket.next().await;
        if frame["id"] == "again" {
            break frame;
        }
    };
    assert_eq!(reply["type"], "subscribed", "{reply}");
    // Delayed events have arrived by now.
    socket.ask(json!({ "type": "ping" })).await;
    for words in ["one", "two"] {
        let said = say(&host, &session, words).await;
        assert_eq!(socket.event().await["data"]["message"]["id"], said["id"]);
    }
    socket.expect_none("unsubscribed").await;
}

/// Sessions of a release that did not record their size are counted one by one, and some are locked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_byte_counts_of_one_space_do_not_affect_other_quotas() {
    let maker = Hub::start(Engine::Postgres).await;
    let (mut slow, mut held) = (Vec::new(), Vec::new());
    // The lock timeouts together exceed the duration of this test.
    for _ in 0..8 {
        let manager = maker.other_space().await;
        held.push(maker.session(&manager).await);
        slow.push(manager);
    }
    let database = Database::open(&maker.database_url).await;
    database.execute("UPDATE sessions SET bytes = NULL").await;
    let full = maker.other_space().await;
    let session = maker.session(&full).await;
    for _ in 0..3 {
        say(&full, &session, &"x".repeat(10_000)).await;
    }
    let node = config(&maker.database_url, &["--space-bytes", "20000"]);
    let node = start_with(node, Arc::new(SystemClock), Arc::new(LocalBroker)).await.expect("the node starts");
    let at = |client: &Client| Client { base: format!("http://{}", node.address), ..client.clone() };
    let hold = Hold::on(&maker, &held.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for manager in &slow {
        at(manager).post(SESSIONS, json!({})).await.expect(201);
    }
    let refused = eventually("the full space to be known", async || {
        let reply = at(&full).post(SESSIONS, json!({})).await;
        (reply.status != 201).then_some(reply)
    })
    .await;
    refused.expect_error(409, "LIMIT_REACHED");
    hold.end().await;
    // Then the other sessions are counted too.
    say(&slow[0], &held[0], &"x".repeat(25_000)).await;
    database.execute("UPDATE sessions SET bytes = NULL").await;
    let fresh = config(&maker.database_url, &["--space-bytes", "20000"]);
    let other = start_with(fresh, Arc::new(SystemClock), Arc::new(LocalBroker)).await.expect("the node starts");
    let at_other = Client { base: format!("http://{}", other.address), ..slow[0].clone() };
    eventually("the remaining sessions to be counted", async || {
        (at_other.post(SESSIONS, json!({})).await.status == 409).then_some(())
    })
    .await;
    node.stop().await;
    other.stop().await;
}
