//! Section 10: the settings of limits.

use super::settings::{let_through, refused};
use crate::support::deployment::name;
use crate::support::hub::{SESSIONS, at_agent, text};
use crate::support::{Kind, Socket, eventually, on_every_deployment};
use serde_json::json;

on_every_deployment! {
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

    async fn hiloop_sign_in_limit(kind: Kind) {
        // Each node counts separately: after the limit on each node, the next attempt is refused unchecked, even a correct one.
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
        // Callers with a valid credential are not affected.
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

    async fn hiloop_space_agents(kind: Kind) {
        let hub = kind.alone(&["--space-agents", "2"], |_| {}).await;
        // The space has one agent, that of its first key.
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
        eventually("every node to refuse", async || {
            let replies = [agent.post(SESSIONS, json!({})).await, agent.post(SESSIONS, json!({})).await];
            replies.iter().all(|reply| reply.status == 409).then_some(())
        })
        .await;
        // It can still be read and closed, and other spaces are not affected.
        agent.get(&path).await.expect(200);
        agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        hub.other_space().await.post(SESSIONS, json!({})).await.expect(201);
        refused(kind, "HILOOP_SPACE_BYTES", "1 GB");
    }
}
