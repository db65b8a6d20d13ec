//! Several nodes over one store and one Redis, with outages.

mod delivery;
mod failures;
mod nodes;

use crate::support::hub::at_agent;
use crate::support::{Client, Redis, Socket, Stopwatch, eventually};
use hiloop::server::Server;
use serde_json::{Value, json};
use std::time::Duration;

/// Sooner than the reconcile tick could be by chance, ten times running.
const LIVE: Duration = Duration::from_millis(300);

async fn post(client: &Client, session: &str, content: &str) -> Value {
    client.post(&at_agent(session, "/messages"), json!({ "encryptedContent": content })).await.expect(201)
}

/// Checks that something happens ten times in a row, each time within `limit`. Retried a few times, in case the machine
/// was suspended for a moment.
async fn within(limit: Duration, what: &str, mut once: impl AsyncFnMut() -> Duration) {
    let mut late = Vec::new();
    let mut running = 0;
    while running < 10 {
        let took = Box::pin(once()).await;
        running += 1;
        if took >= limit {
            late.push(took);
            running = 0;
            assert!(late.len() < 5, "{what} took {late:?}");
        }
    }
}

/// The delay of a delivery by Redis: zero unless the node read the event from the store, since a busy machine may delay
/// an immediate delivery too.
async fn unless_told(node: &Server, once: impl Future<Output = Duration>) -> Duration {
    let repairs = node.context.metrics.repairs.get();
    let took = once.await;
    if node.context.metrics.repairs.get() == repairs { Duration::ZERO } else { took }
}

/// Posts on one node and reads on another; returns the delay from before the post.
async fn way(writer: &Client, reader: &mut Socket, session: &str) -> Duration {
    let since = Stopwatch::start();
    let posted = post(writer, session, "on its way").await;
    let event = reader.event().await;
    assert_eq!(event["data"]["message"]["id"], posted["id"]);
    since.elapsed()
}

/// Checks that messages are delivered to this node by Redis.
async fn crosses_at_once(writer: &Client, node: &Server, reader: &mut Socket, session: &str) {
    within(LIVE, "a message", async || unless_told(node, way(writer, reader, session)).await).await;
}

/// Waits until a node is subscribed to this session's channel.
async fn listened_to(redis: &Redis, session: &str) {
    eventually("a subscription to the session", async || {
        (!redis.channels(&format!("hiloop:*:session:{session}")).await.is_empty()).then_some(())
    })
    .await;
}
