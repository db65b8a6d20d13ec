//! Clocks of nodes that are wrong.

use crate::support::hub::{Engine, at_agent, config};
use crate::support::{Nodes, Redis, Socket, Stopwatch};
use hiloop::broker::LocalBroker;
use hiloop::clock::{Clock as _, ShiftedClock, SystemClock};
use hiloop::server::start_with;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// What is logged by the tests' own thread.
#[derive(Clone, Default)]
struct Log(Arc<parking_lot::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A node on a machine whose clock is wrong says so, once; on others it says nothing.
#[tokio::test]
async fn a_large_clock_difference_is_logged() {
    for (wrong_by, times) in [(0, 0), (-5_000, 1)] {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        let _here = tracing::subscriber::set_default(subscriber);
        let database = crate::support::postgres::new_database();
        let clock = ShiftedClock::wrong_by(wrong_by);
        let server = start_with(config(&database, &[]), clock.clone(), Arc::new(LocalBroker)).await.expect("it starts");
        // It compares before it serves.
        assert!(clock.now().millis_since(SystemClock.now()).abs() < 200);
        server.stop().await;
        let logged = String::from_utf8(log.0.lock().clone()).expect("text");
        let lines: Vec<&str> =
            logged.lines().filter(|line| line.contains("clock differs from the database's")).collect();
        assert_eq!(lines.len(), times, "{logged}");
        assert!(lines.iter().all(|line| line.contains("WARN") && line.contains("milliseconds=")), "{logged}");
    }
}

/// Machines that disagree about the time by 5 s, either way: the database's time is everybody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlines_and_tokens_hold_with_wrong_node_clocks() {
    let redis = Redis::start().await;
    let clocks = [0, 5_000, -5_000].map(ShiftedClock::wrong_by);
    let nodes = Nodes::start_with_clocks(Engine::Postgres, clocks.to_vec(), &redis).await;
    let metrics = |node: usize| nodes.servers[node].context.metrics.clock_correction.get();
    for (node, correction) in [(0, 0.0), (1, -5.0), (2, 5.0)] {
        let measured: f64 = metrics(node);
        assert!((measured - correction).abs() < 0.2, "node {node} corrects by {measured} s");
    }
    let human = nodes.maker.human().await;
    let session = nodes.maker.session(&nodes.owner(0)).await;
    let mut socket = Socket::open(&nodes.owner(0)).await;
    socket.subscribe(&session, None).await;
    // One that is told of late, on a machine that is held up for a moment, is asked again: a clock that is wrong is so
    // each time.
    let (mut asks, mut told_late) = (0, 0);
    while asks < clocks.len() {
        let since = Stopwatch::start();
        let deadline = clocks[asks].now().plus_millis(2_000);
        let question = json!({ "encryptedContent": "?", "responseRequired": true, "deadlineAt": deadline });
        let question = nodes.owner(asks).post(&at_agent(&session, "/messages"), question).await.expect(201);
        assert_eq!(socket.event().await["data"]["message"]["id"], question["id"]);
        let expired = socket.event().await;
        assert_eq!((&expired["type"], &expired["data"]["messageId"]), (&json!("message.expired"), &question["id"]));
        let late = SystemClock.now().millis_since(deadline);
        let is_late = since.elapsed() >= Duration::from_millis(3_000);
        told_late += usize::from(is_late);
        assert!(late > -100 && told_late < 3, "node {asks} asked; it expired {late} ms after its deadline");
        asks += usize::from(!is_late);
    }
    // Once each: nothing more came.
    socket.expect_none("event").await;
    // A token that any of them may look at.
    for node in 0..3 {
        nodes.at(node, &human).get("/v1/human/me").await.expect(200);
    }
}
