//! Section 10: each setting has an effect, is a flag, and is refused by its name when it is bad.

use super::command_line::serve;
use crate::cli::{Recorded, failed, out, run};
use crate::support::hub::{SESSIONS, at_agent, text};
use crate::support::process::Process;
use crate::support::{Client, Kind, Port, Stopwatch, eventually, on_every_deployment};
use futures::future::join_all;
use hiloop::config::Retention;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tempfile::tempdir;
use tokio::io::AsyncWriteExt as _;

const ALL: &[&str] = &[
    "HILOOP_LISTEN",
    "DATABASE_URL",
    "REDIS_URL",
    "HILOOP_JWT_SECRET",
    "HILOOP_JWKS_URL",
    "HILOOP_JWT_ISSUER",
    "HILOOP_JWT_AUDIENCE",
    "HILOOP_JWT_SPACE",
    "HILOOP_TRUSTED_PROXIES",
    "HILOOP_METRICS_LISTEN",
    "HILOOP_PUBLIC_URL",
    "HILOOP_CORS_ORIGINS",
    "HILOOP_RATE_LIMIT",
    "HILOOP_CONNECTION_LIMIT",
    "HILOOP_LOG",
    "HILOOP_LOG_FORMAT",
    "HILOOP_SIGN_IN_LIMIT",
    "HILOOP_MAX_BODY_BYTES",
    "HILOOP_MAX_FIELD_BYTES",
    "HILOOP_RETENTION_DAYS",
    "HILOOP_SPACE_AGENTS",
    "HILOOP_SPACE_HUMANS",
    "HILOOP_SESSION_GUESTS",
    "HILOOP_SPACE_BYTES",
    "HILOOP_GRACE_SECONDS",
    "HILOOP_DATABASE_CONNECTIONS",
];

/// Checks that a value is an error that names the setting, before anything listens.
pub(super) fn refused(kind: Kind, setting: &str, value: &str) {
    let folder = tempdir().expect("a folder");
    failed(&run(serve(kind, folder.path()).env(setting, value)), setting);
}

/// The number of concurrent requests that are allowed.
pub(super) async fn let_through(clients: &[Client]) -> usize {
    let replies = join_all(clients.iter().map(|client| client.get("/v1/agent/me"))).await;
    replies.iter().filter(|reply| reply.status != 429).count()
}

on_every_deployment! {
    async fn hiloop_listen(kind: Kind) {
        let folder = tempdir().expect("a folder");
        let port = Port::reserve();
        let free = port.address();
        let hub = Process::spawn(serve(kind, folder.path()).env("HILOOP_LISTEN", &free));
        assert_eq!(hub.address(), free);
        Client::anonymous(&format!("http://{free}")).get("/livez").await.expect(200);
        refused(kind, "HILOOP_LISTEN", "nowhere");
        refused(kind, "HILOOP_LISTEN", &free);
    }

    async fn database_url(kind: Kind) {
        let folder = tempdir().expect("a folder");
        let mut first = Process::spawn(&mut serve(kind, folder.path()));
        let session = first.owner().post(SESSIONS, json!({})).await.expect(201);
        assert_eq!(session["status"], "Active");
        assert_eq!(first.terminate(), Some(0));
        for bad in ["mysql://localhost/hub", "hub.db"] {
            refused(kind, "DATABASE_URL", bad);
        }
    }

    async fn hiloop_trusted_proxies(kind: Kind) {
        // Each address behind a trusted proxy has its own quota; a forged address has not.
        let by_proxy = kind.alone(&["--rate-limit", "5/s", "--trusted-proxies", "127.0.0.1"], |_| {}).await;
        let directly = kind.alone(&["--rate-limit", "5/s"], |_| {}).await;
        let from_many = |client: &Client| -> Vec<Client> {
            (0..60).map(|index| client.with("x-forwarded-for", &format!("198.51.100.{index}"))).collect()
        };
        assert_eq!(let_through(&from_many(&by_proxy.anonymous)).await, 60);
        assert!(let_through(&from_many(&directly.anonymous)).await < 60);
        refused(kind, "HILOOP_TRUSTED_PROXIES", "127.0.0.1, proxy");
    }

    async fn hiloop_metrics_listen(kind: Kind) {
        let folder = tempdir().expect("a folder");
        let hub = Process::spawn(serve(kind, folder.path()).env("HILOOP_METRICS_LISTEN", "127.0.0.1:0"));
        let line = hub.output.lines().find(|line| line.starts_with("metrics at ")).expect("a line");
        let base = line.trim_start_matches("metrics at ").trim_end_matches("/metrics");
        Client::anonymous(base).get("/metrics").await.expect(200);
        refused(kind, "HILOOP_METRICS_LISTEN", "9090");
    }

    async fn hiloop_public_url(kind: Kind) {
        let hub = kind.alone(&["--public-url", "https://hub.example/chat"], |_| {}).await;
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let made = agent.post(&at_agent(&session, "/guest-tokens"), json!({})).await.expect(201);
        assert!(text(&made["url"]).starts_with("https://hub.example/chat/#"), "{}", made["url"]);
        refused(kind, "HILOOP_PUBLIC_URL", "hub.example.org");
    }

    async fn hiloop_cors_origins(kind: Kind) {
        let hub = kind.alone(&["--cors-origins", "https://a.example,https://b.example"], |_| {}).await;
        for (origin, allowed) in [("https://a.example", true), ("https://b.example", true), ("https://c.example", false)] {
            let asks = hub.anonymous.with("origin", origin).with("access-control-request-method", "POST");
            let reply = asks.raw("OPTIONS", SESSIONS, None, Vec::new()).await;
            assert_eq!(reply.header("access-control-allow-origin"), allowed.then_some(origin));
        }
        let reply = hub.anonymous.with("origin", "https://a.example").get("/livez").await;
        let exposed = reply.header("access-control-expose-headers").expect("a list").to_lowercase();
        let exposed: BTreeSet<_> = exposed.split(',').map(str::trim).collect();
        let all = ["ratelimit", "ratelimit-policy", "retry-after", "x-request-id", "idempotent-replayed"];
        assert_eq!(exposed, BTreeSet::from(all));
        refused(kind, "HILOOP_CORS_ORIGINS", "https://a.example/path");
    }

    async fn hiloop_log(kind: Kind) {
        let folder = tempdir().expect("a folder");
        for (level, format, shows) in [("debug", "text", "DEBUG"), ("debug", "json", r#""level":"DEBUG""#), ("error", "text", "")] {
            let mut command = serve(kind, folder.path());
            let (hub, base) = Recorded::start(command.env("HILOOP_LOG", level).env("HILOOP_LOG_FORMAT", format)).await;
            Client::anonymous(&base).get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
            let output = hub.end();
            assert_eq!(output.contains("DEBUG"), level == "debug", "{output}");
            assert!(output.contains(shows), "{output}");
        }
        refused(kind, "HILOOP_LOG", "hiloop=loud");
        refused(kind, "HILOOP_LOG_FORMAT", "xml");
    }

    async fn hiloop_retention_days(kind: Kind) {
        // A day is too long for a test: closed sessions go as soon as they have ended, those that are open stay.
        let soon = Retention { keep_millis: 0, every: Duration::from_millis(50) };
        let hub = kind.alone(&[], |config| config.retention = Some(soon)).await;
        let agent = hub.agent("agent").await;
        let (ended, open) = (hub.session(&agent).await, hub.session(&agent).await);
        agent.post(&at_agent(&ended, "/close"), json!({})).await.expect(200);
        eventually("the closed session to go", async || {
            (agent.get(&at_agent(&ended, "")).await.status == 404).then_some(())
        })
        .await;
        let timeline = agent.get(&at_agent(&open, "/timeline?after=0")).await.expect(200);
        assert_eq!(timeline["data"][0]["type"], "session.created", "{timeline}");
        refused(kind, "HILOOP_RETENTION_DAYS", "0.5");
        refused(kind, "HILOOP_RETENTION_DAYS", "some");
    }

    async fn hiloop_grace_seconds(kind: Kind) {
        let folder = tempdir().expect("a folder");
        let mut hub = Process::spawn(serve(kind, folder.path()).env("HILOOP_GRACE_SECONDS", "1"));
        // A request without an end.
        let mut endless = tokio::net::TcpStream::connect(hub.address()).await.expect("a connection");
        let head = "POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
        endless.write_all(head.as_bytes()).await.expect("it goes out");
        hub.owner().get("/v1/agent/me").await.expect(200);
        let since = Stopwatch::start();
        let code = tokio::task::spawn_blocking(move || hub.terminate()).await.expect("no panic");
        assert_eq!(code, Some(0));
        assert!(since.passed().as_secs() >= 1 && since.elapsed().as_secs() < 6, "{since:?}");
        refused(kind, "HILOOP_GRACE_SECONDS", "0");
    }

    async fn hiloop_database_connections(kind: Kind) {
        let hub = kind.alone(&["--database-connections", "2"], |_| {}).await;
        let replies = join_all((0..20).map(|_| hub.owner.post(SESSIONS, json!({})))).await;
        assert!(replies.iter().all(|reply| reply.status == 201), "{replies:?}");
        for bad in ["1", "plenty"] {
            refused(kind, "HILOOP_DATABASE_CONNECTIONS", bad);
        }
    }

    async fn redis_url(kind: Kind) {
        let hub = kind.alone(&[], |_| {}).await;
        let ready = hub.anonymous.get("/readyz").await.expect(200);
        assert_eq!(ready.get("redis"), (kind == Kind::TwoNodes).then_some(&json!("ok")), "{ready}");
        // Events of one node are delivered on the other immediately.
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let mut sockets = [hub.socket(&agent).await, hub.socket(&agent).await];
        for socket in &mut sockets {
            socket.subscribe(&session, None).await;
        }
        for content in ["a", "b"] {
            let body = json!({ "encryptedContent": content });
            let posted = agent.post(&at_agent(&session, "/messages"), body).await.expect(201);
            for socket in &mut sockets {
                assert_eq!(socket.event().await["data"]["message"]["id"], posted["id"]);
            }
        }
        for bad in ["http://127.0.0.1", "redis://", "redis"] {
            refused(kind, "REDIS_URL", bad);
        }
    }

    async fn every_setting_is_a_flag(kind: Kind) {
        let folder = tempdir().expect("a folder");
        let output = run(serve(kind, folder.path()).args(["serve", "--help"]));
        assert!(output.status.success());
        for setting in ALL {
            let flag = setting.trim_start_matches("HILOOP_").to_lowercase().replace('_', "-");
            assert!(out(&output).contains(setting) && out(&output).contains(&format!("--{flag}")), "{setting}");
        }
        for (setting, default) in [
            ("HILOOP_LISTEN", "127.0.0.1:8080"), ("HILOOP_RATE_LIMIT", "100/s"), ("HILOOP_CONNECTION_LIMIT", "1000"), ("HILOOP_JWT_SPACE", "default"), ("HILOOP_LOG", "info"),
        ] {
            assert!(out(&output).contains(&format!("[default: {default}]")), "{setting}");
        }
    }
}
