//! The channels that a node subscribes to, and concurrent starts of many nodes.

use super::post;
use crate::support::hub::{config, text};
use crate::support::process::{Process, hiloop};
use crate::support::{Client, Redis, eventually, supervisor};
use hiloop::broker::redis::Target;
use hiloop::broker::{Broker, RedisBroker, Signal};
use hiloop::clock::ShiftedClock;
use hiloop::domain::{CommittedEvent, EventType, SessionId, SpaceId, Timestamp};
use hiloop::server::start_at;
use serde_json::json;
use std::sync::{Arc, Mutex};

/// Twenty nodes' worth of subscriptions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_subscribes_only_to_channels_with_readers() {
    let redis = Redis::start().await;
    let mut brokers = Vec::new();
    let received: Arc<Mutex<Vec<(usize, i64)>>> = Arc::default();
    for node in 0..20 {
        let broker = RedisBroker::new(Target::parse(&redis.url()).expect("a URL"), "store", supervisor());
        let received = Arc::clone(&received);
        broker.listen(Arc::new(move |signal| {
            if let Signal::SessionEvents(events) = signal {
                received.lock().expect("no panic").extend(events.iter().map(|event| (node, event.seq)));
            }
        }));
        brokers.push(broker);
    }
    let sessions: Vec<_> = (0..500).map(|_| SessionId::new()).collect();
    // Each session has readers on two nodes; some subscribe, unsubscribe and subscribe again.
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

    // Messages reach exactly the subscribed nodes, and never the sender.
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
    eventually("both arrive", async || (received.lock().expect("no panic").len() >= 3).then_some(())).await;
    let mut received = received.lock().expect("no panic").clone();
    received.sort_unstable();
    assert_eq!(received, [(0, 2), (1, 1), (1, 2)]);

    // All readers leave.
    for (number, session) in sessions.iter().enumerate() {
        for node in [number % 20, (number + 1) % 20] {
            brokers[node].set_interest(*session, false);
        }
    }
    eventually("there are no subscriptions", async || channels().await.is_empty().then_some(())).await;
    for broker in &brokers {
        broker.close().await;
    }
    eventually("no node is connected", async || redis.channels("hiloop:*").await.is_empty().then_some(())).await;
}

/// Ten nodes start at once on an empty database: one makes the schema, all serve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_nodes_start_concurrently_on_an_empty_database() {
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
async fn one_of_ten_concurrent_first_starts_prints_the_key() {
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
