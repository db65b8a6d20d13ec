//! `/readyz` reports whether the node is ready, and why it is not.

use crate::support::hub::{at_agent, text};
use crate::support::postgres::Postgres;
use crate::support::process::{Process, hiloop};
use crate::support::sql::Database;
use crate::support::{Client, Engine, Hub, PATIENCE, Port, Stopwatch, eventually, on_both_engines, timeout};
use serde_json::json;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tempfile::tempdir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection with an incomplete request, of which the hub has read all bytes.
struct Begun(TcpStream);

impl Begun {
    async fn new(address: &str, head: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(head.as_bytes()).await.expect("it goes out");
        let (here, there) = (stream.local_addr().expect("an address"), stream.peer_addr().expect("an address"));
        // All bytes have arrived, and the hub has read them.
        eventually("it to arrive", async || (queues(here, there)?.0 == 0).then_some(())).await;
        eventually("the hub to read it", async || (queues(there, here)?.1 == 0).then_some(())).await;
        Self(stream)
    }

    /// Sends the rest; returns the reply.
    async fn finish(mut self, rest: &str) -> String {
        self.0.write_all(rest.as_bytes()).await.expect("it goes out");
        let mut reply = String::new();
        let read = timeout(PATIENCE, self.0.read_to_string(&mut reply)).await;
        read.expect("a reply in time").expect("text");
        reply
    }
}

/// The bytes of a connection in the kernel's buffers: not acknowledged by the other end, and not read at
/// this one.
fn queues(here: SocketAddr, there: SocketAddr) -> Option<(u64, u64)> {
    let named = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => format!("{:08X}:{:04X}", u32::from_le_bytes(ip.octets()), address.port()),
        IpAddr::V6(ip) => panic!("{ip} is in another table"),
    };
    let (here, there) = (named(here), named(there));
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table of connections");
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.into_iter().find(|row| row.get(1) == Some(&here.as_str()) && row.get(2) == Some(&there.as_str()))?;
    let (unacknowledged, unread) = row.get(4)?.split_once(':')?;
    let bytes = |digits| u64::from_str_radix(digits, 16).ok();
    Some((bytes(unacknowledged)?, bytes(unread)?))
}

on_both_engines! {
    async fn a_draining_node_is_not_ready(engine: Engine) {
        // Reserved after the hub has stopped, so that no other test listens there.
        let port = Port::reserve();
        let listen = port.address().parse().expect("an address");
        let mut hub = Hub::start_with(engine, &[], |config| config.listen = listen).await;
        let ready = hub.anonymous().get("/readyz").await.expect(200);
        assert_eq!(ready, json!({ "status": "ok", "store": "ok", "draining": false }));
        let address = hub.base.trim_start_matches("http://").to_owned();
        // Two incomplete requests: one keeps the hub draining while the other queries the readiness.
        let mut begun = Vec::new();
        for path in ["/readyz", "/livez"] {
            begun.push(Begun::new(&address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n")).await);
        }
        let server = hub.server.take().expect("it runs");
        let draining = server.context.draining.clone();
        let stopping = tokio::spawn(server.stop());
        draining.cancelled().await;
        let [first, second] = <[Begun; 2]>::try_from(begun).ok().expect("two");
        let reply = first.finish("\r\n").await;
        assert!(reply.starts_with("HTTP/1.1 503 "), "{reply}");
        assert!(reply.ends_with(r#"{"status":"unavailable","store":"ok","draining":true}"#), "{reply}");
        assert!(second.finish("\r\n").await.starts_with("HTTP/1.1 200 "), "it lives");
        timeout(PATIENCE, stopping).await.expect("in time").expect("no panic");
        assert!(TcpStream::connect(&address).await.is_err(), "the port is closed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_follows_the_availability_of_the_store() {
    let folder = tempdir().expect("a folder");
    let mut postgres = Postgres::start();
    let hub = Process::spawn(
        hiloop(folder.path())
            .env("DATABASE_URL", postgres.new_database())
            .env("HILOOP_LISTEN", "127.0.0.1:0")
            .env("HILOOP_METRICS_LISTEN", "127.0.0.1:0")
            .env("HILOOP_LOG", "off"),
    );
    let (owner, operator) = (hub.owner(), Client::anonymous(hub.metrics()));
    let session = owner.post("/v1/agent/sessions", json!({})).await.expect(201);
    let path = at_agent(text(&session["id"]), "/messages");
    let ready = json!({ "status": "ok", "store": "ok", "draining": false });
    assert_eq!(owner.get("/readyz").await.expect(200), ready);

    postgres.stop();
    let unready = json!({ "status": "unavailable", "store": "unreachable", "draining": false });
    for client in [&owner, &operator] {
        // An answer is cached for a second.
        let since = Stopwatch::start();
        eventually("the hub to notice", async || (client.get("/readyz").await.status == 503).then_some(())).await;
        assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
        assert_eq!(client.get("/readyz").await.expect(503), unready);
        client.get("/livez").await.expect(200);
    }
    let refused = owner.post(&path, json!({ "encryptedContent": "x" })).await;
    assert_eq!(refused.header("retry-after"), Some("1"));
    refused.expect_error(503, "UNAVAILABLE");
    let metrics = operator.get("/metrics").await.expect(200);
    assert!(!text(&metrics).contains("hiloop_pending_responses"), "the number of pending messages is unknown");
    // Jobs wait for a connection for some seconds before they give up.
    let none = "\nhiloop_store_errors_total{during=\"job\"} 0\n";
    eventually("the jobs to notice", async || {
        let metrics = operator.get("/metrics").await.expect(200);
        (!text(&metrics).contains(none)).then_some(())
    })
    .await;

    postgres.revive();
    for client in [&owner, &operator] {
        eventually("the hub to be ready", async || (client.get("/readyz").await.status == 200).then_some(())).await;
        assert_eq!(client.get("/readyz").await.expect(200), ready);
    }
    owner.post(&path, json!({ "encryptedContent": "x" })).await.expect(201);
    let metrics = operator.get("/metrics").await.expect(200);
    assert!(text(&metrics).contains("\nhiloop_pending_responses 0\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_fails_while_the_database_is_locked() {
    let hub = Hub::start(Engine::Sqlite).await;
    let agent = hub.agent("agent").await;
    let session = hub.session(&agent).await;
    let Database::Sqlite(pool) = Database::open(&hub.database_url).await else { panic!("SQLite") };
    let mut other = pool.acquire().await.expect("a connection");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *other).await.expect("the lock");
    let path = at_agent(&session, "/messages");
    agent.get("/readyz").await.expect(200);
    agent.post(&path, json!({ "encryptedContent": "x" })).await.expect_error(503, "UNAVAILABLE");
    eventually("the hub to say so", async || (agent.get("/readyz").await.status == 503).then_some(())).await;
    let unready = json!({ "status": "unavailable", "store": "unwritable", "draining": false });
    assert_eq!(agent.get("/readyz").await.expect(503), unready);
    agent.get(&at_agent(&session, "")).await.expect(200);
    sqlx::query("ROLLBACK").execute(&mut *other).await.expect("it ends");
    // Although there are no more writes.
    eventually("the hub to be ready", async || (agent.get("/readyz").await.status == 200).then_some(())).await;
    agent.post(&path, json!({ "encryptedContent": "x" })).await.expect(201);
}
