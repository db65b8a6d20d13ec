//! Clocks of nodes that are wrong.

use crate::support::hub::{Engine, at_agent};
use crate::support::process::{Process, hiloop};
use crate::support::{Nodes, Redis, Socket, Stopwatch};
use hiloop::clock::{Clock as _, ShiftedClock, SystemClock};
use serde_json::json;
use sqlx::Connection as _;
use std::fs::File;
use std::time::Duration;

/// Lets the database's clock differ from this machine's: its `clock_timestamp` precedes PostgreSQL's own.
async fn shift_clock((name, url): (&str, &str), seconds: i32) {
    let shift = format!(
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql
             AS $$ SELECT pg_catalog.clock_timestamp() + make_interval(secs => {seconds}) $$;
         ALTER DATABASE {name} SET search_path = public, pg_catalog"
    );
    let mut connection = sqlx::PgConnection::connect(url).await.expect("the database");
    sqlx::raw_sql(sqlx::AssertSqlSafe(shift)).execute(&mut connection).await.expect("the function");
}

/// The hub logs once, at its start, that its machine's clock differs; it logs nothing where the clocks agree.
#[tokio::test]
async fn a_clock_that_differs_from_the_databases_is_logged() {
    for (seconds, times) in [(0, 0), (5, 1)] {
        let (name, database) = crate::support::postgres::shared().create(None);
        if seconds != 0 {
            shift_clock((&name, &database), seconds).await;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let mut command = hiloop(folder.path());
        command.env("DATABASE_URL", &database).env("HILOOP_LISTEN", "127.0.0.1:0");
        let mut hub = Process::spawn(command.stderr(File::create(&log).expect("a file")));
        assert_eq!(hub.terminate(), Some(0));
        let logged = std::fs::read_to_string(&log).expect("text");
        let lines: Vec<&str> =
            logged.lines().filter(|line| line.contains("clock differs from the database's")).collect();
        assert_eq!(lines.len(), times, "{logged}");
        assert!(lines.iter().all(|line| line.contains("WARN") && line.contains("milliseconds")), "{logged}");
    }
}

/// Machines whose clocks differ by 5 s in either direction: all nodes use the database's time.
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
    // Retried, in case the machine was suspended for a moment: a wrong clock would fail each time.
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
    // Once each, and no further events.
    socket.expect_none("event").await;
    // A token that every node verifies.
    for node in 0..3 {
        nodes.at(node, &human).get("/v1/human/me").await.expect(200);
    }
}
