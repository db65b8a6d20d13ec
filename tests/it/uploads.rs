//! Request bodies that are refused while they arrive, and bodies that never arrive.

use crate::support::{Engine, Hub, PATIENCE, eventually, timeout};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MIB: usize = 1 << 20;

async fn connect(hub: &Hub) -> TcpStream {
    TcpStream::connect(hub.base.trim_start_matches("http://")).await.expect("a connection")
}

/// The head of a request with a body of this length.
fn head(path: &str, key: &str, length: usize, more: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: hub\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{more}\r\n"
    )
}

/// The next reply: its status and its JSON.
async fn reply(stream: &mut TcpStream) -> (u16, Value) {
    let mut received = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&received);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
            if body.len() >= length {
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
                return (status, serde_json::from_str(body).expect("JSON"));
            }
        }
        let read = timeout(PATIENCE, stream.read_buf(&mut received)).await.expect("something in time");
        assert_ne!(read.expect("the connection holds"), 0, "the whole reply: {}", String::from_utf8_lossy(&received));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_still_sending_reads_the_refusal() {
    let hub = Hub::start(Engine::Sqlite).await;
    let key = hub.owner.secret().to_owned();
    let bad = "hlp_0000000000000000000000000000000000000000000000000000000000000000";
    let unknown = "/v1/agent/sessions/0198f7b2-0000-7000-8000-000000000000/close";
    for (path, key, status, code) in [
        ("/v1/agent/sessions", key.as_str(), 413, "PAYLOAD_TOO_LARGE"),
        ("/v1/agent/sessions", bad, 401, "UNAUTHORIZED"),
        ("/v1/nowhere", &key, 404, "NOT_FOUND"),
        (unknown, &key, 413, "PAYLOAD_TOO_LARGE"),
        ("/v1/agent/me", &key, 405, "METHOD_NOT_ALLOWED"),
    ] {
        let mut stream = connect(&hub).await;
        // Like many clients, it does not read before it has sent everything.
        let sent = async {
            stream.write_all(head(path, key, 4 * MIB, "").as_bytes()).await?;
            stream.write_all(&vec![b' '; 4 * MIB]).await
        };
        timeout(PATIENCE, sent).await.expect("in time").unwrap_or_else(|error| panic!("{path}: {error}"));
        let (got, body) = reply(&mut stream).await;
        assert_eq!((got, body["error"]["code"].as_str()), (status, Some(code)), "{path}: {body}");
        // The connection can be reused.
        let next = head("/v1/agent/sessions", hub.owner.secret(), 2, "") + "{}";
        stream.write_all(next.as_bytes()).await.expect("the connection holds");
        assert_eq!(reply(&mut stream).await.0, 201, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expect_continue_is_not_answered_before_a_refusal() {
    let hub = Hub::start(Engine::Sqlite).await;
    let mut stream = connect(&hub).await;
    let asks = head("/v1/agent/sessions", "hlp_unknown", 4 * MIB, "Expect: 100-continue\r\n");
    stream.write_all(asks.as_bytes()).await.expect("sent");
    assert_eq!(reply(&mut stream).await.0, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_body_times_out() {
    let hub = Hub::start_with(Engine::Sqlite, &[], |config| config.body_within = Duration::from_millis(200)).await;
    let mut stream = connect(&hub).await;
    let begun = head("/v1/agent/sessions", hub.owner.secret(), 4096, "") + "{\"title\":";
    stream.write_all(begun.as_bytes()).await.expect("sent");
    let (status, body) = reply(&mut stream).await;
    assert_eq!((status, &body["error"]["code"]), (400, &"VALIDATION_ERROR".into()));
    assert_eq!(body["error"]["message"], "The body did not arrive in time");
    // The connection is closed soon afterwards.
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("an end in time").expect("a proper one");
    assert!(rest.is_empty());
}

/// Slow bodies of four spaces, which reserve all memory.
async fn trickle_from_four_spaces(hub: &Hub) {
    for _ in 0..4 {
        let space = hub.other_space().await;
        for _ in 0..8 {
            let mut stream = connect(hub).await;
            // A body without a length reserves the maximum once it is large.
            let head = format!(
                "POST /v1/agent/sessions HTTP/1.1\r\nHost: hub\r\nX-API-Key: {}\r\nContent-Type: application/json\r\n\
                 Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n",
                space.secret(),
                32 << 10,
                " ".repeat(32 << 10)
            );
            stream.write_all(head.as_bytes()).await.expect("sent");
            tokio::spawn(async move {
                while stream.write_all(b"1\r\n \r\n").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
        }
    }
    eventually("all memory to be reserved", async || (hub.context().body_memory.available() == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_bodies_release_their_memory_for_waiting_requests() {
    let hub = Hub::start(Engine::Sqlite).await;
    let large = json!({ "title": "large", "ignored": "x".repeat(MIB - 64) });
    let agent = hub.agent("agent").await;
    trickle_from_four_spaces(&hub).await;
    // Without eviction the wait would time out: the slow bodies may take 30 s.
    agent.post("/v1/agent/sessions", large).await.expect(201);
    // Small bodies never wait.
    trickle_from_four_spaces(&hub).await;
    agent.post("/v1/agent/sessions", json!({ "title": "small" })).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evicted_slow_body_gets_a_retryable_error() {
    // One body may be as large as the share of its space.
    let hub = Hub::start_with(Engine::Sqlite, &[], |config| config.max_body_bytes = 8 * MIB).await;
    let mut slow = connect(&hub).await;
    let begun = head("/v1/agent/sessions", hub.owner.secret(), 8 * MIB, "") + "{\"title\":";
    slow.write_all(begun.as_bytes()).await.expect("sent");
    eventually("its memory to be reserved", async || (hub.context().body_memory.available() == 24 * MIB).then_some(()))
        .await;
    let large = json!({ "title": "large", "ignored": "x".repeat(MIB - 64) });
    hub.owner.post("/v1/agent/sessions", large).await.expect(201);
    let (status, body) = reply(&mut slow).await;
    assert_eq!((status, body["error"]["code"].as_str()), (503, Some("UNAVAILABLE")));
    assert!(body["error"]["message"].as_str().is_some_and(|text| text.contains("slowly")), "{body}");
}
