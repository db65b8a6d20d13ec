//! Event streams that are read slowly or not at all, while access ends, the node drains or the database is
//! unavailable; and other replies that are not read.

use crate::support::hub::{at_agent, text};
use crate::support::{Client, Engine, Hub, PATIENCE, Postgres, eventually, timeout};
use serde_json::json;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

/// Number and size of messages, more in total than the kernel buffers for a client that does not read.
const MESSAGES: usize = 60;
const SIZE: usize = 200 * 1024;
/// Pages that could not be read.
const FAILURES: &str = "hiloop_store_errors_total{during=\"replay\"} ";

/// A session with more events than the buffers of a connection hold.
async fn long_session(agent: &Client) -> String {
    let session = text(&agent.post("/v1/agent/sessions", json!({})).await.expect(201)["id"]).to_owned();
    let content = "x".repeat(SIZE);
    for _ in 0..MESSAGES {
        agent.post(&at_agent(&session, "/messages"), json!({ "encryptedContent": content })).await.expect(201);
    }
    session
}

/// A client with a small receive buffer.
struct SlowReader {
    stream: TcpStream,
    received: Vec<u8>,
}

impl SlowReader {
    async fn connect(base: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(32 * 1024).expect("a small buffer");
        let address = base.strip_prefix("http://").expect("a base").parse().expect("an address");
        socket.connect(address).await.expect("a connection")
    }

    async fn open(client: &Client, path: &str) -> Self {
        let mut stream = Self::connect(&client.base).await;
        let key = client.secret();
        let request = format!("GET {path} HTTP/1.1\r\nHost: hub\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("the request is sent");
        Self { stream, received: Vec::new() }
    }

    /// Waits, without reading, until the hub has closed the connection.
    async fn is_cut(&self) {
        let cut = async || {
            let error = self.stream.take_error().expect("a socket")?;
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            Some(())
        };
        eventually("the connection to be cut", cut).await;
    }

    /// Reads until the text arrives or the stream ends.
    async fn read_until(&mut self, wanted: &str) -> bool {
        let mut from = 0;
        while !self.received[from..].windows(wanted.len()).any(|text| text == wanted.as_bytes()) {
            from = self.received.len().saturating_sub(wanted.len());
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.received)).await.expect("something in time");
            if read.expect("the connection holds") == 0 {
                return false;
            }
        }
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_gets_no_events_after_its_key_ended() {
    let hub = Hub::start(Engine::Sqlite).await;
    let host = hub.agent("space").await;
    let session = long_session(&host).await;
    let path = at_agent(&session, "/events?after=0");
    for expires in [false, true] {
        let body = json!({ "permission": "space", "agent": hub.name("agent"), "expiresInSeconds": 3600 });
        let key = hub.owner.post("/v1/manage/keys", body).await.expect(201);
        let reader = hub.anonymous().with("x-api-key", text(&key["apiKey"]));
        let mut slow = SlowReader::open(&reader, &path).await;
        assert!(slow.read_until("message.created").await);
        if expires {
            hub.clock.advance(3_601_000);
        } else {
            hub.owner.delete(&format!("/v1/manage/keys/{}", text(&key["id"]))).await.expect(204);
        }
        // Bytes in flight arrive, then the end of the stream.
        assert!(!slow.read_until(&format!("\nid: {}\n", MESSAGES + 1)).await, "the last event came");
        assert!(slow.received.ends_with(b"\r\n0\r\n\r\n"));
    }
    // A client with access gets all events.
    let mut slow = SlowReader::open(&host, &path).await;
    assert!(slow.read_until(&format!("\nid: {}\n", MESSAGES + 1)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_resumes_after_a_restart_of_the_store() {
    let mut postgres = Postgres::start();
    let database = postgres.new_database();
    let hub = Hub::start_with(Engine::Sqlite, &[], |config| config.database.url.clone_from(&database)).await;
    let agent = hub.agent("agent").await;
    let session = long_session(&agent).await;
    let mut slow = SlowReader::open(&agent, &at_agent(&session, "/events?after=0")).await;
    assert!(slow.read_until("message.created").await);
    postgres.stop();
    let failed = async || {
        let metrics = hub.context().metrics.render(&hiloop::testing::ScrapeValues::default()).expect("metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix(FAILURES)).expect("a metric");
        (line != "0").then_some(())
    };
    let last = format!("\nid: {}\n", MESSAGES + 1);
    let reading = slow.read_until(&last);
    let mut reading = Box::pin(reading);
    tokio::select! {
        _ = &mut reading => panic!("the store is down"),
        () = eventually("a page that can't be read", failed) => {}
    }
    postgres.revive();
    assert!(reading.as_mut().await, "the stream goes on");
    drop(reading);
    let lines = slow.received.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"id: "));
    let seqs: Vec<usize> = lines.map(|seq| String::from_utf8_lossy(seq).parse().expect("a seq")).collect();
    assert_eq!(seqs, (1..=MESSAGES + 1).collect::<Vec<_>>());
}

/// An unread event stream whose buffers are full.
async fn sleeper(hub: &Hub, client: &Client, path: &str) -> SlowReader {
    let delivered = &hub.context().metrics.delivered_stream;
    let first = delivered.get();
    let sleeper = SlowReader::open(client, path).await;
    let mut before = (first, Instant::now());
    let stands_still = async || {
        let now = delivered.get();
        assert!(now - first <= MESSAGES as u64, "the stream was written completely");
        if now != before.0 {
            before = (now, Instant::now());
        }
        (now > first && before.1.elapsed() > Duration::from_secs(1)).then_some(())
    };
    eventually("the stream to stall", stands_still).await;
    sleeper
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unread_event_stream_ends_with_its_credential() {
    let hub = Hub::start(Engine::Sqlite).await;
    let host = hub.agent("space").await;
    let session = long_session(&host).await;
    let path = at_agent(&session, "/events?after=0");
    for expires in [false, true] {
        let seconds = if expires { 8 } else { 3600 };
        let body = json!({ "permission": "space", "agent": hub.name("agent"), "expiresInSeconds": seconds });
        let key = hub.owner.post("/v1/manage/keys", body).await.expect(201);
        let sleeper = sleeper(&hub, &hub.anonymous().with("x-api-key", text(&key["apiKey"])), &path).await;
        if !expires {
            hub.owner.delete(&format!("/v1/manage/keys/{}", text(&key["id"]))).await.expect(204);
        }
        sleeper.is_cut().await;
        let gone = async || (hub.context().hub.connection_count() == 0).then_some(());
        eventually("its resources to be released", gone).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_does_not_wait_for_an_unread_event_stream() {
    let mut hub = Hub::start_with(Engine::Sqlite, &[], |config| config.grace = Duration::from_secs(3600)).await;
    let agent = hub.agent("agent").await;
    let session = long_session(&agent).await;
    let sleeper = sleeper(&hub, &agent, &at_agent(&session, "/events?after=0")).await;
    let server = hub.server.take().expect("it runs");
    timeout(PATIENCE, server.stop()).await.expect("the drain ends");
    sleeper.is_cut().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unread_reply_times_out() {
    let short = Duration::from_millis(500);
    let hub = Hub::start_with(Engine::Sqlite, &[], |config| config.stalled_after = short).await;
    let agent = hub.agent("agent").await;
    let session = long_session(&agent).await;
    for path in ["/messages?pageSize=100", "/timeline?pageSize=100", "/events?after=0"] {
        SlowReader::open(&agent, &at_agent(&session, path)).await.is_cut().await;
    }
    let gone = async || (hub.context().hub.connection_count() == 0).then_some(());
    eventually("their resources to be released", gone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_with_unread_replies_time_out() {
    let short = Duration::from_millis(500);
    let hub = Hub::start_with(Engine::Sqlite, &[], |config| config.stalled_after = short).await;
    let mut sleeper = SlowReader::connect(&hub.base).await;
    let requests = b"GET /openapi.json HTTP/1.1\r\nHost: hub\r\n\r\n".repeat(1000);
    let sends = async { while sleeper.write_all(&requests).await.is_ok() {} };
    timeout(PATIENCE, sends).await.expect("the hub ends it");
}
