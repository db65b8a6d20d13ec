//! Section 1: each row of the table of errors.

use crate::support::hub::{SESSIONS, UNKNOWN, answer, ask, at_agent, at_human, at_message, open, say, text};
use crate::support::shapes::{has_keys, is_time};
use crate::support::{Deployment, Kind, eventually, on_every_deployment};
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};

/// Changes the database directly.
async fn sabotage(kind: Kind, url: &str, sql: &str) {
    match kind {
        Kind::Sqlite => {
            let mut database = sqlx::SqliteConnection::connect(url).await.expect("the database");
            database.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.expect("it does");
        }
        _ => {
            let mut database = sqlx::PgConnection::connect(url).await.expect("the database");
            database.execute(sqlx::AssertSqlSafe(sql.to_owned())).await.expect("it does");
        }
    }
}

on_every_deployment! {
    async fn status_400_validation_error(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = text(&open(&agent, json!({})).await["id"]).to_owned();
        let path = at_agent(&session, "/messages");
        let broken = agent.raw("POST", &path, Some("application/json"), b"{\"encryptedContent\":".to_vec()).await;
        for (what, reply, named) in [
            ("malformed JSON", broken, "JSON"),
            ("a missing field", agent.post(&path, json!({})).await, "'encryptedContent'"),
            ("a bad field", agent.post(&path, json!({ "encryptedContent": 1 })).await, "'encryptedContent'"),
            ("a bad query", agent.get(&format!("{path}?pageSize=no")).await, "'pageSize'"),
            ("a bad id", agent.get(&at_agent("no-id", "")).await, "'id'"),
            ("a bad header", agent.with("x-hiloop", "no name").get(SESSIONS).await, "'X-Hiloop'"),
        ] {
            let error = reply.expect_error(400, "VALIDATION_ERROR");
            assert!(text(&error["message"]).contains(named), "{what}: {error}");
        }
    }

    async fn status_401_unauthorized(hub: Deployment) {
        let key = hub.manager.post("/v1/manage/keys", json!({ "permission": "agent" })).await.expect(201);
        let revoked = hub.with_key(text(&key["apiKey"]));
        revoked.get(SESSIONS).await.expect(200);
        hub.manager.delete(&format!("/v1/manage/keys/{}", text(&key["id"]))).await.expect(204);
        eventually("the revocation to reach every node", async || (revoked.get(SESSIONS).await.status == 401).then_some(())).await;
        for client in [
            hub.anonymous.clone(),
            hub.with_key(&format!("hlp_{}", "0".repeat(64))),
            hub.with_key("hlp_"),
            revoked,
        ] {
            let reply = client.get(SESSIONS).await;
            assert!(reply.header("www-authenticate").is_some());
            reply.expect_error(401, "UNAUTHORIZED");
        }
        for token in ["x.y.z", &format!("hlg_{}", "0".repeat(64))] {
            hub.with_token(token).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        }
    }

    async fn status_403_forbidden(hub: Deployment) {
        let agent = hub.agent("agent").await;
        agent.get("/v1/manage/keys").await.expect_error(403, "FORBIDDEN");
        hub.manager.get("/v1/manage/spaces").await.expect_error(403, "FORBIDDEN");
        let session = hub.session(&agent).await;
        hub.guest(&agent, &session).await.get("/v1/human/agents").await.expect_error(403, "FORBIDDEN");
    }

    async fn status_404_not_found(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        agent.get(&at_agent(UNKNOWN, "")).await.expect_error(404, "NOT_FOUND");
        agent.get("/v1/nowhere").await.expect_error(404, "NOT_FOUND");
        // Resources of another space or agent are 404, never 403.
        let stranger = hub.other_space().await;
        stranger.get(&at_agent(&session, "")).await.expect_error(404, "NOT_FOUND");
        hub.agent("agent").await.get(&at_agent(&session, "")).await.expect_error(404, "NOT_FOUND");
        hub.human_of(&stranger).await.get(&at_human(&session, "")).await.expect_error(404, "NOT_FOUND");
    }

    async fn status_405_method_not_allowed(hub: Deployment) {
        let agent = hub.agent("agent").await;
        agent.delete(SESSIONS).await.expect_error(405, "METHOD_NOT_ALLOWED");
        agent.post("/v1/ws", json!({})).await.expect_error(405, "METHOD_NOT_ALLOWED");
        agent.put("/livez", json!({})).await.expect_error(405, "METHOD_NOT_ALLOWED");
    }

    async fn status_409_conflict(hub: Deployment) {
        let body = json!({ "name": "once" });
        hub.manager.post("/v1/manage/agents", body.clone()).await.expect(201);
        hub.manager.post("/v1/manage/agents", body).await.expect_error(409, "CONFLICT");
    }

    async fn status_409_session_closed(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        let body = json!({ "encryptedContent": "x" });
        agent.post(&at_agent(&session, "/messages"), body.clone()).await.expect_error(409, "SESSION_CLOSED");
        human.post(&at_human(&session, "/messages"), body).await.expect_error(409, "SESSION_CLOSED");
    }

    async fn status_409_already_responded(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let (first, second) = (hub.human().await, hub.human().await);
        let winner = first.get("/v1/human/me").await.expect(200);
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let response = answer(&first, &session, &asked).await;
        let late = json!({ "encryptedContent": "?", "inReplyTo": asked["id"] });
        let error = second.post(&at_human(&session, "/messages"), late).await.expect_error(409, "ALREADY_RESPONDED");
        has_keys(&error, "code message details");
        let details = &error["details"];
        has_keys(details, "responseMessageId respondedBy respondedAt");
        assert_eq!(details["responseMessageId"], response["id"]);
        assert_eq!(details["respondedBy"], json!({ "type": "Human", "id": winner["id"], "name": winner["name"] }));
        is_time(&details["respondedAt"]);
    }

    async fn status_409_already_settled(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let path = at_message(&session, &asked, "/cancel");
        agent.post(&path, json!({})).await.expect(200);
        agent.post(&path, json!({})).await.expect_error(409, "ALREADY_SETTLED");
        let late = json!({ "encryptedContent": "!", "inReplyTo": asked["id"] });
        human.post(&at_human(&session, "/messages"), late).await.expect_error(409, "ALREADY_SETTLED");
    }

    async fn status_409_idempotency_in_flight(hub: Deployment) {
        // The second request gets the first reply or 409; never a second message.
        let agent = hub.agent("agent").await.with("idempotency-key", "race");
        let session = hub.session(&hub.agent("space").await).await;
        let path = at_agent(&session, "/messages");
        let me = agent.get("/v1/agent/me").await.expect(200);
        let body = json!({ "type": "Agent", "agentId": me["id"] });
        hub.manager.post(&at_agent(&session, "/participants"), body).await.expect(201);
        let replies = join_all((0..12).map(|_| agent.post(&path, json!({ "encryptedContent": "once" })))).await;
        let mut ids = Vec::new();
        for reply in replies {
            if reply.status == 409 {
                reply.expect_error(409, "IDEMPOTENCY_IN_FLIGHT");
            } else {
                ids.push(reply.expect(201)["id"].clone());
            }
        }
        assert!(!ids.is_empty() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(agent.get(&path).await.expect(200)["total"], 1);
    }

    async fn status_413_payload_too_large(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let path = at_agent(&session, "/messages");
        // A body over 1 MiB; and a field over 256 KiB in a body that may be as large.
        agent.post(&path, json!({ "encryptedContent": "x", "ignored": "y".repeat(1_048_576) })).await.expect_error(413, "PAYLOAD_TOO_LARGE");
        agent.post(&path, json!({ "encryptedContent": "x", "ignored": "y".repeat(1_000_000) })).await.expect(201);
        let reply = agent.post(&path, json!({ "encryptedContent": "x".repeat(262_145) })).await;
        let error = reply.expect_error(413, "PAYLOAD_TOO_LARGE");
        assert!(text(&error["message"]).contains("'encryptedContent'"), "{error}");
    }

    async fn status_415_unsupported_media_type(hub: Deployment) {
        let agent = hub.agent("agent").await;
        for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
            let reply = agent.raw("POST", SESSIONS, kind, b"{}".to_vec()).await;
            reply.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
        }
        agent.raw("POST", SESSIONS, Some("application/json; charset=utf-8"), b"{}".to_vec()).await.expect(201);
    }

    async fn status_422_idempotency_mismatch(hub: Deployment) {
        let agent = hub.agent("agent").await.with("idempotency-key", "k");
        agent.post(SESSIONS, json!({ "title": "one" })).await.expect(201);
        agent.post(SESSIONS, json!({ "title": "two" })).await.expect_error(422, "IDEMPOTENCY_MISMATCH");
    }

    async fn status_429_rate_limited(kind: Kind) {
        let hub = kind.alone(&["--rate-limit", "5/s"], |_| {}).await;
        let agent = hub.agent("agent").await;
        // Behind a load balancer, each node allows at most a burst.
        let replies = join_all((0..60).map(|_| agent.get("/v1/agent/me"))).await;
        let refused: Vec<_> = replies.into_iter().filter(|reply| reply.status != 200).collect();
        assert!(!refused.is_empty());
        for reply in refused {
            let wait = reply.header("retry-after").and_then(|value| value.parse::<u64>().ok());
            assert!(wait.is_some_and(|seconds| seconds >= 1), "{wait:?}");
            assert_eq!(reply.header("ratelimit-policy"), Some("\"default\";q=10;w=2"));
            assert!(reply.header("ratelimit").is_some_and(|value| value.starts_with("\"default\";r=0;t=")));
            reply.expect_error(429, "RATE_LIMITED");
        }
    }

    async fn status_500_internal(kind: Kind) {
        let hub = kind.alone(&[], |_| {}).await;
        let agent = hub.agent("agent").await;
        let session = text(&open(&agent, json!({})).await["id"]).to_owned();
        say(&agent, &session, "x").await;
        sabotage(kind, hub.database_url(), "ALTER TABLE messages RENAME TO elsewhere").await;
        let reply = agent.with("x-request-id", "to-find-it").get(&at_agent(&session, "/messages")).await;
        assert_eq!(reply.header("x-request-id"), Some("to-find-it"));
        let error = reply.expect_error(500, "INTERNAL");
        has_keys(&error, "code message");
        let shown = text(&error["message"]).to_lowercase();
        assert!(!["messages", "table", "sql", "relation", "elsewhere"].iter().any(|word| shown.contains(word)), "{shown}");
    }

    async fn status_503_unavailable(kind: Kind) {
        let hub = kind.alone(&[], |_| {}).await;
        let agent = hub.agent("agent").await;
        let session = text(&open(&agent, json!({})).await["id"]).to_owned();
        let path = at_agent(&session, "/messages");
        let body = json!({ "encryptedContent": "x" });
        let url = hub.database_url();
        let error = if kind == Kind::Sqlite {
            // Another program locks the file for longer than the hub waits.
            let mut other = sqlx::SqliteConnection::connect(url).await.expect("the database");
            other.execute("BEGIN IMMEDIATE").await.expect("it is held");
            let reply = agent.post(&path, body.clone()).await;
            other.execute("ROLLBACK").await.expect("it is free");
            reply
        } else {
            // The server closes all connections and refuses new ones.
            let (server, name) = database(url);
            sabotage(kind, &server, &format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")).await;
            let all = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
            sabotage(kind, &server, &all).await;
            let reply = agent.post(&path, body.clone()).await;
            sabotage(kind, &server, &format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")).await;
            reply
        };
        assert!(error.header("retry-after").is_some());
        let error = error.expect_error(503, "UNAVAILABLE");
        has_keys(&error, "code message");
        // The caller may retry.
        eventually("the hub to be back", async || (agent.post(&path, body.clone()).await.status == 201).then_some(())).await;
        let listed = agent.get(&path).await.expect(200);
        assert!(listed["data"].as_array().is_some_and(|all| all.iter().all(|message| message["status"] != Value::Null)));
    }
}

/// The URL of the server's own database, and the name of this one.
fn database(url: &str) -> (String, String) {
    let (head, query) = url.split_once('?').expect("a query");
    let (server, name) = head.rsplit_once('/').expect("a name");
    (format!("{server}/postgres?{query}"), name.to_owned())
}
