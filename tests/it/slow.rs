//! A socket that does not read costs nobody anything, and loses nothing.

use crate::support::hub::at_agent;
use crate::support::process::{Process, hiloop};
use crate::support::{Client, Socket, eventually};
use base64::Engine as _;
use futures::future::join_all;
use serde_json::json;
use std::time::{Duration, Instant};
use tempfile::tempdir;

const EVENTS: usize = 10_000;
const SIZE: usize = 4096;
const WRITERS: usize = 32;

/// Memory that a process has taken for itself, in KiB. (Of the program's own pages, which it shares with the other
/// hubs of a test run, its share grows whenever one of those ends.)
fn memory_kib(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the process lives");
    let line = text.lines().find(|line| line.starts_with("Anonymous:")).expect("a number");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// Posts `count` messages of about 4 KB from several writers.
async fn post_many(client: &Client, session: &str, count: usize) {
    let content = base64::engine::general_purpose::STANDARD.encode(vec![7; SIZE * 3 / 4]);
    let path = at_agent(session, "/messages");
    join_all((0..WRITERS).map(|writer| {
        let (path, content) = (&path, &content);
        async move {
            for _ in (writer..count).step_by(WRITERS) {
                client.post(path, json!({ "encryptedContent": content })).await.expect(201);
            }
        }
    }))
    .await;
}

/// The time from a POST to its event on the socket, for each of `count` messages one after the other.
async fn latencies(client: &Client, socket: &mut Socket, session: &str, count: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    for number in 0..count {
        let content = format!("ping {number}");
        let started = Instant::now();
        client.post(&at_agent(session, "/messages"), json!({ "encryptedContent": content })).await.expect(201);
        loop {
            let event = socket.event().await;
            if event["data"]["message"]["encryptedContent"]["ciphertext"] == content.as_str() {
                break;
            }
        }
        times.push(started.elapsed());
    }
    times.sort();
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_never_reads_costs_nothing_and_gets_everything_in_the_end() {
    let folder = tempdir().expect("a folder");
    let hub = Process::spawn(hiloop(folder.path()).env("HILOOP_LISTEN", "127.0.0.1:0"));
    let client = hub.owner();
    let session = client.post("/v1/agent/sessions", json!({})).await.expect(201);
    let session = session["id"].as_str().expect("an id").to_owned();
    let quiet = client.post("/v1/agent/sessions", json!({})).await.expect(201);
    let quiet = quiet["id"].as_str().expect("an id").to_owned();

    let mut neighbour = Socket::open(&client).await;
    neighbour.subscribe(&quiet, None).await;
    // Warm up what is allocated once: caches of the database, of the allocator.
    post_many(&client, &quiet, 2000).await;
    for _ in 0..2000 {
        neighbour.event().await;
    }
    let before = latencies(&client, &mut neighbour, &quiet, 50).await;

    let mut sleeper = Socket::open(&client).await;
    sleeper.subscribe(&session, Some(0)).await;
    let memory_before = memory_kib(hub.pid());
    post_many(&client, &session, EVENTS).await;
    let memory_after = memory_kib(hub.pid());
    let after = latencies(&client, &mut neighbour, &quiet, 50).await;

    let grown = memory_after.saturating_sub(memory_before);
    println!("memory: {memory_before} KiB before, {memory_after} KiB after; grown by {grown} KiB");
    println!("neighbour's median: {:?} before, {:?} after", before[25], after[25]);
    assert!(grown < 10 * 1024, "the hub grew by {grown} KiB");
    assert!(after[25] < before[25] * 2 + Duration::from_millis(5), "{:?} was {:?}", after[25], before[25]);

    // It reads again: everything, in order, once. (The first event is the session's own.)
    for seq in 1..=EVENTS + 1 {
        let event = sleeper.event().await;
        assert_eq!(event["seq"], json!(seq));
    }
    sleeper.expect_none("event").await;
    // And it is back to live.
    client.post(&at_agent(&session, "/messages"), json!({ "encryptedContent": "live" })).await.expect(201);
    assert_eq!(sleeper.event().await["seq"], json!(EVENTS + 2));
    eventually("the memory to come back", async || (memory_kib(hub.pid()) < memory_before + 10 * 1024).then_some(()))
        .await;
}
