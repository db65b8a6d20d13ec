//! Several nodes over one store and one Redis, which comes and goes.

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

/// Sees something happen ten times running, each time within `limit`. A machine that is held up for a moment gets a few
/// more chances at that; a hub that tells of something late, or not at all, does so again and again.
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

/// How late something came to a node that it was to come to by Redis: not at all unless the node found it in the store,
/// since a busy machine takes its time with what is told at once, too.
async fn unless_told(node: &Server, once: impl Future<Output = Duration>) -> Duration {
    let repairs = node.context.metrics.repairs.get();
    let took = once.await;
    if node.context.metrics.repairs.get() == repairs { Duration::ZERO } else { took }
}

/// Posts on one node and reads on another; how long the way was, from before the post.
async fn way(writer: &Client, reader: &mut Socket, session: &str) -> Duration {
    let since = Stopwatch::start();
    let posted = post(writer, session, "on its way").await;
    let event = reader.event().await;
    assert_eq!(event["data"]["message"]["id"], posted["id"]);
    since.elapsed()
}

/// Messages cross to this node by Redis.
async fn crosses_at_once(writer: &Client, node: &Server, reader: &mut Socket, session: &str) {
    within(LIVE, "a message", async || unless_told(node, way(writer, reader, session)).await).await;
}

/// Waits until Redis has a listener for this session's channel.
async fn listened_to(redis: &Redis, session: &str) {
    eventually("a node listens to the session", async || {
        (!redis.channels(&format!("hiloop:*:session:{session}")).await.is_empty()).then_some(())
    })
    .await;
}
