//! Section 10: each setting has an effect, is a flag, and is refused by its name when it is bad.

use super::command_line::serve;
use crate::accounts::{Issuer, SECRET, ed_jwk, eddsa, hs256, new_ed_key};
use crate::cli::{Recorded, bearer, failed, line, out, printed, run};
use crate::support::deployment::{name, now, signed, token};
use crate::support::hub::{SESSIONS, at_agent, text};
use crate::support::process::{Process, hiloop};
use crate::support::{Client, Kind, Port, Socket, Stopwatch, eventually, on_every_deployment};
use futures::future::join_all;
use hiloop::config::Retention;
use serde_json::{Value, json};
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
fn refused(kind: Kind, setting: &str, value: &str) {
    let folder = tempdir().expect("a folder");
    failed(&run(serve(kind, folder.path()).env(setting, value)), setting);
}

/// How many of so many requests at once are let through.
async fn let_through(clients: &[Client]) -> usize {
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

    async fn hiloop_jwt_secret(kind: Kind) {
        // Made once and kept in the store unless it is set: tokens of before still hold.
        let folder = tempdir().expect("a folder");
        let url = kind.database_url(folder.path());
        let start = || Process::spawn(hiloop(folder.path()).env("DATABASE_URL", &url).env("HILOOP_LISTEN", "127.0.0.1:0"));
        let mut hub = start();
        let email = printed(&hub, "e-mail").to_owned();
        let kept = run(hiloop(folder.path()).env("DATABASE_URL", &url).args(["token", "--email", &email]));
        let kept = line(&kept).to_owned();
        assert_eq!(hub.terminate(), Some(0));
        let hub = start();
        bearer(&hub, &kept).get("/v1/human/me").await.expect(200);
        // Another secret's tokens do not.
        let stranger = token(&json!({ "id": "x", "email": email, "name": "X" }), 60);
        bearer(&hub, &stranger).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        refused(kind, "HILOOP_JWT_SECRET", "short");
    }

    async fn hiloop_jwks_url(kind: Kind) {
        let ed = new_ed_key();
        let issuer = Issuer::start(&[ed_jwk("ed", &ed)]).await;
        let flags = ["--jwks-url", &issuer.url, "--jwt-issuer", "https://idp.example", "--jwt-audience", "hub"];
        let hub = kind.alone(&flags, |_| {}).await;
        let claims = json!({
            "sub": "idp|1", "email": format!("{}@example.org", name("j")), "name": "J", "iat": now(), "exp": now() + 60,
            "iss": "https://idp.example", "aud": "hub",
        });
        let me = hub.with_token(&eddsa(Some("ed"), &ed, &claims)).get("/v1/human/me").await.expect(200);
        assert_eq!(me["email"], claims["email"]);
        let forged = eddsa(Some("ed"), &new_ed_key(), &claims);
        hub.with_token(&forged).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        // The settings say how the issuer signs: beside its published keys no secret is good, whatever the token says.
        let by_secret = kind.alone(&[&flags[..], &["--jwt-secret", SECRET]].concat(), |_| {}).await;
        by_secret.with_token(&eddsa(Some("ed"), &ed, &claims)).get("/v1/human/me").await.expect(200);
        let shared = by_secret.with_token(&hs256(SECRET.as_bytes(), None, &claims));
        shared.get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        for bad in ["ftp://issuer.example/keys", "http://issuer.example/keys", "http://127.0.0.1.example/keys"] {
            refused(kind, "HILOOP_JWKS_URL", bad);
        }
        // The keys of an issuer sign for all of its applications: whose tokens and for what must be said.
        for (given, missing) in [(None, "HILOOP_JWT_ISSUER"), (Some("https://idp.example"), "HILOOP_JWT_AUDIENCE")] {
            let folder = tempdir().expect("a folder");
            let mut command = serve(kind, folder.path());
            command.env("HILOOP_JWKS_URL", &issuer.url).envs(given.map(|issuer| ("HILOOP_JWT_ISSUER", issuer)));
            failed(&run(&mut command), missing);
        }
    }

    async fn hiloop_jwt_issuer(kind: Kind) {
        let hub = kind.alone(&["--jwt-issuer", "https://idp.example"], |_| {}).await;
        let claims = |issuer: &str| json!({ "sub": "a", "email": "iss@example.org", "email_verified": true, "iat": now(), "exp": now() + 60, "iss": issuer });
        hub.with_token(&signed(&claims("https://idp.example"))).get("/v1/human/me").await.expect(200);
        hub.with_token(&signed(&claims("https://other.example"))).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
    }

    async fn hiloop_jwt_audience(kind: Kind) {
        let hub = kind.alone(&["--jwt-audience", "hub"], |_| {}).await;
        let claims = |audience: Value| json!({ "sub": "a", "email": "aud@example.org", "email_verified": true, "iat": now(), "exp": now() + 60, "aud": audience });
        for (audience, status) in [(json!("hub"), 200), (json!(["x", "hub"]), 200), (json!("x"), 401), (Value::Null, 401)] {
            assert_eq!(hub.with_token(&signed(&claims(audience))).get("/v1/human/me").await.status, status);
        }
    }

    async fn hiloop_jwt_space(kind: Kind) {
        let space = name("space");
        let hub = kind.alone(&["--jwt-space", &space], |_| {}).await;
        let made = hub.owner.post("/v1/manage/spaces", json!({ "name": space })).await.expect(201);
        let claims = json!({ "sub": "a", "email": "space@example.org", "name": "S", "iat": now(), "exp": now() + 60 });
        let me = hub.with_token(&signed(&claims)).get("/v1/human/me").await.expect(200);
        let people = hub.with_key(text(&made["apiKey"])).get("/v1/agent/humans").await.expect(200);
        assert_eq!((&people["total"], &people["data"][0]["id"]), (&json!(1), &me["id"]));
    }

    async fn hiloop_trusted_proxies(kind: Kind) {
        // Each address behind a trusted proxy has a quota of its own; an address that anybody may claim has not.
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

    async fn hiloop_rate_limit(kind: Kind) {
        let hub = kind.alone(&["--rate-limit", "5/s"], |_| {}).await;
        let (hasty, calm) = (hub.agent("agent").await, hub.agent("agent").await);
        assert!(let_through(&vec![hasty; 60]).await < 60);
        // Per credential; and `off` is none at all.
        calm.get("/v1/agent/me").await.expect(200);
        let free = kind.alone(&["--rate-limit", "off"], |_| {}).await;
        assert_eq!(let_through(&vec![free.agent("agent").await; 300]).await, 300);
        for bad in ["many", "0/s", "100"] {
            refused(kind, "HILOOP_RATE_LIMIT", bad);
        }
    }

    async fn hiloop_connection_limit(kind: Kind) {
        // Each node counts its own.
        let nodes = if kind == Kind::TwoNodes { 2 } else { 1 };
        let hub = kind.alone(&["--connection-limit", "3"], |_| {}).await;
        let (greedy, modest) = (hub.agent("agent").await, hub.agent("agent").await);
        let mut open = Vec::new();
        for _ in 0..3 * nodes {
            open.push(Socket::open(&greedy).await);
        }
        assert_eq!(Socket::try_open(&greedy).await.err(), Some(429));
        drop(Socket::open(&modest).await);
        greedy.get("/v1/agent/me").await.expect(200);
        let free = kind.alone(&["--connection-limit", "off"], |_| {}).await;
        let agent = free.agent("agent").await;
        for _ in 0..12 {
            open.push(Socket::open(&agent).await);
        }
        for bad in ["many", "0", "-1", "100/s"] {
            refused(kind, "HILOOP_CONNECTION_LIMIT", bad);
        }
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

    async fn hiloop_sign_in_limit(kind: Kind) {
        // Each node counts its own: so many fail at each, and the next is refused unchecked, the right one too.
        let hub = kind.alone(&["--rate-limit", "100/s", "--sign-in-limit", "3/min"], |_| {}).await;
        let wrong = json!({ "email": "nobody@example.org", "password": "wrong" });
        let nodes = if kind == Kind::TwoNodes { 2 } else { 1 };
        for attempt in 0..4 * nodes {
            let status = hub.anonymous.post("/v1/auth/login", wrong.clone()).await.status;
            assert_eq!(status, if attempt < 3 * nodes { 401 } else { 429 }, "attempt {attempt}");
        }
        let refused_one = hub.anonymous.post("/v1/auth/login", wrong).await;
        assert!(refused_one.header("retry-after").is_some(), "{refused_one:?}");
        refused_one.expect_error(429, "RATE_LIMITED");
        // Who has a credential that is good notices nothing.
        hub.owner.get("/v1/agent/me").await.expect(200);
        refused(kind, "HILOOP_SIGN_IN_LIMIT", "sometimes");
    }

    async fn hiloop_max_body_bytes(kind: Kind) {
        let hub = kind.alone(&["--max-body-bytes", "4096"], |_| {}).await;
        let agent = hub.agent("agent").await;
        let path = at_agent(&hub.session(&agent).await, "/messages");
        agent.post(&path, json!({ "encryptedContent": "x".repeat(2000) })).await.expect(201);
        agent.post(&path, json!({ "encryptedContent": "x".repeat(4096) })).await.expect_error(413, "PAYLOAD_TOO_LARGE");
        refused(kind, "HILOOP_MAX_BODY_BYTES", "many");
    }

    async fn hiloop_max_field_bytes(kind: Kind) {
        let hub = kind.alone(&["--max-field-bytes", "2048"], |_| {}).await;
        let agent = hub.agent("agent").await;
        let path = at_agent(&hub.session(&agent).await, "/messages");
        agent.post(&path, json!({ "encryptedContent": "x".repeat(1500) })).await.expect(201);
        let reply = agent.post(&path, json!({ "encryptedContent": "x".repeat(2049) })).await;
        reply.expect_error(413, "PAYLOAD_TOO_LARGE");
        refused(kind, "HILOOP_MAX_FIELD_BYTES", "-1");
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

    async fn hiloop_space_agents(kind: Kind) {
        let hub = kind.alone(&["--space-agents", "2"], |_| {}).await;
        // The space has one, which its first key acts as.
        hub.manager.post("/v1/manage/agents", json!({ "name": "second" })).await.expect(201);
        let refused_one = hub.manager.post("/v1/manage/agents", json!({ "name": "third" })).await;
        assert_eq!(refused_one.expect_error(409, "LIMIT_REACHED")["details"], json!({ "limit": 2 }));
        hub.manager.with("x-hiloop", "third").get("/v1/agent/me").await.expect_error(409, "LIMIT_REACHED");
        let free = kind.alone(&["--space-agents", "off"], |_| {}).await;
        free.manager.post("/v1/manage/agents", json!({ "name": "second" })).await.expect(201);
        for bad in ["0", "many", "-1"] {
            refused(kind, "HILOOP_SPACE_AGENTS", bad);
        }
    }

    async fn hiloop_space_humans(kind: Kind) {
        let hub = kind.alone(&["--space-humans", "1"], |_| {}).await;
        hub.human().await;
        let person = json!({ "email": format!("{}@example.org", name("h")), "name": "H" });
        let refused_one = hub.manager.post("/v1/manage/humans", person).await;
        assert_eq!(refused_one.expect_error(409, "LIMIT_REACHED")["details"], json!({ "limit": 1 }));
        refused(kind, "HILOOP_SPACE_HUMANS", "some");
    }

    async fn hiloop_session_guests(kind: Kind) {
        let hub = kind.alone(&["--session-guests", "2"], |_| {}).await;
        let agent = hub.agent("agent").await;
        let path = at_agent(&hub.session(&agent).await, "/guest-tokens");
        let first = agent.post(&path, json!({ "name": "A" })).await.expect(201);
        agent.post(&path, json!({ "name": "B" })).await.expect(201);
        let refused_one = agent.post(&path, json!({ "name": "C" })).await;
        assert_eq!(refused_one.expect_error(409, "LIMIT_REACHED")["details"], json!({ "limit": 2 }));
        agent.delete(&format!("{path}/{}", text(&first["id"]))).await.expect(204);
        agent.post(&path, json!({ "name": "C" })).await.expect(201);
        let elsewhere = at_agent(&hub.session(&agent).await, "/guest-tokens");
        agent.post(&elsewhere, json!({ "name": "A" })).await.expect(201);
        refused(kind, "HILOOP_SESSION_GUESTS", "few");
    }

    async fn hiloop_space_bytes(kind: Kind) {
        let hub = kind.alone(&["--space-bytes", "20000"], |_| {}).await;
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let path = at_agent(&session, "/messages");
        let message = || json!({ "encryptedContent": "x".repeat(2000) });
        let refused_one = eventually("the space to be full", async || {
            let reply = agent.post(&path, message()).await;
            (reply.status != 201).then_some(reply)
        })
        .await;
        assert_eq!(refused_one.expect_error(409, "LIMIT_REACHED")["details"], json!({ "limit": 20_000 }));
        eventually("every node to know", async || {
            let replies = [agent.post(SESSIONS, json!({})).await, agent.post(SESSIONS, json!({})).await];
            replies.iter().all(|reply| reply.status == 409).then_some(())
        })
        .await;
        // It can still be read and closed, and nothing of it is felt elsewhere.
        agent.get(&path).await.expect(200);
        agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        hub.other_space().await.post(SESSIONS, json!({})).await.expect(201);
        refused(kind, "HILOOP_SPACE_BYTES", "1 GB");
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
        // What happens on one node is seen on the other at once.
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
