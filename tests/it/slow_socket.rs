//! A socket that is not read slows down no other one and loses nothing.

use crate::support::hub::{at_agent, text};
use crate::support::process::{Process, hiloop};
use crate::support::{Client, Socket, eventually};
use base64::Engine as _;
use futures::future::join_all;
use serde_json::json;
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};

const EVENTS: usize = 10_000;
const SIZE: usize = 8192;
const WRITERS: usize = 32;

/// Memory that a process has taken for itself, in KiB. (Of the program's own pages, which it shares with the other
/// hubs of a test run, its share grows whenever one of those ends.)
fn memory_kib(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("the process lives");
    let line = text.lines().find(|line| line.starts_with("Anonymous:")).expect("a number");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// Posts `count` messages of [`SIZE`] bytes from several writers.
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

/// A hub, and a reader of a quiet session in it.
struct Fixture {
    hub: Process,
    client: Client,
    quiet: String,
    neighbour: Socket,
    _folder: TempDir,
}

impl Fixture {
    async fn build() -> Self {
        let folder = tempdir().expect("a folder");
        let hub = Process::spawn(hiloop(folder.path()).env("HILOOP_LISTEN", "127.0.0.1:0"));
        let client = hub.owner();
        let quiet = session(&client).await;
        let mut neighbour = Socket::open(&client).await;
        neighbour.subscribe(&quiet, None).await;
        let mut fixture = Self { hub, client, quiet, neighbour, _folder: folder };
        // Warm up what is allocated once: caches of the database, of the allocator.
        post_many(&fixture.client, &fixture.quiet, 2000).await;
        for _ in 0..2000 {
            fixture.neighbour.event().await;
        }
        fixture
    }

    /// The time from a POST to its event on the other socket.
    async fn latency(&mut self) -> Duration {
        let started = Instant::now();
        let body = json!({ "encryptedContent": "ping" });
        let posted = self.client.post(&at_agent(&self.quiet, "/messages"), body).await.expect(201);
        let event = self.neighbour.event().await;
        assert_eq!(event["data"]["message"]["id"], posted["id"]);
        started.elapsed()
    }
}

async fn session(client: &Client) -> String {
    text(&client.post("/v1/agent/sessions", json!({})).await.expect(201)["id"]).to_owned()
}

/// The median latencies of both sockets, measured alternately so that other load affects both.
async fn medians(one: &mut Fixture, other: &mut Fixture) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..50 {
        times[0].push(one.latency().await);
        times[1].push(other.latency().await);
    }
    times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_does_not_read_uses_bounded_memory_and_misses_nothing() {
    // One hub has a socket that does not read, an identical one has none.
    let (mut fixture, mut other) = (Fixture::build().await, Fixture::build().await);
    let (client, pid) = (fixture.client.clone(), fixture.hub.pid());
    let session = session(&client).await;
    let mut sleeper = Socket::open(&client).await;
    sleeper.subscribe(&session, Some(0)).await;
    let memory_before = memory_kib(pid);
    // The other sockets keep reading, or the heartbeat would close them.
    let posted = post_many(&client, &session, EVENTS);
    fixture.neighbour.idle_while(other.neighbour.idle_while(posted)).await;
    let memory_after = memory_kib(pid);
    let [beside, apart] = medians(&mut fixture, &mut other).await;

    let grown = memory_after.saturating_sub(memory_before);
    println!("memory: {memory_before} KiB before, {memory_after} KiB after; grown by {grown} KiB");
    println!("neighbour's median: {beside:?} beside a sleeper, {apart:?} without one");
    // The allocator gives back what is free a little later, and each thread keeps some of it. Of what was kept for the
    // sleeper, which is at least all that was posted, nothing would come back before it reads.
    let half = u64::try_from(EVENTS * SIZE / 2 / 1024).expect("it fits");
    let has_little = async || (memory_kib(pid) < memory_before + half).then_some(());
    eventually("the hub to queue nothing for the slow socket", has_little).await;
    assert!(beside < apart * 2 + Duration::from_millis(5), "{beside:?} beside a sleeper, {apart:?} without one");

    // It reads again: every event, in order, once. (The first event is `session.created`.)
    for seq in 1..=EVENTS + 1 {
        let event = sleeper.event().await;
        assert_eq!(event["seq"], json!(seq));
    }
    sleeper.expect_none("event").await;
    // Then it receives live events.
    client.post(&at_agent(&session, "/messages"), json!({ "encryptedContent": "live" })).await.expect(201);
    assert_eq!(sleeper.event().await["seq"], json!(EVENTS + 2));
    eventually("the memory to come back", has_little).await;
}
