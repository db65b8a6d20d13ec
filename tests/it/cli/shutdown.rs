//! SIGTERM and the time that shutdown may take.

use super::FREE_PORT;
use crate::support::hub::{at_agent, text};
use crate::support::process::{Process, hiloop};
use crate::support::socket::End;
use crate::support::{Client, Socket, Stopwatch};
use serde_json::json;
use std::time::Duration;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_all_connections_within_the_grace_period() {
    let folder = tempdir().expect("a folder");
    let mut hub = Process::start(folder.path(), FREE_PORT);
    let owner = hub.owner();
    let session = owner.post("/v1/agent/sessions", json!({})).await.expect(201);
    let session = text(&session["id"]).to_owned();
    let body = json!({ "encryptedContent": "?", "responseRequired": true });
    let asked = owner.post(&at_agent(&session, "/messages"), body).await.expect(201);
    let mut socket = Socket::open(&owner).await;
    socket.subscribe(&session, None).await;
    // A pending long-poll; the reply to a later message shows that the hub has received it.
    let path = at_agent(&session, &format!("/messages/{}/await?timeout=55", text(&asked["id"])));
    let waiter = {
        let owner = owner.clone();
        tokio::spawn(async move { owner.get(&path).await })
    };
    let mut stream = owner.stream(&at_agent(&session, "/events?after=0")).await;
    assert!(stream.chunk().await.expect("a chunk").is_some());
    let started = Stopwatch::start();
    let code = tokio::task::spawn_blocking(move || hub.terminate()).await.expect("no panic");
    assert_eq!(code, Some(0));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(waiter.await.expect("no panic").expect(200)["status"], "Pending");
    socket.find("goaway").await;
    assert_eq!(socket.end().await, End::Code(1001));
    while let Ok(Some(_)) = stream.chunk().await {}
    // Acknowledged messages are stored.
    let hub = Process::start(folder.path(), FREE_PORT);
    let client = Client { base: hub.base.clone(), ..owner };
    assert_eq!(client.get(&at_agent(&session, "/messages")).await.expect(200)["data"], json!([asked]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfinished_request_does_not_delay_shutdown() {
    use tokio::io::AsyncWriteExt as _;
    let folder = tempdir().expect("a folder");
    let mut hub =
        Process::spawn(hiloop(folder.path()).env("HILOOP_LISTEN", FREE_PORT).env("HILOOP_GRACE_SECONDS", "1"));
    let owner = hub.owner();
    owner.get("/v1/agent/me").await.expect(200);
    let mut raw = tokio::net::TcpStream::connect(hub.address()).await.expect("a connection");
    let head = format!(
        "POST /v1/agent/sessions HTTP/1.1\r\nHost: {}\r\nX-API-Key: {}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{{",
        hub.address(),
        owner.secret()
    );
    raw.write_all(head.as_bytes()).await.expect("it goes out");
    owner.get("/v1/agent/me").await.expect(200);
    let started = Stopwatch::start();
    let code = tokio::task::spawn_blocking(move || hub.terminate()).await.expect("no panic");
    assert_eq!(code, Some(0));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    drop(raw);
}
