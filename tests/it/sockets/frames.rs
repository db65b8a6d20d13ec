//! Frames of a client and of the hub.

use super::post;
use crate::support::hub::{at_agent, at_human, text};
use crate::support::socket::End;
use crate::support::{Engine, Hub, Stopwatch, on_both_engines};
use futures::SinkExt as _;
use serde_json::json;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

on_both_engines! {
    async fn typing_is_sent_to_the_others_and_expires(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let mut typist = hub.socket(&agent).await;
        typist.subscribe(&session, None).await;
        let mut watcher = hub.socket(&human).await;
        watcher.subscribe(&session, None).await;
        typist.send(json!({ "type": "typing", "sessionId": session, "typing": true })).await;
        let frame = watcher.find("typing").await;
        assert_eq!(frame["sessionId"], json!(session));
        assert_eq!(frame["actor"], typist.hello["principal"]);
        assert_eq!((&frame["typing"], &frame["expiresInMs"]), (&json!(true), &json!(6000)));
        typist.send(json!({ "type": "typing", "sessionId": session, "typing": false })).await;
        assert_eq!(watcher.find("typing").await["typing"], false);
        // Over HTTP too; it expires by itself.
        let started = Stopwatch::start();
        agent.post(&at_agent(&session, "/typing"), json!({})).await.expect(204);
        assert_eq!(watcher.find("typing").await["typing"], true);
        assert_eq!(watcher.find("typing").await["typing"], false);
        let (passed, lapsed) = (started.passed(), started.elapsed());
        assert!(passed > Duration::from_millis(5500) && lapsed < Duration::from_secs(9), "{passed:?}, {lapsed:?}");
        typist.expect_none("typing").await;
    }

    async fn presence_and_receipts_are_sent(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        post(&agent, &session).await;
        let mut watcher = hub.socket(&agent).await;
        watcher.subscribe(&session, None).await;
        let participants = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        let person = participants["data"].as_array().expect("a list").iter().find(|p| p["type"] == "Human").expect("one").clone();
        assert_eq!(person["online"], false);

        let mut socket = hub.socket(&human).await;
        socket.subscribe(&session, None).await;
        let mut second = hub.socket(&human).await;
        second.subscribe(&session, None).await;
        let frame = watcher.find("presence").await;
        assert_eq!(frame, json!({ "type": "presence", "sessionId": session, "participantId": person["id"], "online": true }));
        let listed = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        assert!(listed["data"].as_array().expect("a list").iter().all(|p| p["online"] == true));

        socket.send(json!({ "type": "read", "sessionId": session, "seq": 2 })).await;
        let frame = watcher.find("receipt").await;
        assert_eq!(frame, json!({ "type": "receipt", "sessionId": session, "participantId": person["id"], "seq": 2 }));
        let feed = human.get("/v1/human/feed").await.expect(200);
        assert_eq!(feed["data"][0]["unreadCount"], 0);
        // Never backwards; by HTTP as well.
        human.post(&at_human(&session, "/read"), json!({ "seq": 1 })).await.expect(204);
        drop(second);
        socket.send(json!({ "type": "unsubscribe", "id": 9, "sessionId": session })).await;
        assert_eq!(watcher.find("presence").await["online"], false);
    }

    async fn the_feed_covers_every_session_of_the_principal(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let outsider = hub.agent("agent").await;
        let mut feed = hub.socket(&human).await;
        assert_eq!(feed.ask(json!({ "type": "subscribe", "feed": true })).await["feed"], true);
        let mut nothing = hub.socket(&outsider).await;
        nothing.ask(json!({ "type": "subscribe", "feed": true })).await;
        let whole = hub.agent("space").await;
        let mut all = hub.socket(&whole).await;
        all.ask(json!({ "type": "subscribe", "feed": true })).await;

        let session = hub.session(&agent).await;
        let question = json!({ "encryptedContent": "?", "responseRequired": true });
        agent.post(&at_agent(&session, "/messages"), question).await.expect(201);
        for socket in [&mut feed, &mut all] {
            let first = socket.find("feed").await;
            assert_eq!((&first["sessionId"], &first["seq"], &first["event"]), (&json!(session), &json!(1), &json!("session.created")));
            let second = socket.find("feed").await;
            assert_eq!((&second["seq"], &second["event"], &second["pendingCount"]), (&json!(2), &json!("message.created"), &json!(1)));
            assert!(second["at"].is_string());
        }
        nothing.expect_none("feed").await;
        assert_eq!(feed.ask(json!({ "type": "unsubscribe", "feed": true })).await["type"], "unsubscribed");
        post(&agent, &session).await;
        all.find("feed").await;
        feed.expect_none("feed").await;
    }

    async fn send_is_durable_and_idempotent(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let mut socket = hub.socket(&agent).await;
        socket.subscribe(&session, None).await;
        let frame = json!({ "type": "send", "sessionId": session, "encryptedContent": "hi", "idempotencyKey": "k1" });
        let sent = socket.ask(frame.clone()).await;
        assert_eq!(sent["type"], "sent");
        let message = &sent["message"];
        let got = agent.get(&at_agent(&session, &format!("/messages/{}", text(&message["id"])))).await.expect(200);
        assert_eq!(&got, message);
        assert_eq!(&socket.ask(frame.clone()).await["message"], message);
        let mut other = frame;
        other["encryptedContent"] = json!("something else");
        assert_eq!(socket.ask(other).await["error"]["code"], "IDEMPOTENCY_MISMATCH");
        let list = agent.get(&at_agent(&session, "/messages")).await.expect(200);
        assert_eq!(list["total"], 1);
        // The author gets it too.
        let mut second = hub.socket(&agent).await;
        second.subscribe(&session, Some(1)).await;
        assert_eq!(&second.event().await["data"]["message"], message);
    }

    async fn invalid_frames_get_errors_and_ten_unreadable_ones_close_the_socket(hub: Hub) {
        let agent = hub.agent("agent").await;
        let mut socket = hub.socket(&agent).await;
        let unknown = "0198f7b2-0000-7000-8000-000000000000";
        for (frame, code) in [
            (json!({ "type": "nope" }), "VALIDATION_ERROR"),
            (json!({ "type": "subscribe" }), "VALIDATION_ERROR"),
            (json!({ "type": "subscribe", "sessionId": "x" }), "VALIDATION_ERROR"),
            (json!({ "type": "subscribe", "sessionId": unknown }), "NOT_FOUND"),
            (json!({ "type": "subscribe", "sessionId": unknown, "after": "1" }), "VALIDATION_ERROR"),
            (json!({ "type": "send", "sessionId": unknown }), "VALIDATION_ERROR"),
            (json!({ "type": "send", "sessionId": unknown, "encryptedContent": "x" }), "NOT_FOUND"),
            (json!({ "type": "send", "sessionId": unknown, "encryptedContent": 1 }), "VALIDATION_ERROR"),
            (json!({ "type": "typing", "sessionId": unknown }), "NOT_FOUND"),
            (json!({ "type": "read", "sessionId": unknown, "seq": 1 }), "NOT_FOUND"),
            (json!({ "type": "read", "sessionId": unknown, "seq": -1 }), "VALIDATION_ERROR"),
            (json!({ "type": "refresh", "token": "no" }), "UNAUTHORIZED"),
        ] {
            let reply = socket.ask(frame.clone()).await;
            assert_eq!((&reply["type"], &reply["error"]["code"]), (&json!("error"), &json!(code)), "{frame}: {reply}");
        }
        for _ in 0..9 {
            socket.send_raw(Message::text("nonsense")).await;
            assert_eq!(socket.expect("error").await["error"]["code"], "VALIDATION_ERROR");
        }
        assert_eq!(socket.ask(json!({ "type": "ping" })).await["type"], "pong");
        for _ in 0..10 {
            socket.send_raw(Message::binary(vec![1, 2, 3])).await;
        }
        assert_eq!(socket.end().await, End::Code(4400));
        let mut large = hub.socket(&agent).await;
        large.send_raw(Message::text("x".repeat(64 * 1024 + 1))).await;
        assert_eq!(large.end().await, End::Code(1009));
    }
}

/// Fragments count against the frame rate although they complete no message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_fragments_exceed_the_frame_rate() {
    let hub = Hub::start_with(Engine::Sqlite, &["--rate-limit", "5/s"], |_| {}).await;
    let mut socket = hub.socket(&hub.agent("agent").await).await;
    let first = Frame::message(r#"{"type":"ping","#, OpCode::Data(Data::Text), false);
    socket.send_raw(Message::Frame(first)).await;
    for _ in 0..40 {
        let more = Frame::message("", OpCode::Data(Data::Continue), false);
        // The hub may have closed by now.
        if socket.stream.send(Message::Frame(more)).await.is_err() {
            break;
        }
    }
    assert_eq!(socket.end().await, End::Code(4529));
}
