//! WebSockets and event streams: the required credential, the scope, and the end.

use super::fixture::{Fixture, Kind, TestPrincipal, key};
use super::routes::{FRAMES, frame};
use super::{REVOKED_WITHIN, code_of};
use crate::support::hub::{at_agent, text};
use crate::support::socket::End;
use crate::support::{Socket, Stopwatch, on_both_engines, timeout};
use serde_json::json;
use std::time::Duration;

on_both_engines! {
    async fn sockets_refuse_invalid_credentials(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let mut wrong = Vec::new();
        let principals = fixture.principals(&hub).await;
        for principal in &principals {
            let TestPrincipal { name, client, kind } = principal;
            let status = match kind {
                Kind::Invalid => 401,
                Kind::Provisioner => 403,
                _ => continue,
            };
            if client.headers.is_empty() {
                continue;
            }
            let opened = Socket::try_open(client).await.err();
            if opened != Some(status) {
                wrong.push(format!("a socket by {name}: {status} expected, got {opened:?}"));
            }
            let token = client.secret();
            let mut socket = Socket::try_open(&hub.anonymous()).await.expect("it opens");
            socket.send(json!({ "type": "auth", "id": 1, "token": token })).await;
            let misplaced = name.ends_with("as a key") || name.ends_with("as a bearer token");
            if misplaced {
                // A first frame accepts any kind of token, so these are valid here.
                continue;
            }
            let end = socket.end().await;
            if end != End::Code(4401) {
                wrong.push(format!("auth by {name}: 4401 expected, got {end:?}"));
            }
            let mut socket = hub.socket(&fixture.host).await;
            let reply = socket.ask(json!({ "type": "refresh", "token": token })).await;
            if reply["type"] != "error" || reply["error"]["code"] != code_of(status) {
                wrong.push(format!("refresh by {name}: {} expected, got {reply}", code_of(status)));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));

        // A valid token of another principal is not accepted for a refresh.
        let mut socket = hub.socket(&fixture.host).await;
        let foreign = hub.other_space().await;
        for other in [&foreign, &fixture.human, &fixture.guest] {
            let reply = socket.ask(json!({ "type": "refresh", "token": other.secret() })).await;
            assert_eq!(reply["error"]["code"], "FORBIDDEN", "{reply}");
        }
        // Before `auth` all frames are refused, without details.
        let mut early = Socket::try_open(&hub.anonymous()).await.expect("it opens");
        for (kind, rest) in FRAMES.iter().filter(|(kind, _)| *kind != "auth") {
            let reply = early.ask(frame(kind, rest, &fixture.session)).await;
            assert_eq!(reply["error"]["code"], "UNAUTHORIZED", "{kind}: {reply}");
        }
        fixture.host.post(&at_agent(&fixture.session, "/messages"), json!({ "encryptedContent": "x" })).await.expect(201);
        early.send(json!({ "type": "auth", "id": 1, "token": fixture.host.secret() })).await;
        early.expect("hello").await;
        early.expect_none("event").await;
    }

    async fn frames_reach_only_sessions_of_the_principal(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let principals = fixture.principals(&hub).await;
        let before = fixture.snapshot().await;
        let mut watcher = hub.socket(&fixture.owner).await;
        watcher.subscribe(&fixture.session, None).await;
        let mut feeds = Vec::new();
        for TestPrincipal { name, client, kind } in &principals {
            let (Kind::Key { sees: false, .. } | Kind::Human { sees: false } | Kind::Guest { sees: false }) = kind else { continue };
            let mut socket = hub.socket(client).await;
            for (kind, rest) in FRAMES.iter().filter(|(_, rest)| rest.contains("{session}")) {
                let reply = socket.ask(frame(kind, rest, &fixture.session)).await;
                if *kind == "unsubscribe" {
                    assert_eq!(reply["type"], "unsubscribed", "{name}: {reply}");
                } else {
                    assert_eq!(reply["error"]["code"], "NOT_FOUND", "{kind} by {name}: {reply}");
                }
            }
            assert_eq!(socket.ask(json!({ "type": "subscribe", "feed": true })).await["type"], "subscribed");
            feeds.push((name, socket));
        }
        assert!(feeds.len() >= 8);
        for kind in ["event", "typing", "presence", "receipt"] {
            watcher.expect_none(kind).await;
        }
        let after: Vec<_> = fixture.snapshot().await;
        // Except for their own presence, nothing has changed.
        assert_eq!(after[0], before[0]);
        assert_eq!(after[1], before[1]);

        // The same frames by participants.
        for client in [&fixture.host, &fixture.human, &fixture.guest] {
            let mut socket = hub.socket(client).await;
            let me = socket.hello["principal"].clone();
            // First, since posting moves the person's read mark.
            socket.send(frame("read", r#"{"sessionId":"{session}","seq":2}"#, &fixture.session)).await;
            assert_eq!(watcher.find("receipt").await["seq"], 2);
            let mut replies = Vec::new();
            for (kind, rest) in FRAMES.iter().filter(|(kind, _)| !["auth", "refresh", "typing", "read"].contains(kind)) {
                replies.push(text(&socket.ask(frame(kind, rest, &fixture.session)).await["type"]).to_owned());
            }
            assert_eq!(replies, ["subscribed", "subscribed", "subscribed", "unsubscribed", "unsubscribed", "sent", "pong"]);
            assert_eq!(watcher.event().await["type"], "message.created");
            let refreshed = socket.ask(json!({ "type": "refresh", "token": client.secret() })).await;
            assert_eq!(refreshed["type"], "refreshed");
            socket.send(frame("typing", r#"{"sessionId":"{session}","typing":true}"#, &fixture.session)).await;
            while watcher.find("typing").await["actor"] != me {}
        }
        for (name, mut socket) in feeds {
            socket.send(json!({ "type": "ping", "id": "last" })).await;
            let frame = socket.next().await;
            assert_eq!(frame["type"], "pong", "{name} got a frame of a session without access: {frame}");
        }
    }

    async fn a_socket_ends_with_its_credential(hub: Hub) {
        let host = hub.agent("agent").await;
        let session = hub.session(&host).await;
        let (_, short) = key(&hub, &hub.owner, json!({ "permission": "space", "expiresInSeconds": 5 })).await;
        let person = json!({ "email": format!("{}@example.org", hub.name("brief")), "name": "Brief" });
        let person = hub.owner.post("/v1/manage/humans", person).await.expect(201);
        let token = hub.token(&person, 6).await;
        let started = Stopwatch::start();
        let mut by_header = hub.socket(&short).await;
        by_header.subscribe(&session, None).await;
        let mut by_frame = Socket::try_open(&hub.anonymous()).await.expect("it opens");
        by_frame.send(json!({ "type": "auth", "id": 1, "token": short.secret() })).await;
        by_frame.expect("hello").await;
        let mut jwt = Socket::try_open(&hub.anonymous()).await.expect("it opens");
        jwt.send(json!({ "type": "auth", "id": 1, "token": token })).await;
        jwt.expect("hello").await;
        for (name, socket) in [("by header", &mut by_header), ("by frame", &mut by_frame), ("a JWT by frame", &mut jwt)] {
            let end = timeout(Duration::from_secs(15), socket.end()).await.expect("an end");
            assert_eq!(end, End::Code(4504), "{name}");
            let late = started.elapsed();
            assert!(late < Duration::from_secs(8), "{name}: ended only after {late:?}");
        }
        short.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        assert_eq!(Socket::try_open(&short).await.err(), Some(401));
    }

    /// After `refresh`, the scope and the revocation of the new credential apply.
    async fn a_refreshed_socket_has_the_scope_of_its_new_credential(hub: Hub) {
        let agent = hub.name("agent");
        let principal = hub.agent("agent").await;
        let session = hub.session(&principal).await;
        let (_, wide) = key(&hub, &hub.owner, json!({ "permission": "space", "agent": agent })).await;
        let (narrow_id, narrow) = key(&hub, &hub.owner, json!({ "permission": "agent", "agent": agent })).await;
        let mut socket = hub.socket(&wide).await;
        assert_eq!(socket.ask(json!({ "type": "refresh", "token": narrow.secret() })).await["type"], "refreshed");
        let reply = socket.ask(json!({ "type": "subscribe", "sessionId": session })).await;
        let subscribed = reply["error"]["code"] == "NOT_FOUND";
        hub.owner.delete(&format!("/v1/manage/keys/{narrow_id}")).await.expect(204);
        let end = timeout(REVOKED_WITHIN, socket.end()).await;
        assert!(matches!(end, Ok(End::Code(4403))), "the new key is revoked, and the socket: {end:?}");
        assert!(subscribed, "the new key may not see every session, but: {reply}");
    }
}
