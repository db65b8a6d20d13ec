//! Section 8: each frame that a client sends, and what it gets in reply.

use super::until_frame;
use crate::support::deployment::token;
use crate::support::hub::{UNKNOWN, at_agent, at_human, say, text};
use crate::support::shapes::{has_keys, is_message, is_time};
use crate::support::socket::End;
use crate::support::{Client, Deployment, Socket, on_every_deployment};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// Sends a frame that must be refused with this code; the socket lives on.
async fn refused(socket: &mut Socket, frame: Value, code: &str) {
    let reply = socket.ask(frame.clone()).await;
    has_keys(&reply, "type id error");
    has_keys(&reply["error"], "code message");
    assert_eq!((&reply["type"], &reply["error"]["code"]), (&json!("error"), &json!(code)), "{frame}: {reply}");
}

async fn total(client: &Client, session: &str) -> Value {
    client.get(&at_agent(session, "/messages")).await.expect(200)["total"].clone()
}

on_every_deployment! {
    async fn auth(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let mut socket = Socket::try_open(&hub.anonymous).await.expect("the socket opens");
        // Nothing else works before it.
        refused(&mut socket, json!({ "type": "ping" }), "UNAUTHORIZED").await;
        socket.send(json!({ "type": "auth", "id": 1, "token": agent.secret() })).await;
        assert_eq!(socket.expect("hello").await["id"], 1);
        // Once is enough.
        refused(&mut socket, json!({ "type": "auth", "token": agent.secret() }), "VALIDATION_ERROR").await;
        let mut bad = Socket::try_open(&hub.anonymous).await.expect("the socket opens");
        bad.send(json!({ "type": "auth", "id": 1, "token": "hlp_no" })).await;
        assert_eq!(bad.end().await, End::Code(4401));
    }

    async fn refresh(hub: Deployment) {
        let human = hub.human().await;
        let me = human.get("/v1/human/me").await.expect(200);
        let mut socket = hub.socket(&hub.with_token(&token(&me, 60))).await;
        let reply = socket.ask(json!({ "type": "refresh", "token": token(&me, 3600) })).await;
        has_keys(&reply, "type id expiresAt");
        assert_eq!(reply["type"], "refreshed");
        is_time(&reply["expiresAt"]);
        assert!(text(&reply["expiresAt"]) > text(&socket.hello["expiresAt"]));
        let other = hub.human().await;
        refused(&mut socket, json!({ "type": "refresh", "token": other.secret() }), "FORBIDDEN").await;
        refused(&mut socket, json!({ "type": "refresh", "token": "no" }), "UNAUTHORIZED").await;
        refused(&mut socket, json!({ "type": "refresh" }), "VALIDATION_ERROR").await;
    }

    async fn subscribe(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        for index in 0..3 {
            say(&agent, &session, &format!("{index}")).await;
        }
        let mut socket = hub.socket(&agent).await;
        let reply = socket.ask(json!({ "type": "subscribe", "sessionId": session, "after": 1 })).await;
        let id = reply["id"].clone();
        assert_eq!(reply, json!({ "type": "subscribed", "id": id, "sessionId": session, "seq": 4, "replay": 3, "firstSeq": 1 }));
        for seq in 2..=4 {
            assert_eq!(socket.event().await["seq"], seq);
        }
        // Without `after`: live from the head.
        let mut live = hub.socket(&agent).await;
        let reply = live.subscribe(&session, None).await;
        assert_eq!((&reply["seq"], &reply["replay"]), (&json!(4), &json!(0)));
        say(&agent, &session, "live").await;
        assert_eq!(live.expect("event").await["event"]["seq"], 5);
        assert_eq!(socket.event().await["seq"], 5);
        refused(&mut socket, json!({ "type": "subscribe", "sessionId": UNKNOWN }), "NOT_FOUND").await;
        refused(&mut socket, json!({ "type": "subscribe", "sessionId": "x" }), "VALIDATION_ERROR").await;
        refused(&mut socket, json!({ "type": "subscribe", "sessionId": session, "after": -1 }), "VALIDATION_ERROR").await;
        refused(&mut socket, json!({ "type": "subscribe" }), "VALIDATION_ERROR").await;
    }

    async fn subscribe_feed(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let (human, whole, outsider) = (hub.human().await, hub.agent("space").await, hub.agent("agent").await);
        let mut sockets = Vec::new();
        for client in [&human, &whole, &outsider] {
            let mut socket = hub.socket(client).await;
            let reply = socket.ask(json!({ "type": "subscribe", "feed": true })).await;
            let id = reply["id"].clone();
            assert_eq!(reply, json!({ "type": "subscribed", "id": id, "feed": true }));
            sockets.push(socket);
        }
        // Sessions yet to come included.
        let session = hub.session(&agent).await;
        let question = json!({ "encryptedContent": "?", "responseRequired": true });
        agent.post(&at_agent(&session, "/messages"), question).await.expect(201);
        for socket in &mut sockets[..2] {
            for (seq, event, pending) in [(1, "session.created", 0), (2, "message.created", 1)] {
                let frame = socket.find("feed").await;
                has_keys(&frame, "type sessionId seq event pendingCount at");
                assert_eq!((&frame["sessionId"], &frame["seq"], &frame["event"]), (&json!(session), &json!(seq), &json!(event)));
                assert_eq!(frame["pendingCount"], pending);
                is_time(&frame["at"]);
            }
        }
        sockets[2].expect_none("feed").await;
    }

    async fn unsubscribe(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let mut socket = hub.socket(&agent).await;
        socket.subscribe(&session, None).await;
        let reply = socket.ask(json!({ "type": "unsubscribe", "sessionId": session })).await;
        let id = reply["id"].clone();
        assert_eq!(reply, json!({ "type": "unsubscribed", "id": id, "sessionId": session }));
        socket.ask(json!({ "type": "subscribe", "feed": true })).await;
        let reply = socket.ask(json!({ "type": "unsubscribe", "feed": true })).await;
        let id = reply["id"].clone();
        assert_eq!(reply, json!({ "type": "unsubscribed", "id": id, "feed": true }));
        say(&agent, &session, "x").await;
        let mut other = hub.socket(&agent).await;
        other.subscribe(&session, Some(1)).await;
        other.event().await;
        socket.expect_none("event").await;
        socket.expect_none("feed").await;
    }

    async fn send(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let mut socket = hub.socket(&agent).await;
        let frame = json!({
            "type": "send", "sessionId": session, "encryptedContent": "x", "responseRequired": true, "priority": "High",
            "idempotencyKey": "k",
        });
        let sent = socket.ask(frame.clone()).await;
        has_keys(&sent, "type id message");
        assert_eq!(sent["type"], "sent");
        is_message(&sent["message"]);
        assert_eq!((&sent["message"]["status"], &sent["message"]["priority"]), (&json!("Pending"), &json!("High")));
        // It is durable by then, and once under its key.
        let path = at_agent(&session, &format!("/messages/{}", text(&sent["message"]["id"])));
        assert_eq!(agent.get(&path).await.expect(200), sent["message"]);
        assert_eq!(socket.ask(frame.clone()).await["message"], sent["message"]);
        let mut other = frame;
        other["encryptedContent"] = json!("y");
        refused(&mut socket, other, "IDEMPOTENCY_MISMATCH").await;
        assert_eq!(total(&agent, &session).await, 1);
        // A person answers by it.
        let mut person = hub.socket(&human).await;
        let answer = json!({ "type": "send", "sessionId": session, "encryptedContent": "!", "inReplyTo": sent["message"]["id"] });
        assert_eq!(person.ask(answer.clone()).await["type"], "sent");
        let late = person.ask(answer).await;
        assert_eq!(late["error"]["code"], "ALREADY_RESPONDED");
        has_keys(&late["error"]["details"], "responseMessageId respondedBy respondedAt");
        refused(&mut socket, json!({ "type": "send", "sessionId": session }), "VALIDATION_ERROR").await;
        refused(&mut socket, json!({ "type": "send", "encryptedContent": "x" }), "VALIDATION_ERROR").await;
        refused(&mut socket, json!({ "type": "send", "sessionId": UNKNOWN, "encryptedContent": "x" }), "NOT_FOUND").await;
        agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        refused(&mut socket, json!({ "type": "send", "sessionId": session, "encryptedContent": "x" }), "SESSION_CLOSED").await;
    }

    async fn typing(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let mut watcher = hub.socket(&human).await;
        watcher.subscribe(&session, None).await;
        let mut socket = hub.socket(&agent).await;
        // No reply, whether subscribed or not.
        for typing in [true, false] {
            let notice = until_frame(&mut watcher, "typing", async || {
                socket.send(json!({ "type": "typing", "sessionId": session, "typing": typing })).await;
            });
            assert_eq!(notice.await["typing"], typing);
        }
        socket.expect_none("typing").await;
        refused(&mut socket, json!({ "type": "typing", "sessionId": UNKNOWN, "typing": true }), "NOT_FOUND").await;
    }

    async fn read(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        say(&agent, &session, "x").await;
        let mut socket = hub.socket(&human).await;
        socket.send(json!({ "type": "read", "sessionId": session, "seq": 2 })).await;
        // Frames of a socket are processed in order, so that a reply shows that the earlier ones were processed.
        assert_eq!(socket.ask(json!({ "type": "ping" })).await["type"], "pong");
        assert_eq!(human.get("/v1/human/feed").await.expect(200)["data"][0]["unreadCount"], 0);
        refused(&mut socket, json!({ "type": "read", "sessionId": session, "seq": -1 }), "VALIDATION_ERROR").await;
        refused(&mut socket, json!({ "type": "read", "sessionId": session }), "VALIDATION_ERROR").await;
        human.get(&at_human(&session, "")).await.expect(200);
    }

    async fn ping(hub: Deployment) {
        let mut socket = hub.socket(&hub.agent("agent").await).await;
        socket.send(json!({ "type": "ping", "id": "p" })).await;
        assert_eq!(socket.expect("pong").await, json!({ "type": "pong", "id": "p" }));
    }

    async fn invalid_frames(hub: Deployment) {
        let mut socket = hub.socket(&hub.agent("agent").await).await;
        refused(&mut socket, json!({ "type": "nope" }), "VALIDATION_ERROR").await;
        for bad in ["nonsense", "[]", "{}", "{\"id\":1}", "{\"type\":7}", "\"ping\"", "", "{\"type\":\"ping\""] {
            socket.send_raw(Message::text(bad)).await;
            let reply = socket.expect("error").await;
            assert_eq!(reply["error"]["code"], "VALIDATION_ERROR", "{bad}: {reply}");
            assert_eq!(reply["id"], if bad.contains("\"id\":1") { json!(1) } else { json!(null) }, "{bad}: {reply}");
        }
        // One that can be read starts the count again: nine more do no harm.
        assert_eq!(socket.ask(json!({ "type": "ping" })).await["type"], "pong");
        for _ in 0..9 {
            socket.send_raw(Message::text("nonsense")).await;
            socket.expect("error").await;
        }
        assert_eq!(socket.ask(json!({ "type": "ping" })).await["type"], "pong");
    }
}
