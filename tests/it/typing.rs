//! Typing, when requests go to one node and then to another.

use crate::support::hub::{Engine, at_human};
use crate::support::{Nodes, Redis, Socket, Stopwatch, eventually};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Time after which a typing notice expires unless it is repeated.
const LAPSE: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typing_continued_on_another_node_ends_once() {
    let redis = Redis::start().await;
    let nodes = Nodes::start(Engine::Postgres, 3, &redis).await;
    let (agent, human) = (nodes.maker.agent("space").await, nodes.maker.human().await);
    let session = nodes.maker.session(&nodes.at(0, &agent)).await;
    let mut watchers = Vec::new();
    for node in 0..2 {
        let mut watcher = Socket::open(&nodes.at(node, &agent)).await;
        watcher.subscribe(&session, None).await;
        watchers.push(watcher);
    }
    eventually("both nodes to subscribe", async || {
        let channel = redis.channels(&format!("hiloop:*:session:{session}")).await.pop()?;
        let count = redis.command(&["PUBSUB", "NUMSUB", &channel]).await;
        (redis::from_redis_value::<(String, i64)>(count).expect("a count").1 == 2).then_some(())
    })
    .await;
    let says = async |node: usize, typing: bool| {
        let typing = json!({ "typing": typing });
        nodes.at(node, &human).post(&at_human(&session, "/typing"), typing).await.expect(204);
    };
    // They begin on the first node and go on over the others, of which the last has no readers.
    let began = Instant::now();
    for node in [0, 2, 1, 2] {
        says(node, true).await;
        for watcher in &mut watchers {
            assert_eq!(watcher.find("typing").await["typing"], true, "after {:?}", began.elapsed());
        }
        sleep(LAPSE * 6 / 10).await;
    }
    assert!(began.elapsed() > LAPSE * 2, "the notice would have expired on each node but the last");
    let since = Stopwatch::start();
    says(2, false).await;
    for watcher in &mut watchers {
        assert_eq!(watcher.find("typing").await["typing"], false);
    }
    assert!(since.elapsed() < LAPSE, "{:?} after they stopped", since.elapsed());
    // The end is announced only once.
    sleep(LAPSE + Duration::from_secs(1)).await;
    for watcher in &mut watchers {
        watcher.expect_none("typing").await;
    }
}
