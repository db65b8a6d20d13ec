//! Every frame and every close code of the socket.

use crate::support::hub::{at_agent, at_human, text};
use crate::support::socket::End;
use crate::support::{Client, Engine, Hub, PATIENCE, Socket, Stopwatch, on_both_engines, timeout};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

async fn post(client: &Client, session: &str) -> serde_json::Value {
    client.post(&at_agent(session, "/messages"), json!({ "encryptedContent": "x" })).await.expect(201)
}

/// A hub whose sockets have little patience, and so much with those who don't answer a ping.
async fn impatient(pong_within: Duration) -> Hub {
    Hub::start_with(Engine::Sqlite, &[], |config| {
        config.sockets.heartbeat = Duration::from_millis(300);
        config.sockets.pong_within = pong_within;
        config.sockets.auth_within = Duration::from_millis(300);
    })
    .await
}

/// Longer than a busy machine keeps a client from answering.
const PONG_WITHIN: Duration = Duration::from_secs(3);

on_both_engines! {
    async fn hello_comes_first_and_says_who(hub: Hub) {
        let agent = hub.agent("agent").await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let socket = hub.socket(&agent).await;
        assert_eq!(socket.hello["principal"], json!({ "type": "Agent", "id": me["id"], "name": me["name"] }));
        assert_eq!(socket.hello["heartbeatSeconds"], 25);
        assert!(socket.hello["connectionId"].is_string());
        assert!(socket.hello["expiresAt"].is_null());
        let human = hub.human().await;
        assert!(hub.socket(&human).await.hello["expiresAt"].is_string());
        let named = hub.agent("space").await.with("x-hiloop", "somebody-else");
        assert_eq!(hub.socket(&named).await.hello["principal"]["name"], "somebody-else");
    }

    async fn a_first_frame_may_authenticate(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let mut socket = Socket::try_open(&hub.anonymous()).await.expect("the socket opens");
        let early = socket.ask(json!({ "type": "subscribe", "sessionId": session })).await;
        assert_eq!((&early["type"], &early["error"]["code"]), (&json!("error"), &json!("UNAUTHORIZED")));
        let space = hub.agent("space").await;
        socket.send(json!({ "type": "auth", "id": 1, "token": space.secret(), "agent": "by-frame" })).await;
        let hello = socket.expect("hello").await;
        assert_eq!(hello["principal"]["name"], "by-frame");
        let again = socket.ask(json!({ "type": "auth", "token": agent.secret() })).await;
        assert_eq!(again["error"]["code"], "VALIDATION_ERROR");

        let mut bad = Socket::try_open(&hub.anonymous()).await.expect("the socket opens");
        bad.send(json!({ "type": "auth", "token": "hlp_no" })).await;
        assert_eq!(bad.end().await, End::Code(4401));
    }

    async fn a_browser_authenticates_by_subprotocol(hub: Hub) {
        let human = hub.human().await;
        let offer = format!("hiloop.v1, hiloop.bearer.{}", human.secret());
        let socket = Socket::open(&hub.anonymous().with("sec-websocket-protocol", &offer)).await;
        assert_eq!(socket.hello["principal"]["type"], "Human");
        let bad = hub.anonymous().with("sec-websocket-protocol", "hiloop.v1, hiloop.bearer.hlg_no");
        assert_eq!(Socket::try_open(&bad).await.err(), Some(401));
        // Never by the URL.
        let agent = hub.agent("agent").await;
        let by_url = Client::anonymous(&format!("{}?token={}", hub.base, agent.secret()));
        assert!(Socket::try_open(&by_url).await.is_err());
    }

    async fn other_origins_are_refused(hub: Hub) {
        let agent = hub.agent("agent").await;
        assert_eq!(Socket::try_open(&agent.with("origin", "https://evil.example")).await.err(), Some(403));
        let own = agent.with("origin", &hub.base);
        assert!(Socket::try_open(&own).await.is_ok());
    }

    async fn typing_reaches_the_others_and_lapses(hub: Hub) {
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
        // Over HTTP too, and its end comes by itself.
        let started = Stopwatch::start();
        agent.post(&at_agent(&session, "/typing"), json!({})).await.expect(204);
        assert_eq!(watcher.find("typing").await["typing"], true);
        assert_eq!(watcher.find("typing").await["typing"], false);
        let (passed, lapsed) = (started.passed(), started.elapsed());
        assert!(passed > Duration::from_millis(5500) && lapsed < Duration::from_secs(9), "{passed:?}, {lapsed:?}");
        typist.expect_none("typing").await;
    }

    async fn presence_and_receipts_are_shown(hub: Hub) {
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

    async fn the_feed_tells_of_every_session(hub: Hub) {
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
        // Its author is told like everyone else.
        let mut second = hub.socket(&agent).await;
        second.subscribe(&session, Some(1)).await;
        assert_eq!(&second.event().await["data"]["message"], message);
    }

    async fn removal_and_revocation_end_what_is_live(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        let mut person = hub.socket(&human).await;
        person.subscribe(&session, None).await;
        let mut visitor = hub.socket(&guest).await;
        visitor.subscribe(&session, None).await;
        let participants = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        let id = |kind: &str| {
            let list = participants["data"].as_array().expect("a list");
            text(&list.iter().find(|p| p["type"] == kind).expect("one")["id"]).to_owned()
        };
        agent.delete(&at_agent(&session, &format!("/participants/{}", id("Human")))).await.expect(204);
        let ended = person.find("unsubscribed").await;
        assert_eq!((&ended["sessionId"], &ended["reason"]), (&json!(session), &json!("removed")));
        post(&agent, &session).await;
        person.expect_none("event").await;
        let again = person.ask(json!({ "type": "subscribe", "sessionId": session })).await;
        assert_eq!(again["error"]["code"], "NOT_FOUND");

        agent.delete(&at_agent(&session, &format!("/participants/{}", id("Guest")))).await.expect(204);
        assert_eq!(visitor.end().await, End::Code(4403));
        guest.get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");

        let key = hub.owner.post("/v1/manage/keys", json!({ "permission": "agent" })).await.expect(201);
        let client = hub.anonymous().with("x-api-key", text(&key["apiKey"]));
        let socket = hub.socket(&client).await;
        hub.owner.delete(&format!("/v1/manage/keys/{}", text(&key["id"]))).await.expect(204);
        let mut socket = socket;
        assert_eq!(socket.end().await, End::Code(4403));
        client.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
    }

    async fn a_token_can_be_refreshed_before_it_ends(hub: Hub) {
        let body = json!({ "email": "r@example.org", "name": "R" });
        let human = hub.owner.post("/v1/manage/humans", body).await.expect(201);
        let short = hub.token(&human, 5).await;
        let client = hub.anonymous().with("authorization", &format!("Bearer {short}"));
        let mut kept = hub.socket(&client).await;
        let mut left = hub.socket(&client).await;
        let long = hub.token(&human, 3600).await;
        let refreshed = kept.ask(json!({ "type": "refresh", "token": long })).await;
        assert_eq!(refreshed["type"], "refreshed");
        assert!(refreshed["expiresAt"].is_string());
        let stranger = hub.human().await;
        let refused = kept.ask(json!({ "type": "refresh", "token": stranger.secret() })).await;
        assert_eq!(refused["error"]["code"], "FORBIDDEN");
        assert_eq!(left.end().await, End::Code(4504));
        assert_eq!(kept.ask(json!({ "type": "ping" })).await["type"], "pong");
    }

    async fn bad_frames_get_errors_and_ten_nonsenses_end_it(hub: Hub) {
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

#[tokio::test]
async fn who_does_not_authenticate_in_time_is_closed() {
    let hub = impatient(PONG_WITHIN).await;
    let mut socket = Socket::try_open(&hub.anonymous()).await.expect("the socket opens");
    assert_eq!(socket.end().await, End::Code(4508));
}

#[tokio::test]
async fn the_heartbeat_keeps_the_living_and_ends_the_silent() {
    let hub = impatient(PONG_WITHIN).await;
    let agent = hub.agent("agent").await;
    // A client that reads answers pings by itself and stays.
    let mut living = hub.socket(&agent).await;
    let patience = tokio::time::timeout(PONG_WITHIN + Duration::from_secs(1), living.next_or_end()).await;
    assert!(patience.is_err(), "it should still be open and silent: {patience:?}");

    // A client that reads but answers nothing is closed with 4502.
    let address = hub.base.trim_start_matches("http://");
    let mut raw = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let key = agent.secret();
    let request = format!(
        "GET /v1/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-API-Key: {key}\r\n\r\n"
    );
    raw.write_all(request.as_bytes()).await.expect("the request goes out");
    let mut received = Vec::new();
    timeout(PATIENCE, raw.read_to_end(&mut received)).await.expect("an end in time").expect("it reads");
    let closing = received.windows(4).any(|bytes| bytes[0] == 0x88 && bytes[2..] == 4502_u16.to_be_bytes());
    assert!(closing, "{:?}", String::from_utf8_lossy(&received));
    assert!(String::from_utf8_lossy(&received).contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "the answer to the key");
}

/// As a machine that was suspended: the answers to its pings came in time and lie there unread.
#[test]
fn a_node_that_was_held_up_itself_ends_nobody_who_has_answered() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let node = runtime();
    let (hub, agent) = node.block_on(async {
        let hub = impatient(Duration::from_millis(300)).await;
        let agent = hub.agent("agent").await;
        (hub, agent)
    });
    // The client asks for the node to be held up when it has a ping, and answers it once that is so.
    let (asked, held_up) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let client = std::thread::spawn({
        let (asked, held_up) = (Arc::clone(&asked), Arc::clone(&held_up));
        move || {
            runtime().block_on(async move {
                let mut socket = Socket::open(&agent).await;
                for _ in 0..3 {
                    let ping = socket.stream.next().await.expect("it is open").expect("it holds");
                    assert!(matches!(ping, Message::Ping(_)), "{ping}");
                    asked.store(true, Ordering::SeqCst);
                    while !held_up.swap(false, Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                }
                assert_eq!(socket.ask(json!({ "type": "ping" })).await["type"], "pong");
            });
        }
    });
    node.block_on(async {
        while !client.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            if asked.swap(false, Ordering::SeqCst) {
                held_up.store(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(700));
            }
        }
    });
    client.join().expect("it is still open");
    drop(hub);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_hub_says_where_to_go() {
    let mut hub = Hub::start(Engine::Sqlite).await;
    let agent = hub.agent("agent").await;
    let session = hub.session(&agent).await;
    let question = json!({ "encryptedContent": "?", "responseRequired": true });
    let question = agent.post(&at_agent(&session, "/messages"), question).await.expect(201);
    let path = at_agent(&session, &format!("/messages/{}/await?timeout=55", text(&question["id"])));
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(hub.socket(&agent).await);
    }
    let server = hub.server.take().expect("the hub runs");
    let context = server.context.clone();
    let waiting = tokio::spawn(async move { agent.get(&path).await });
    crate::support::eventually("the long-poll to wait", async || {
        let pending = context.hub.is_watched(session.parse().expect("an id"));
        pending.then_some(())
    })
    .await;
    let started = Stopwatch::start();
    server.stop().await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(waiting.await.expect("no panic").expect(200)["status"], "Pending");
    for mut socket in sockets {
        let frame = socket.expect("goaway").await;
        let times = frame["reconnectAfterMs"].as_array().expect("two times");
        assert!(times.len() == 2 && times[0].as_u64() < times[1].as_u64(), "{frame}");
        assert_eq!(socket.end().await, End::Code(1001));
    }
}

/// Fragments complete no message, and count all the same: nobody keeps a socket busy with them for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragments_without_end_are_too_many_frames() {
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
