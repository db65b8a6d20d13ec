//! Credentials, origins, refresh, and the end of what a socket may read.

use super::post;
use crate::support::hub::{at_agent, text};
use crate::support::socket::End;
use crate::support::{Client, Socket, on_both_engines};
use serde_json::json;

on_both_engines! {
    async fn hello_is_the_first_frame_and_names_the_principal(hub: Hub) {
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
        // Not in the URL.
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

    async fn removal_ends_subscriptions_and_revocation_closes_sockets(hub: Hub) {
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

    async fn a_token_can_be_refreshed_before_it_expires(hub: Hub) {
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
}
