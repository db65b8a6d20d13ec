//! Heartbeats and draining.

use crate::support::hub::{at_agent, text};
use crate::support::socket::End;
use crate::support::{Engine, Hub, PATIENCE, Socket, Stopwatch, timeout};
use futures::StreamExt as _;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

/// A hub with a short heartbeat, and this timeout for the answer to a ping.
async fn impatient(pong_within: Duration) -> Hub {
    Hub::start_with(Engine::Sqlite, &[], |config| {
        config.sockets.heartbeat = Duration::from_millis(300);
        config.sockets.pong_within = pong_within;
        config.sockets.auth_within = Duration::from_millis(300);
    })
    .await
}

/// Longer than a reply of a client takes on a busy machine.
const PONG_WITHIN: Duration = Duration::from_secs(3);

#[tokio::test]
async fn the_heartbeat_closes_unresponsive_sockets_only() {
    let hub = impatient(PONG_WITHIN).await;
    let agent = hub.agent("agent").await;
    // A client that reads answers pings by itself and stays.
    let mut living = hub.socket(&agent).await;
    let patience = tokio::time::timeout(PONG_WITHIN + Duration::from_secs(1), living.next_or_end()).await;
    assert!(patience.is_err(), "it should still be open and silent: {patience:?}");

    // A client that reads but answers nothing is closed with 4502.
    let address = hub.base.trim_start_matches("http://");
    let mut raw = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let key = agent.secret();
    let request = format!(
        "GET /v1/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-API-Key: {key}\r\n\r\n"
    );
    raw.write_all(request.as_bytes()).await.expect("the request goes out");
    let mut received = Vec::new();
    timeout(PATIENCE, raw.read_to_end(&mut received)).await.expect("an end in time").expect("it reads");
    let closing = received.windows(4).any(|bytes| bytes[0] == 0x88 && bytes[2..] == 4502_u16.to_be_bytes());
    assert!(closing, "{:?}", String::from_utf8_lossy(&received));
    assert!(String::from_utf8_lossy(&received).contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "the answer to the key");
}

/// Like a suspended machine: the pongs arrived in time and are unread.
#[test]
fn a_suspended_node_does_not_close_sockets_that_have_answered() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let node = runtime();
    let (hub, agent) = node.block_on(async {
        let hub = impatient(Duration::from_millis(300)).await;
        let agent = hub.agent("agent").await;
        (hub, agent)
    });
    // The client requests the suspension when it gets a ping, and answers during it.
    let (asked, held_up) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let client = std::thread::spawn({
        let (asked, held_up) = (Arc::clone(&asked), Arc::clone(&held_up));
        move || {
            runtime().block_on(async move {
                let mut socket = Socket::open(&agent).await;
                for _ in 0..3 {
                    let ping = socket.stream.next().await.expect("it is open").expect("it holds");
                    assert!(matches!(ping, Message::Ping(_)), "{ping}");
                    asked.store(true, Ordering::SeqCst);
                    while !held_up.swap(false, Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                }
                assert_eq!(socket.ask(json!({ "type": "ping" })).await["type"], "pong");
            });
        }
    });
    node.block_on(async {
        while !client.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if asked.swap(false, Ordering::SeqCst) {
                held_up.store(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(700));
            }
        }
    });
    client.join().expect("it is still open");
    drop(hub);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_hub_sends_goaway() {
    let mut hub = Hub::start(Engine::Sqlite).await;
    let agent = hub.agent("agent").await;
    let session = hub.session(&agent).await;
    let question = json!({ "encryptedContent": "?", "responseRequired": true });
    let question = agent.post(&at_agent(&session, "/messages"), question).await.expect(201);
    let path = at_agent(&session, &format!("/messages/{}/await?timeout=55", text(&question["id"])));
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(hub.socket(&agent).await);
    }
    let server = hub.server.take().expect("the hub runs");
    let context = server.context.clone();
    let waiting = tokio::spawn(async move { agent.get(&path).await });
    crate::support::eventually("the long-poll to wait", async || {
        let pending = context.hub.is_watched(session.parse().expect("an id"));
        pending.then_some(())
    })
    .await;
    let started = Stopwatch::start();
    server.stop().await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(waiting.await.expect("no panic").expect(200)["status"], "Pending");
    for mut socket in sockets {
        let frame = socket.expect("goaway").await;
        let times = frame["reconnectAfterMs"].as_array().expect("two times");
        assert!(times.len() == 2 && times[0].as_u64() < times[1].as_u64(), "{frame}");
        assert_eq!(socket.end().await, End::Code(1001));
    }
}
