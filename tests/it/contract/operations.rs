//! Section 9: health checks, metrics, documents, and shutdown.

use super::command_line::serve;
use crate::support::hub::{ask, at_message, open, text};
use crate::support::process::Process;
use crate::support::shapes::has_keys;
use crate::support::socket::End;
use crate::support::{Client, Deployment, Kind, Socket, Stopwatch, eventually, on_every_deployment};
use serde_json::json;
use std::time::Duration;
use tempfile::tempdir;
use tokio::io::AsyncWriteExt as _;

/// The port for operators, which a hub prints when it has one.
fn operators(hub: &Process) -> Client {
    let line = hub.output.lines().find(|line| line.starts_with("metrics at ")).expect("a line");
    Client::anonymous(line.trim_start_matches("metrics at ").trim_end_matches("/metrics"))
}

on_every_deployment! {
    async fn livez(hub: Deployment) {
        assert_eq!(hub.anonymous.get("/livez").await.expect(200), json!({ "status": "ok" }));
    }

    async fn readyz(kind: Kind) {
        let hub = kind.alone(&[], |_| {}).await;
        let ready = hub.anonymous.get("/readyz").await.expect(200);
        assert_eq!((&ready["status"], &ready["store"], &ready["draining"]), (&json!("ok"), &json!("ok"), &json!(false)));
        // While a node drains, its metrics port reports it; an incomplete request prolongs the drain.
        let folder = tempdir().expect("a folder");
        let mut draining = Process::spawn(serve(kind, folder.path()).env("HILOOP_METRICS_LISTEN", "127.0.0.1:0"));
        let operator = operators(&draining);
        operator.get("/readyz").await.expect(200);
        let mut endless = tokio::net::TcpStream::connect(draining.address()).await.expect("a connection");
        let head = format!("POST /v1/auth/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{", draining.address());
        endless.write_all(head.as_bytes()).await.expect("it goes out");
        draining.owner().get("/v1/agent/me").await.expect(200);
        let ended = tokio::task::spawn_blocking(move || draining.terminate());
        eventually("the node to drain", async || {
            let reply = operator.try_raw("GET", "/readyz", None, Vec::new()).await.ok()?;
            (reply.status == 503 && reply.body["draining"] == true).then_some(())
        })
        .await;
        drop(endless);
        assert_eq!(ended.await.expect("no panic"), Some(0));
    }

    async fn metrics(kind: Kind) {
        let hub = kind.alone(&[], |_| {}).await;
        let agent = hub.agent("agent").await;
        hub.anonymous.get("/metrics").await.expect_error(401, "UNAUTHORIZED");
        agent.get("/metrics").await.expect_error(403, "FORBIDDEN");
        let reply = hub.manager.get("/metrics").await;
        assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")), "{reply:?}");
        let shown = reply.expect(200);
        assert!(text(&shown).lines().any(|line| line.starts_with("# TYPE hiloop_")), "{shown}");
        // Or open, on a port of its own.
        let folder = tempdir().expect("a folder");
        let open = Process::spawn(serve(kind, folder.path()).env("HILOOP_METRICS_LISTEN", "127.0.0.1:0"));
        assert!(text(&operators(&open).get("/metrics").await.expect(200)).contains("hiloop_"));
    }

    async fn asyncapi_json(hub: Deployment) {
        let reply = hub.anonymous.get("/asyncapi.json").await;
        assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
        let document = reply.expect(200);
        assert!(text(&document["asyncapi"]).starts_with("3."), "{document}");
        assert_eq!(document["channels"]["socket"]["address"], "/v1/ws");
        // Frames of both directions, and the close codes.
        let operations = document["operations"].as_object().expect("operations");
        for action in ["receive", "send"] {
            assert!(operations.values().any(|operation| operation["action"] == action), "{action}");
        }
        let codes = document["channels"]["socket"]["x-close-codes"].as_array().expect("codes");
        assert!(codes.iter().any(|code| code["code"] == 4504 && code["then"] == "reconnect"), "{codes:?}");
    }

    async fn openapi_json(hub: Deployment) {
        let reply = hub.anonymous.get("/openapi.json").await;
        assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
        let document = reply.expect(200);
        assert!(text(&document["openapi"]).starts_with("3.1."), "{}", document["openapi"]);
        let question = &document["paths"]["/v1/agent/sessions/{id}/messages"]["post"];
        assert!(question["responses"]["201"].is_object() && question["responses"]["409"].is_object(), "{question}");
    }

    async fn docs(hub: Deployment) {
        // A page that loads everything from the hub itself.
        let reply = hub.anonymous.get("/docs").await;
        assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{reply:?}");
        let policy = reply.header("content-security-policy").expect("a policy").to_owned();
        assert!(policy.contains("default-src 'none'") || policy.contains("default-src 'self'"), "{policy}");
        let page = text(&reply.expect(200)).to_owned();
        assert!(!page.contains("https://") && !page.contains("src=\"//"), "{page}");
    }

    async fn web_chat(hub: Deployment) {
        let reply = hub.anonymous.get("/").await;
        assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{reply:?}");
        let policy = reply.header("content-security-policy").expect("a policy").to_owned();
        assert!(policy.contains("default-src 'self'") && !policy.contains("http"), "{policy}");
        assert!(text(&reply.expect(200)).to_lowercase().contains("<!doctype html"));
    }

    async fn sigterm(kind: Kind) {
        let folder = tempdir().expect("a folder");
        let mut hub = Process::spawn(&mut serve(kind, folder.path()));
        let owner = hub.owner();
        let session = text(&open(&owner, json!({})).await["id"]).to_owned();
        let asked = ask(&owner, &session).await;
        let mut socket = Socket::open(&owner).await;
        let path = at_message(&session, &asked, "/await?timeout=55");
        let waiting = {
            let owner = owner.clone();
            tokio::spawn(async move { owner.get(&path).await })
        };
        // The long-poll is under way once the hub counts it.
        eventually("the long-poll to wait", async || {
            let shown = owner.get("/metrics").await.expect(200);
            let line = text(&shown).lines().find(|line| line.starts_with("hiloop_waiters "))?.to_owned();
            line.ends_with(" 1").then_some(())
        })
        .await;
        let started = Stopwatch::start();
        let code = tokio::task::spawn_blocking(move || hub.terminate()).await.expect("no panic");
        assert_eq!(code, Some(0));
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        assert_eq!(waiting.await.expect("no panic").expect(200)["status"], "Pending");
        let frame = socket.find("goaway").await;
        has_keys(&frame, "type reconnectAfterMs");
        assert_eq!(socket.end().await, End::Code(1001));
    }
}
