//! Replies that are lost: a commit whose reply does not arrive, a revocation whose request is cut off, a long-poll that
//! begins while the node drains.

use crate::support::hub::{Engine, at_agent, at_human, config, text};
use crate::support::lost_commit_reply::LostCommitReply;
use crate::support::socket::End;
use crate::support::sql::Database;
use crate::support::{Client, Events, Hub, Socket, Stopwatch, eventually, on_both_engines};
use futures::future::join;
use hiloop::server::start;
use serde_json::json;
use std::time::Duration;

/// The reconcile tick of a second, with a margin for a busy machine.
const BY_THE_STORE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_delivered_when_the_reply_of_its_commit_is_lost() {
    // A single node, so that only the commit of unknown outcome makes it read the store.
    let hub = Hub::start(Engine::Postgres).await;
    let relay = LostCommitReply::to(&hub.database_url).await;
    let server = start(config(&relay.url, &[])).await.expect("the hub starts");
    let at = |client: &Client| Client { base: format!("http://{}", server.address), ..client.clone() };
    let (agent, human) = (at(&hub.agent("agent").await), at(&hub.human().await));
    let session = agent.post("/v1/agent/sessions", json!({})).await.expect(201);
    let session = text(&session["id"]).to_owned();
    let question = json!({ "encryptedContent": "?", "responseRequired": true });
    let question = agent.post(&at_agent(&session, "/messages"), question).await.expect(201);
    let mut socket = Socket::open(&agent).await;
    socket.subscribe(&session, None).await;
    let mut feed = Socket::open(&agent).await;
    feed.ask(json!({ "type": "subscribe", "feed": true })).await;
    let mut stream = Events::open(&agent, &at_agent(&session, "/events")).await;

    let path = at_agent(&session, &format!("/messages/{}/await?timeout=40", text(&question["id"])));
    let poll = agent.get(&path);
    let answer = async {
        eventually("the poll to wait", async || (server.context.hub.connection_count() == 4).then_some(())).await;
        relay.arm();
        let answer = json!({ "encryptedContent": "!", "inReplyTo": question["id"] });
        human.post(&at_human(&session, "/messages"), answer).await.expect_error(503, "UNAVAILABLE");
        assert!(relay.has_dropped());
        Stopwatch::start()
    };
    let (settled, since) = join(poll, answer).await;
    assert_eq!(settled.expect(200)["status"], "Completed");
    assert!(since.elapsed() < BY_THE_STORE, "{:?}", since.elapsed());
    for kind in ["message.created", "message.completed"] {
        assert_eq!(socket.event().await["type"], kind);
        assert_eq!(feed.find("feed").await["event"], kind);
        assert_eq!(stream.next().await.expect("an event")["type"], kind);
    }
    assert!(since.elapsed() < 2 * BY_THE_STORE, "{:?}", since.elapsed());
    server.stop().await;
}

on_both_engines! {
    async fn an_unannounced_revocation_ends_sockets(hub: Hub) {
        let made = hub.owner.post("/v1/manage/keys", json!({ "permission": "space" })).await.expect(201);
        let agent = hub.anonymous().with("x-api-key", text(&made["apiKey"]));
        let mut socket = hub.socket(&agent).await;
        // As after a request that is cut off right after its commit.
        let database = Database::open(&hub.database_url).await;
        let (key, entry) = (database.id(text(&made["id"])), database.id("0198f7b2-0000-7000-8000-000000000001"));
        let now = hub.clock.as_ref();
        let now = hiloop::clock::Clock::now(now).0;
        database
            .execute(&format!(
                "UPDATE api_keys SET revoked_at = {now} WHERE id = {key}; \
                 INSERT INTO revocations (id, subject, at) VALUES ({entry}, {key}, {now})"
            ))
            .await;
        let since = Stopwatch::start();
        assert_eq!(socket.end().await, End::Code(4403));
        assert!(since.elapsed() < BY_THE_STORE, "{:?}", since.elapsed());
    }

    async fn a_long_poll_that_begins_during_a_drain_is_answered(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let question = json!({ "encryptedContent": "?", "responseRequired": true });
        let question = agent.post(&at_agent(&session, "/messages"), question).await.expect(201);
        // The waiting long-polls have been answered; then another request arrives.
        hub.context().hub.drain();
        let since = Stopwatch::start();
        let path = at_agent(&session, &format!("/messages/{}/await?timeout=50", text(&question["id"])));
        assert_eq!(agent.get(&path).await.expect(200)["status"], "Pending");
        assert!(since.elapsed() < BY_THE_STORE, "{:?}", since.elapsed());
    }
}
