//! Subscriptions and feeds in transition: renewed while the store fails, ended while they begin, left without a
//! reader.

use crate::support::hub::{Engine, at_agent, say, text};
use crate::support::sql::Database;
use crate::support::{Hub, Socket, on_both_engines};
use hiloop::broker::Signal;
use hiloop::domain::{EventHint, EventType, SessionId, SpaceId};
use serde_json::{Value, json};

/// Reads frames up to the reply to `id`; returns the subscriptions that ended before it, and the reply.
async fn reply_to(socket: &mut Socket, id: &str) -> (Vec<Value>, Value) {
    let mut ended = Vec::new();
    loop {
        let frame = socket.next().await;
        if frame["id"] == id {
            return (ended, frame);
        }
        // Ephemeral frames may arrive at any time.
        if frame["type"] == "unsubscribed" {
            ended.push(frame);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_continues_if_its_renewal_fails() {
    let hub = Hub::start(Engine::Postgres).await;
    let database = Database::open(&hub.database_url).await;
    let agent = hub.agent("agent").await;
    let session = hub.session(&agent).await;
    let mut socket = hub.socket(&agent).await;
    socket.subscribe(&session, None).await;
    say(&agent, &session, "one").await;
    assert_eq!(socket.event().await["seq"], json!(2));
    // Longer than the hub waits for a lock.
    let lock = database.bar("participants").await;
    socket.send(json!({ "type": "subscribe", "id": "again", "sessionId": session, "after": 2 })).await;
    let (ended, reply) = reply_to(&mut socket, "again").await;
    assert_eq!((ended, &reply["error"]["code"]), (vec![], &json!("UNAVAILABLE")), "{reply}");
    lock.rollback().await.expect("it ends");
    for (seq, words) in [(3, "two"), (4, "three")] {
        say(&agent, &session, words).await;
        assert_eq!(socket.event().await["seq"], json!(seq));
    }
    socket.subscribe(&session, Some(2)).await;
    assert_eq!((socket.event().await["seq"].take(), socket.event().await["seq"].take()), (json!(3), json!(4)));
}

on_both_engines! {
    async fn a_renewal_without_access_ends_the_subscription(hub: Hub) {
        let database = Database::open(&hub.database_url).await;
        let (host, member) = (hub.agent("space").await, hub.agent("agent").await);
        let me = member.get("/v1/agent/me").await.expect(200);
        let session = hub.session(&host).await;
        let body = json!({ "type": "Agent", "agentId": me["id"] });
        let participant = host.post(&at_agent(&session, "/participants"), body).await.expect(201);
        let mut socket = hub.socket(&member).await;
        socket.subscribe(&session, None).await;
        // Without a hint of the removal, as if it were late.
        let gone = database.id(text(&participant["id"]));
        database.execute(&format!("DELETE FROM participants WHERE id = {gone}")).await;
        socket.send(json!({ "type": "subscribe", "id": "again", "sessionId": session })).await;
        let (ended, reply) = reply_to(&mut socket, "again").await;
        assert_eq!(reply["error"]["code"], "NOT_FOUND", "{reply}");
        let end = json!({ "type": "unsubscribed", "sessionId": session, "reason": "removed" });
        assert_eq!(ended, [end]);
        // A subscription that never started does not end.
        socket.send(json!({ "type": "subscribe", "id": "anew", "sessionId": session })).await;
        let (ended, reply) = reply_to(&mut socket, "anew").await;
        assert_eq!((ended, &reply["error"]["code"]), (vec![], &json!("NOT_FOUND")));
        say(&host, &session, "one").await;
        socket.expect_none("event").await;
    }
}

/// A busy space without feeds on this node must not delay the feeds of another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_space_without_feeds_causes_no_queries() {
    let hub = Hub::start(Engine::Postgres).await;
    let database = Database::open(&hub.database_url).await;
    let agent = hub.agent("agent").await;
    let session = hub.session(&agent).await;
    let space = text(&agent.get(&at_agent(&session, "")).await.expect(200)["spaceId"]).parse().expect("an id");
    let mut feed = hub.socket(&agent).await;
    feed.ask(json!({ "type": "subscribe", "feed": true })).await;
    say(&agent, &session, "one").await;
    assert_eq!(feed.find("feed").await["seq"], json!(2));
    // The participants can't be read now; those of this session are cached.
    let lock = database.bar("participants").await;
    let hint = |space, session, seq| {
        let at = hub.context().clock.now();
        EventHint { space, session, seq, kind: EventType::MessageCreated, at, pending: 0 }
    };
    let strangers = (0..3).map(|_| hint(SpaceId::new(), SessionId::new(), 1)).collect();
    hub.context().hub.accept(Signal::Hints(strangers));
    hub.context().hub.accept(Signal::Hints(vec![hint(space, session.parse().expect("an id"), 3)]));
    assert_eq!(feed.find("feed").await["seq"], json!(3));
    lock.rollback().await.expect("it ends");
    let metrics = hub.owner.get("/metrics").await.expect(200);
    let failures = "hiloop_store_errors_total{during=\"reconcile\"} 0";
    assert!(text(&metrics).lines().any(|line| line == failures), "{metrics}");
}

/// Feeds that start and end repeatedly, including across the tick that releases spaces without feeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_begins_as_another_ends_misses_nothing() {
    let hub = Hub::start(Engine::Sqlite).await;
    let agent = hub.agent("agent").await;
    let session = hub.session(&agent).await;
    let mut socket = hub.socket(&agent).await;
    for seq in 2..300 {
        let frame = json!({ "type": "subscribe", "feed": true });
        assert_eq!(socket.ask(frame).await["type"], "subscribed");
        say(&agent, &session, "x").await;
        let hint = socket.find("feed").await;
        assert_eq!((&hint["sessionId"], &hint["seq"]), (&json!(session), &json!(seq)));
        socket.ask(json!({ "type": "unsubscribe", "feed": true })).await;
    }
}
