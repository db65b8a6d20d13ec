//! Section 2: principals, their credentials and their access.

use crate::support::deployment::{name, now, signed};
use crate::support::hub::{SESSIONS, UNKNOWN, at_agent, at_human, open, say, text};
use crate::support::shapes::{column, has_keys, is_time};
use crate::support::socket::End;
use crate::support::{Client, Deployment, Kind, Socket, Stopwatch, eventually, on_every_deployment};
use serde_json::{Value, json};
use std::time::Duration;

/// Time for a revocation to reach every node and close sockets, with a margin.
const REVOKED_WITHIN: Duration = Duration::from_millis(2500);

fn is_secret(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}

/// Waits until a credential is refused, which must be soon.
async fn ends_soon(client: &Client, path: &str, since: Stopwatch) {
    eventually("the revocation", async || (client.get(path).await.status == 401).then_some(())).await;
    assert!(since.elapsed() < REVOKED_WITHIN, "{:?}", since.elapsed());
}

async fn closes_soon(mut socket: Socket, since: Stopwatch) {
    assert_eq!(socket.end().await, End::Code(4403));
    assert!(since.elapsed() < REVOKED_WITHIN, "{:?}", since.elapsed());
}

on_every_deployment! {
    async fn agent(hub: Deployment) {
        let key = hub.manager.post("/v1/manage/keys", json!({ "permission": "agent", "agent": "own" })).await.expect(201);
        assert!(is_secret(text(&key["apiKey"]), "hlp_"), "{key}");
        let agent = hub.with_key(text(&key["apiKey"]));
        // Without the header it acts as the key's own agent.
        let own = agent.get("/v1/agent/me").await.expect(200);
        assert_eq!((&own["id"], &own["name"]), (&key["agentId"], &json!("own")));
        // It may name its own agent but no other one, existing or not.
        for name in ["own", text(&own["id"])] {
            assert_eq!(agent.with("x-hiloop", name).get("/v1/agent/me").await.expect(200)["id"], own["id"]);
        }
        for other in ["default", "unheard-of", UNKNOWN] {
            agent.with("x-hiloop", other).get("/v1/agent/me").await.expect_error(403, "FORBIDDEN");
        }
        let agent = hub.agent("space").await;
        // With `space`, a new name creates an agent; its name and its id find it again.
        let made = agent.with("x-hiloop", "A.new_one-1").get("/v1/agent/me").await.expect(200);
        assert_eq!((&made["name"], &made["spaceId"]), (&json!("A.new_one-1"), &own["spaceId"]));
        for name in ["A.new_one-1", text(&made["id"])] {
            assert_eq!(agent.with("x-hiloop", name).get("/v1/agent/me").await.expect(200)["id"], made["id"]);
        }
        agent.with("x-hiloop", &"n".repeat(64)).get("/v1/agent/me").await.expect(200);
        for bad in ["", "two words", "schräg", "a/b", &"n".repeat(65)] {
            agent.with("x-hiloop", bad).get("/v1/agent/me").await.expect_error(400, "VALIDATION_ERROR");
        }
        // An id that is no agent of the space.
        let elsewhere = hub.other_space().await.get("/v1/agent/me").await.expect(200);
        for id in [UNKNOWN, text(&elsewhere["id"])] {
            agent.with("x-hiloop", id).get("/v1/agent/me").await.expect_error(404, "NOT_FOUND");
        }
        // A key is no bearer token.
        hub.with_token(agent.secret()).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
    }

    async fn provisioner(hub: Deployment) {
        let key = hub.manager.post("/v1/manage/keys", json!({ "permission": "provision" })).await.expect(201);
        assert!(is_secret(text(&key["apiKey"]), "hlp_prov_"), "{key}");
        let provisioner = hub.with_key(text(&key["apiKey"]));
        let made = provisioner.post("/v1/provision/agents", json!({ "name": name("made") })).await.expect(201);
        assert_eq!(made["agent"]["spaceId"], hub.manager.get("/v1/agent/me").await.expect(200)["spaceId"]);
        // And nothing else.
        for path in [SESSIONS, "/v1/agent/me", "/v1/manage/keys"] {
            provisioner.get(path).await.expect_error(403, "FORBIDDEN");
        }
        assert_eq!(Socket::try_open(&provisioner).await.err(), Some(403));
        hub.owner.post("/v1/provision/agents", json!({ "name": name("made") })).await.expect_error(403, "FORBIDDEN");
    }

    async fn human(hub: Deployment) {
        let human = hub.human().await;
        let agent = hub.agent("agent").await;
        let here = hub.session(&agent).await;
        let me = human.get("/v1/human/me").await.expect(200);
        assert_eq!(me["type"], "Human");
        assert_eq!(me["role"], "Member");
        // The same address in another space is another human, with access to that space.
        let second = hub.other_space().await;
        let body = json!({ "email": me["email"], "name": "the same" });
        let twin = second.post("/v1/manage/humans", body.clone()).await.expect(201);
        assert!(twin["id"] != me["id"] && twin["setupUrl"].is_string(), "{twin}");
        second.post("/v1/manage/humans", body).await.expect_error(409, "CONFLICT");
        let there = hub.session(&second).await;
        assert_eq!(column(&human.get("/v1/human/sessions").await.expect(200), "id"), [here.as_str()]);
        human.get(&at_human(&there, "")).await.expect_error(404, "NOT_FOUND");
        human.get(SESSIONS).await.expect_error(401, "UNAUTHORIZED");
    }

    async fn guest(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let (session, other) = (hub.session(&agent).await, hub.session(&agent).await);
        let made = agent.post(&at_agent(&session, "/guest-tokens"), json!({})).await.expect(201);
        assert!(is_secret(text(&made["token"]), "hlg_"), "{made}");
        let guest = hub.with_token(text(&made["token"]));
        assert_eq!(column(&guest.get("/v1/human/sessions").await.expect(200), "id"), [session.as_str()]);
        guest.get(&at_human(&session, "")).await.expect(200);
        guest.get(&at_human(&other, "")).await.expect_error(404, "NOT_FOUND");
        let said = guest.post(&at_human(&session, "/messages"), json!({ "encryptedContent": "x" })).await.expect(201);
        assert_eq!((&said["senderType"], &said["senderHumanId"], &said["senderGuestId"]), (&json!("Human"), &Value::Null, &made["id"]));
    }

    async fn spaces_are_isolated(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let message = say(&agent, &session, "x").await;
        let stranger = hub.other_space().await;
        for path in [
            at_agent(&session, ""),
            at_agent(&session, "/messages"),
            at_agent(&session, &format!("/messages/{}", text(&message["id"]))),
            at_agent(&session, "/timeline"),
            at_agent(&session, "/participants"),
        ] {
            stranger.get(&path).await.expect_error(404, "NOT_FOUND");
        }
        assert_eq!(stranger.get(SESSIONS).await.expect(200)["total"], 0);
        let me = agent.get("/v1/agent/me").await.expect(200);
        let there = hub.session(&stranger).await;
        let body = json!({ "type": "Agent", "agentId": me["id"] });
        stranger.post(&at_agent(&there, "/participants"), body).await.expect_error(404, "NOT_FOUND");
        let keys = hub.manager.get("/v1/manage/keys").await.expect(200);
        let key = format!("/v1/manage/keys/{}", text(&keys["data"][0]["id"]));
        stranger.delete(&key).await.expect_error(404, "NOT_FOUND");
        let mut socket = hub.socket(&stranger).await;
        let reply = socket.ask(json!({ "type": "subscribe", "sessionId": session })).await;
        assert_eq!(reply["error"]["code"], "NOT_FOUND");
    }

    async fn key_permissions_include_the_lower_ones(hub: Deployment) {
        let host = hub.agent("agent").await;
        let session = hub.session(&host).await;
        let owner = hub.owner.clone();
        for (client, sees, manages, owns) in [
            (hub.agent("agent").await, 404, 403, 403),
            (hub.agent("space").await, 200, 403, 403),
            (hub.agent("manage").await, 200, 200, 403),
            // A key of another space with the highest permission.
            (owner, 404, 200, 200),
        ] {
            let permission = client.get("/v1/agent/me").await.expect(200)["permission"].clone();
            assert_eq!(client.get(&at_agent(&session, "")).await.status, sees, "{permission}");
            assert_eq!(client.get("/v1/manage/agents").await.status, manages, "{permission}");
            assert_eq!(client.get("/v1/manage/spaces").await.status, owns, "{permission}");
            open(&client, json!({ "participants": [] })).await;
        }
        say(&hub.agent("space").await, &session, "acts on a session without being a participant").await;
    }

    async fn keys_and_guest_tokens_are_shown_once_end_and_can_be_revoked(hub: Deployment) {
        let made = hub.manager.post("/v1/manage/keys", json!({ "permission": "agent" })).await.expect(201);
        let listed = hub.manager.get("/v1/manage/keys").await.expect(200);
        assert!(!listed.to_string().contains(text(&made["apiKey"])), "{listed}");
        // One that expires.
        let brief = json!({ "permission": "agent", "expiresInSeconds": 5 });
        let brief = hub.manager.post("/v1/manage/keys", brief).await.expect(201);
        is_time(&brief["expiresAt"]);
        let brief = hub.with_key(text(&brief["apiKey"]));
        brief.get("/v1/agent/me").await.expect(200);
        let mut waiting = hub.socket(&brief).await;
        assert_eq!(waiting.end().await, End::Code(4504));
        brief.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        // One that is revoked.
        let key = hub.with_key(text(&made["apiKey"]));
        let session = hub.session(&key).await;
        let guest = key.post(&at_agent(&session, "/guest-tokens"), json!({})).await.expect(201);
        let (visitor, token) = (hub.with_token(text(&guest["token"])), text(&guest["id"]).to_owned());
        let (of_key, of_guest) = (hub.socket(&key).await, hub.socket(&visitor).await);
        let since = Stopwatch::start();
        key.delete(&at_agent(&session, &format!("/guest-tokens/{token}"))).await.expect(204);
        closes_soon(of_guest, since).await;
        ends_soon(&visitor, "/v1/human/me", since).await;
        let since = Stopwatch::start();
        hub.manager.delete(&format!("/v1/manage/keys/{}", text(&made["id"]))).await.expect(204);
        closes_soon(of_key, since).await;
        ends_soon(&key, "/v1/agent/me", since).await;
    }

    async fn jwt_of_own_accounts(hub: Deployment) {
        let email = format!("{}@example.org", name("ada"));
        let body = json!({ "email": email, "name": "Ada", "password": "correct horse battery" });
        let human = hub.manager.post("/v1/manage/humans", body).await.expect(201);
        assert_eq!(human["setupUrl"], Value::Null);
        let login = json!({ "email": email, "password": "correct horse battery" });
        let tokens = hub.anonymous.post("/v1/auth/login", login).await.expect(200);
        has_keys(&tokens, "accessToken tokenType expiresAt refreshToken");
        assert_eq!(tokens["tokenType"], "Bearer");
        is_time(&tokens["expiresAt"]);
        let me = hub.with_token(text(&tokens["accessToken"])).get("/v1/human/me").await.expect(200);
        assert_eq!(me["id"], human["id"]);
        let refresh = |tokens: &Value| json!({ "refreshToken": tokens["refreshToken"] });
        let next = hub.anonymous.post("/v1/auth/refresh", refresh(&tokens)).await.expect(200);
        has_keys(&next, "accessToken tokenType expiresAt refreshToken");
        hub.with_token(text(&next["accessToken"])).get("/v1/human/me").await.expect(200);
        hub.anonymous.post("/v1/auth/logout", refresh(&next)).await.expect(204);
        hub.anonymous.post("/v1/auth/refresh", refresh(&next)).await.expect_error(401, "UNAUTHORIZED");
        let wrong = json!({ "email": email, "password": "wrong horse battery" });
        hub.anonymous.post("/v1/auth/login", wrong).await.expect_error(401, "UNAUTHORIZED");
    }

    async fn jwt_of_an_outside_issuer(kind: Kind) {
        let space = name("theirs");
        let flags = ["--jwt-space", &space, "--jwt-issuer", "https://idp.example", "--jwt-audience", "hub"];
        let hub = kind.alone(&flags, |_| {}).await;
        let space = hub.owner.post("/v1/manage/spaces", json!({ "name": space })).await.expect(201);
        let theirs = hub.with_key(text(&space["apiKey"]));
        let email = format!("{}@example.org", name("grace"));
        let good = json!({
            "sub": "idp|1", "email": email, "name": "Grace", "iat": now(), "exp": now() + 60, "iss": "https://idp.example", "aud": "hub",
        });
        // An unknown subject becomes a member of the configured space.
        let grace = hub.with_token(&signed(&good)).get("/v1/human/me").await.expect(200);
        assert_eq!((&grace["email"], &grace["name"]), (&json!(email), &json!("Grace")));
        assert_eq!(column(&theirs.get("/v1/agent/humans").await.expect(200), "id"), [text(&grace["id"])]);
        for (claim, value) in [
            ("exp", json!(now() - 1)), ("exp", Value::Null), ("iss", json!("https://other.example")), ("iss", Value::Null),
            ("aud", json!("another")), ("aud", Value::Null), ("sub", Value::Null), ("iat", Value::Null), ("sub", json!(7)),
            ("email", json!(["x"])), ("email_verified", json!("true")), ("name", json!({})), ("nbf", json!("soon")),
        ] {
            let mut claims = good.clone();
            let object = claims.as_object_mut().expect("an object");
            if value.is_null() { object.remove(claim) } else { object.insert(claim.to_owned(), value) };
            hub.with_token(&signed(&claims)).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        }
        // The token can't choose the algorithm.
        let token = signed(&good);
        let (_, rest) = token.split_once('.').expect("a header");
        let (payload, _) = rest.split_once('.').expect("a payload");
        let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
        hub.with_token(&none).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        // Nor may the signature be changed.
        let cut = &token[..token.len() - 4];
        hub.with_token(&format!("{cut}AAAA")).get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
    }

    async fn deactivation_ends_live_connections(hub: Deployment) {
        let body = json!({ "email": format!("{}@example.org", name("h")), "name": "H" });
        let human = hub.manager.post("/v1/manage/humans", body).await.expect(201);
        let (_, setup) = text(&human["setupUrl"]).split_once("#setup=").expect("a link");
        let body = json!({ "token": setup, "password": "correct horse battery" });
        let tokens = hub.anonymous.post("/v1/auth/setup", body).await.expect(200);
        let client = hub.with_token(text(&tokens["accessToken"]));
        let socket = hub.socket(&client).await;
        let since = Stopwatch::start();
        hub.manager.delete(&format!("/v1/manage/humans/{}", text(&human["id"]))).await.expect(204);
        closes_soon(socket, since).await;
        ends_soon(&client, "/v1/human/me", since).await;
    }
}
