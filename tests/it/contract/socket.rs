//! Section 8: how a socket is opened, and the promises that hold for all frames.

use crate::support::hub::say;
use crate::support::shapes::{has_keys, is_time};
use crate::support::{Client, Deployment, Kind, Socket, on_every_deployment};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// The subprotocol that the hub selects for this offer.
async fn selected(client: &Client, offer: &str) -> Option<String> {
    let url = format!("{}/v1/ws", client.next_base().replacen("http", "ws", 1));
    let mut request = url.into_client_request().expect("a request");
    request.headers_mut().insert("sec-websocket-protocol", offer.parse().expect("a header"));
    let (_, response) = connect_async(request).await.expect("the socket opens");
    let chosen = response.headers().get("sec-websocket-protocol");
    chosen.map(|value| value.to_str().expect("text").to_owned())
}

on_every_deployment! {
    async fn credentials_in_headers(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        for (client, kind) in [(agent.clone(), "Agent"), (hub.human().await, "Human"), (hub.guest(&agent, &session).await, "Guest")] {
            assert_eq!(hub.socket(&client).await.hello["principal"]["type"], kind);
        }
        let named = hub.agent("space").await.with("x-hiloop", "by-header");
        assert_eq!(hub.socket(&named).await.hello["principal"]["name"], "by-header");
        assert_eq!(Socket::try_open(&hub.with_key("hlp_no")).await.err(), Some(401));
    }

    async fn credentials_in_the_subprotocol(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        for client in [agent.clone(), hub.human().await, hub.guest(&agent, &session).await] {
            let offer = format!("hiloop.v1, hiloop.bearer.{}", client.secret());
            // The reply selects the protocol and never echoes the token.
            assert_eq!(selected(&hub.anonymous, &offer).await.as_deref(), Some("hiloop.v1"));
            let socket = Socket::open(&hub.anonymous.with("sec-websocket-protocol", &offer)).await;
            assert!(socket.hello["principal"]["id"].is_string());
        }
        let bad = hub.anonymous.with("sec-websocket-protocol", "hiloop.v1, hiloop.bearer.hlg_no");
        assert_eq!(Socket::try_open(&bad).await.err(), Some(401));
    }

    async fn credentials_in_a_first_frame(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        for client in [agent.clone(), hub.human().await, hub.guest(&agent, &session).await] {
            let mut socket = Socket::try_open(&hub.anonymous).await.expect("the socket opens");
            socket.send(json!({ "type": "auth", "id": 1, "token": client.secret() })).await;
            socket.expect("hello").await;
        }
        let mut socket = Socket::try_open(&hub.anonymous).await.expect("the socket opens");
        let space = hub.agent("space").await;
        socket.send(json!({ "type": "auth", "id": 1, "token": space.secret(), "agent": "by-frame" })).await;
        assert_eq!(socket.expect("hello").await["principal"]["name"], "by-frame");
    }

    async fn credentials_never_in_the_url(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let url = format!("{}/v1/ws?token={}", hub.anonymous.next_base().replacen("http", "ws", 1), agent.secret());
        let (stream, _) = connect_async(url).await.expect("the socket opens");
        let mut socket = Socket::of(stream);
        let reply = socket.ask(json!({ "type": "ping" })).await;
        assert_eq!((&reply["type"], &reply["error"]["code"]), (&json!("error"), &json!("UNAUTHORIZED")));
    }

    async fn origin_must_be_the_hub_s_own_or_a_configured_one(kind: Kind) {
        let flags = ["--cors-origins", "https://chat.example", "--public-url", "https://hub.example:443/base"];
        let hub = kind.alone(&flags, |_| {}).await;
        let agent = hub.agent("agent").await;
        assert_eq!(Socket::try_open(&agent.with("origin", "https://evil.example")).await.err(), Some(403));
        assert_eq!(Socket::try_open(&agent.with("origin", "null")).await.err(), Some(403));
        assert!(Socket::try_open(&agent.with("origin", "https://chat.example")).await.is_ok());
        let one = Client::anonymous(agent.next_base()).with("x-api-key", agent.secret());
        assert!(Socket::try_open(&one.with("origin", "https://HUB.example")).await.is_ok());
        assert!(Socket::try_open(&one).await.is_ok(), "other clients send no Origin");
        // Regardless of the `Host` header.
        assert_eq!(Socket::try_open(&one.with("origin", &one.base)).await.err(), Some(403));
    }

    async fn id_is_a_string_or_a_number_and_is_echoed(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let mut socket = hub.socket(&agent).await;
        for id in [json!("a \u{1f600}"), json!(7), json!(-1.5), json!("")] {
            socket.send(json!({ "type": "ping", "id": id })).await;
            assert_eq!(socket.expect("pong").await, json!({ "type": "pong", "id": id }));
        }
    }

    async fn each_event_is_delivered_exactly_once(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        for index in 0..10 {
            say(&agent, &session, &format!("{index}")).await;
        }
        // Subscribed during writes, from the beginning and live.
        let writes = async {
            for index in 0..60 {
                say(&agent, &session, &format!("{index}")).await;
            }
        };
        let reads = futures::future::join_all((0..6).map(async |reader| {
            let mut socket = hub.socket(if reader % 2 == 0 { &human } else { &agent }).await;
            let subscribed = socket.subscribe(&session, (reader < 4).then_some(reader)).await;
            let head = subscribed["seq"].as_i64().expect("a seq");
            let first = if reader < 4 { reader } else { head } + 1;
            assert_eq!(subscribed["replay"], json!(head - first + 1));
            for seq in first..=71 {
                assert_eq!(socket.event().await["seq"], json!(seq));
            }
            socket.expect_none("event").await;
        }));
        tokio::join!(writes, reads);
    }

    async fn a_slow_consumer_loses_nothing_and_delays_no_other(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let mut slow = hub.socket(&agent).await;
        slow.subscribe(&session, None).await;
        let mut quick = hub.socket(&agent).await;
        quick.subscribe(&session, None).await;
        // More than 1 MiB is pending for the client that does not read.
        let words = "x".repeat(100_000);
        let writes = async {
            for _ in 0..40 {
                say(&agent, &session, &words).await;
            }
        };
        let reads = async {
            for seq in 2..=41 {
                assert_eq!(quick.event().await["seq"], json!(seq));
            }
        };
        tokio::time::timeout(Duration::from_secs(60), futures::future::join(writes, reads)).await.expect("other readers do not wait for the slow one");
        for seq in 2..=41 {
            assert_eq!(slow.event().await["seq"], json!(seq));
        }
        assert_eq!(slow.ask(json!({ "type": "ping" })).await["type"], "pong");
    }

    async fn hello_is_the_first_frame(hub: Deployment) {
        let human = hub.human().await;
        let me = human.get("/v1/human/me").await.expect(200);
        let mut socket = Socket::try_open(&human).await.expect("the socket opens");
        socket.send(json!({ "type": "ping", "id": 1 })).await;
        let hello = socket.expect("hello").await;
        has_keys(&hello, "type principal connectionId heartbeatSeconds expiresAt");
        assert_eq!(hello["principal"], json!({ "type": "Human", "id": me["id"], "name": me["name"] }));
        assert_eq!(hello["heartbeatSeconds"], 25);
        is_time(&hello["expiresAt"]);
        assert_eq!(socket.expect("pong").await["id"], 1);
        let agent = hub.agent("agent").await;
        assert_eq!(hub.socket(&agent).await.hello["expiresAt"], Value::Null);
    }
}
