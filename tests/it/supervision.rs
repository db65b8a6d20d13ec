//! Long-lived tasks that panic: they are restarted, nothing is lost silently, and a node whose task does not restart
//! is not ready.

use crate::support::hub::{Engine, Hub, at_agent, config, say, text};
use crate::support::{Client, Socket, eventually};
use bytes::Bytes;
use futures::future::join_all;
use hiloop::broker::{Broker, Signal};
use hiloop::clock::SystemClock;
use hiloop::domain::{ConnectionId, Principal, SessionId, SpaceId};
use hiloop::server::{Server, start_with};
use hiloop::testing::EventBatch;
use hiloop::testing::{Connection, DeliveryCount, EndReason, Subscriber};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A broker with a bug: it panics a given number of times, right after a commit.
#[derive(Default)]
struct Buggy {
    panics: AtomicUsize,
}

impl Broker for Buggy {
    fn publish(&self, signal: Signal) {
        let left = matches!(signal, Signal::Events(_))
            && self.panics.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        assert!(!left, "a bug for this test");
    }

    fn set_interest(&self, _: SessionId, _: bool) {}

    fn set_space_interest(&self, _: SpaceId, _: bool) {}

    fn is_lossless(&self) -> bool {
        true
    }
}

/// A node with such a broker, beside the hub that made its store.
async fn start() -> (Hub, Server, Arc<Buggy>) {
    let (maker, broker) = (Hub::start(Engine::Sqlite).await, Arc::<Buggy>::default());
    let node = start_with(config(&maker.database_url, &[]), Arc::new(SystemClock), broker.clone()).await;
    (maker, node.expect("the node starts"), broker)
}

fn at(node: &Server, client: &Client) -> Client {
    Client { base: format!("http://{}", node.address), ..client.clone() }
}

async fn panics(owner: &Client, task: &str) -> String {
    let metrics = owner.get("/metrics").await.expect(200);
    let series = format!("hiloop_task_panics_total{{task=\"{task}\"}} ");
    text(&metrics).lines().find_map(|line| line.strip_prefix(&series)).unwrap_or("0").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panicking_writer_loses_no_acknowledged_write_and_restarts() {
    let (maker, node, broker) = start().await;
    let agent = at(&node, &maker.agent("agent").await);
    let session = maker.session(&agent).await;
    let mut socket = Socket::open(&agent).await;
    socket.subscribe(&session, None).await;
    let path = at_agent(&session, "/messages");
    broker.panics.store(1, Ordering::SeqCst);
    let posts = (0..40).map(|number| agent.post(&path, json!({ "encryptedContent": number.to_string() })));
    let replies = join_all(posts).await;
    let mut acknowledged = 0;
    for reply in replies {
        match reply.status {
            201 => acknowledged += 1,
            _ => drop(reply.expect_error(503, "UNAVAILABLE")),
        }
    }
    assert!(acknowledged < 40, "one request was in the panicking batch");
    // It continues, and readers get every stored event, acknowledged or not.
    let last = say(&agent, &session, "after").await["seq"].as_i64().expect("a seq");
    assert!(last > acknowledged + 1);
    for seq in 2..=last {
        assert_eq!(socket.event().await["seq"], json!(seq));
    }
    assert_eq!(panics(&at(&node, &maker.owner), "writer").await, "1");
    agent.get("/readyz").await.expect(200);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeatedly_panicking_task_fails_readiness_by_name() {
    let (maker, node, broker) = start().await;
    let agent = at(&node, &maker.agent("agent").await);
    let session = maker.session(&agent).await;
    broker.panics.store(usize::MAX, Ordering::SeqCst);
    let message = json!({ "encryptedContent": "x" });
    eventually("the node to become unready", async || {
        agent.post(&at_agent(&session, "/messages"), message.clone()).await.expect_error(503, "UNAVAILABLE");
        let reply = agent.get("/readyz").await;
        (reply.status == 503).then(|| assert_eq!(reply.body["failing"], json!(["writer"])))
    })
    .await;
    agent.get("/livez").await.expect(200);
    broker.panics.store(0, Ordering::SeqCst);
    eventually("it to be ready again", async || (agent.get("/readyz").await.status == 200).then_some(())).await;
    agent.post(&at_agent(&session, "/messages"), message).await.expect(201);
    node.stop().await;
}

/// A subscriber with a bug: it panics at its first event.
struct Faulty {
    id: ConnectionId,
    calls: AtomicUsize,
}

impl Connection for Faulty {
    fn id(&self) -> ConnectionId {
        self.id
    }

    fn principal(&self) -> Option<Arc<Principal>> {
        None
    }

    fn revoke(&self) {}

    fn go_away(&self) {}
}

impl Subscriber for Faulty {
    fn deliver(&self, _: SessionId, _: &EventBatch) -> DeliveryCount {
        assert!(self.calls.fetch_add(1, Ordering::SeqCst) > 0, "a bug for this test");
        DeliveryCount::default()
    }

    fn note_high_water_mark(&self, _: SessionId, _: i64) {}

    fn send_ephemeral(&self, _: &Bytes) -> bool {
        true
    }

    fn deliver_feed(&self, _: SessionId, _: i64, _: &Bytes) -> bool {
        true
    }

    fn evict(&self, _: SessionId, _: EndReason) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_of_a_panicking_fan_out_worker_get_every_event() {
    let hub = Hub::start(Engine::Sqlite).await;
    let agent = hub.agent("agent").await;
    let session = hub.session(&agent).await;
    let live = &hub.context().hub;
    // On every worker, before the others.
    for _ in 0..32 {
        let faulty = Faulty { id: ConnectionId::new(), calls: AtomicUsize::new(0) };
        live.join(session.parse().expect("an id"), Arc::new(faulty)).await;
    }
    let mut sockets = Vec::new();
    for _ in 0..8 {
        let mut socket = hub.socket(&agent).await;
        socket.subscribe(&session, None).await;
        sockets.push(socket);
    }
    for words in ["one", "two", "three"] {
        say(&agent, &session, words).await;
    }
    for socket in &mut sockets {
        for seq in 2..=4 {
            assert_eq!(socket.event().await["seq"], json!(seq));
        }
    }
    assert_ne!(panics(&hub.owner, "fan-out").await, "0");
}
