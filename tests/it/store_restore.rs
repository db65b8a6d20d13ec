//! A database that goes back to an earlier state under running nodes, after a restore or a failover that lost commits:
//! readers are notified and never see a mixture of two histories.

use crate::support::hub::{Engine, Hub, ask, at_agent, at_human, at_message, config, say, text};
use crate::support::sql::Database;
use crate::support::{Client, Events, SilentBroker, Socket, eventually, on_both_engines};
use hiloop::broker::Signal;
use hiloop::clock::SystemClock;
use hiloop::server::start_with;
use serde_json::{Value, json};
use std::sync::Arc;

/// Restores a session's timeline to the event `seq`, as from a backup.
async fn rewind(hub: &Hub, session: &str, seq: i64) {
    let database = Database::open(&hub.database_url).await;
    let id = database.id(session);
    database
        .execute(&format!(
            "DELETE FROM events WHERE session_id = {id} AND seq > {seq}; \
             DELETE FROM messages WHERE session_id = {id} AND seq > {seq}; \
             UPDATE messages SET status = 'Pending', settled_seq = NULL, settled_at = NULL, settled_by = NULL, \
             response_message_id = NULL WHERE session_id = {id} AND settled_seq > {seq}; \
             UPDATE sessions SET last_seq = {seq}, \
             message_count = (SELECT COUNT(*) FROM messages WHERE session_id = {id}), \
             pending_count = (SELECT COUNT(*) FROM messages WHERE session_id = {id} AND status = 'Pending'), \
             updated_at = (SELECT at FROM events WHERE session_id = {id} AND seq = {seq}) WHERE id = {id}"
        ))
        .await;
}

async fn reset(socket: &mut Socket, session: &str) {
    let end = socket.find("unsubscribed").await;
    assert_eq!(end, json!({ "type": "unsubscribed", "sessionId": session, "reason": "reset" }));
}

/// Subscribes after the last seen event, reads the whole timeline, and checks that the last event is this message.
async fn begin_anew(socket: &mut Socket, session: &str, after: i64, newest: &Value) {
    let reply = socket.subscribe(session, Some(after)).await;
    let head = reply["seq"].as_i64().expect("a seq");
    if after > head {
        assert_eq!((&reply["reset"], &reply["firstSeq"], &reply["replay"]), (&json!(true), &json!(1), &json!(head)));
        for seq in 1..head {
            assert_eq!(socket.event().await["seq"], json!(seq));
        }
        assert_eq!(socket.event().await["data"]["message"]["id"], newest["id"]);
    } else {
        assert_eq!(reply.get("reset"), None);
    }
}

on_both_engines! {
    async fn readers_restart_when_a_restored_store_reuses_a_seq(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let (mut socket, mut feed) = (hub.socket(&agent).await, hub.socket(&agent).await);
        socket.subscribe(&session, None).await;
        feed.ask(json!({ "type": "subscribe", "feed": true })).await;
        let mut stream = Events::open(&agent, &at_agent(&session, "/events")).await;
        for words in ["one", "two", "three"] {
            say(&agent, &session, words).await;
        }
        assert_eq!(stream.seqs(3).await, [2, 3, 4]);
        for seq in 2..=4 {
            assert_eq!(socket.event().await["seq"], json!(seq));
            assert_eq!(feed.find("feed").await["seq"], json!(seq));
        }
        rewind(&hub, &session, 2).await;
        let twin = say(&agent, &session, "two, but another").await;
        assert_eq!(twin["seq"], json!(3));
        reset(&mut socket, &session).await;
        assert!(stream.next().await.is_none(), "the stream ends");
        assert_eq!(feed.find("feed").await["seq"], json!(3));
        begin_anew(&mut socket, &session, 4, &twin).await;
        let mut stream = Events::open(&agent, &at_agent(&session, "/events?after=4")).await;
        assert_eq!(stream.seqs(3).await, [1, 2, 3]);
        // Later events are delivered normally.
        say(&agent, &session, "four").await;
        assert_eq!(socket.event().await["seq"], json!(4));
        assert_eq!(stream.seqs(1).await, [4]);
        assert_eq!(feed.find("feed").await["seq"], json!(4));
        socket.expect_none("unsubscribed").await;
    }

    async fn a_long_poll_reads_the_store_again_after_a_restore(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let session = hub.session(&agent).await;
        let question = ask(&agent, &session).await;
        say(&agent, &session, "later").await;
        let path = at_message(&session, &question, "/await?timeout=55");
        let waiting = {
            let agent = agent.clone();
            tokio::spawn(async move { agent.get(&path).await.expect(200) })
        };
        let metric = &hub.context().metrics.long_polls;
        eventually("it to wait", async || (metric.get() == 1).then_some(())).await;
        rewind(&hub, &session, 2).await;
        // Reuses the `seq` of a lost message.
        say(&agent, &session, "instead").await;
        let answer = json!({ "encryptedContent": "!", "inReplyTo": question["id"] });
        human.post(&at_human(&session, "/messages"), answer).await.expect(201);
        assert_eq!(waiting.await.expect("no panic")["status"], "Completed");
    }
}

/// The store is restored after the subscription has joined the fan-out and before it has read its start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_interrupted_by_a_reset_can_be_retried() {
    let hub = Hub::start(Engine::Postgres).await;
    let database = Database::open(&hub.database_url).await;
    let (host, member) = (hub.agent("space").await, hub.agent("agent").await);
    let session = hub.session(&member).await;
    let (mut watcher, mut socket) = (hub.socket(&host).await, hub.socket(&member).await);
    watcher.subscribe(&session, None).await;
    for words in ["one", "two"] {
        say(&member, &session, words).await;
        watcher.event().await;
    }
    let lock = database.bar("participants").await;
    socket.send(json!({ "type": "subscribe", "id": "s", "sessionId": session, "after": 3 })).await;
    // A phrase that only the query of a subscription has.
    eventually("it to wait", async || (database.waiting("OFFSET 20)").await == 1).then_some(())).await;
    rewind(&hub, &session, 2).await;
    hub.context().hub.compare_later(session.parse().expect("an id"));
    reset(&mut watcher, &session).await;
    lock.rollback().await.expect("it ends");
    let reply = loop {
        let frame = socket.next().await;
        if frame["id"] == "s" {
            break frame;
        }
    };
    assert_eq!(reply["error"]["code"], "UNAVAILABLE", "{reply}");
    let newest = say(&member, &session, "two, but another").await;
    begin_anew(&mut socket, &session, 4, &newest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_detects_a_restore_without_hints() {
    for overtakes in [false, true] {
        let hub = Hub::start(Engine::Postgres).await;
        let settings = config(&hub.database_url, &[]);
        let node = start_with(settings, Arc::new(SystemClock), Arc::new(SilentBroker)).await.expect("the node starts");
        let agent = hub.agent("agent").await;
        let listener = Client { base: format!("http://{}", node.address), ..agent.clone() };
        let session = hub.session(&agent).await;
        let mut socket = Socket::open(&listener).await;
        socket.subscribe(&session, None).await;
        for words in ["one", "two", "three"] {
            say(&agent, &session, words).await;
        }
        for seq in 2..=4 {
            assert_eq!(socket.event().await["seq"], json!(seq));
        }
        rewind(&hub, &session, 2).await;
        let mut newest = say(&agent, &session, "two, but another").await;
        if overtakes {
            // Possibly before the node compares: then only the events themselves differ.
            for words in ["three", "four", "five"] {
                newest = say(&agent, &session, words).await;
            }
        }
        reset(&mut socket, &session).await;
        begin_anew(&mut socket, &session, 4, &newest).await;
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_continue_after_a_hint_beyond_the_head() {
    let hub = Hub::start(Engine::Sqlite).await;
    let agent = hub.agent("agent").await;
    let session = hub.session(&agent).await;
    let mut socket = hub.socket(&agent).await;
    socket.subscribe(&session, None).await;
    let mut stream = Events::open(&agent, &at_agent(&session, "/events")).await;
    let me = agent.get(&at_agent(&session, "")).await.expect(200);
    let space = text(&me["spaceId"]).parse().expect("an id");
    let reach = Signal::Reach { space, session: session.parse().expect("an id"), seq: 1000 };
    hub.context().hub.accept(reach);
    for seq in 2..=30 {
        say(&agent, &session, "x").await;
        assert_eq!(socket.event().await["seq"], json!(seq));
        assert_eq!(stream.seqs(1).await, [seq]);
    }
    socket.expect_none("unsubscribed").await;
}
