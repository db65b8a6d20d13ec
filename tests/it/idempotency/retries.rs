//! A key is used again: in sequence, in a race, after a refusal, over two sockets.

use super::is_replayed;
use super::posts::Keyed::Kept;
use super::posts::{POSTS, caller, path_of, row_of, with_more};
use crate::permissions::Fixture;
use crate::support::hub::{at_agent, config, text};
use crate::support::{Client, Hub, on_both_engines};
use futures::future::join_all;
use hiloop::broker::LocalBroker;
use hiloop::clock::SystemClock;
use hiloop::server::start_with;
use hiloop::testing::Idempotency;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;

/// The secret in a reply, if there is one.
fn secret_of(reply: &Value) -> Option<String> {
    let secret = ["apiKey", "token"].iter().find_map(|field| reply[*field].as_str());
    let link = reply["setupUrl"].as_str().and_then(|url| url.split_once("#setup=")).map(|(_, token)| token);
    secret.or(link).map(str::to_owned)
}

/// A named participant may have left before the retry: the stored reply is returned all the same.
async fn a_retry_returns_the_first_reply(client: &Client, path: &str, key: &str, body: &Value, first: &Value) {
    let again = client.with("idempotency-key", key).post(path, body.clone()).await;
    assert!(is_replayed(&again), "{path}: {}", again.body);
    assert_eq!(again.expect(201), *first, "{path}");
}

on_both_engines! {
    async fn a_retry_returns_the_first_reply_after_a_named_participant_left(hub: Hub) {
        let agent = hub.agent("space").await;
        let leaving = json!({ "email": "leaving@example.org", "name": "L" });
        let leaving = hub.owner.post("/v1/manage/humans", leaving).await.expect(201);
        let bot = hub.owner.post("/v1/manage/agents", json!({ "name": "leaving" })).await.expect(201);
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let named = json!({ "type": "Human", "email": leaving["email"] });
        let requests = [
            (&agent, "/v1/agent/sessions".to_owned(), json!({ "participants": [named] })),
            (&agent, "/v1/agent/interactions".to_owned(), json!({ "encryptedContent": "?", "participants": [named] })),
            (&agent, at_agent(&session, "/participants"), json!({ "type": "Agent", "name": "leaving" })),
            (&human, "/v1/human/sessions".to_owned(), json!({ "participants": [{ "type": "Agent", "name": "leaving" }] })),
        ];
        let mut firsts = Vec::new();
        for (client, path, body) in &requests {
            firsts.push(client.with("idempotency-key", "k").post(path, body.clone()).await.expect(201));
        }
        hub.owner.delete(&format!("/v1/manage/humans/{}", text(&leaving["id"]))).await.expect(204);
        hub.owner.delete(&format!("/v1/manage/agents/{}", text(&bot["id"]))).await.expect(204);
        for ((client, path, body), first) in requests.iter().zip(&firsts) {
            a_retry_returns_the_first_reply(client, path, "k", body, first).await;
            // Another request with that key is a mismatch, and a request that was never executed fails.
            let mut other = body.clone();
            other["metadata"] = json!({ "other": true });
            let mismatch = client.with("idempotency-key", "k").post(path, other).await;
            mismatch.expect_error(422, "IDEMPOTENCY_MISMATCH");
            let new = client.with("idempotency-key", "new").post(path, body.clone()).await;
            new.expect_error(404, "NOT_FOUND");
            client.post(path, body.clone()).await.expect_error(404, "NOT_FOUND");
        }
        // The refusal was not stored: the retry succeeds once it is possible.
        let (client, path, _) = &requests[0];
        client.with("idempotency-key", "new").post(path, json!({ "participants": [] })).await.expect(201);
    }

    async fn each_creating_or_settling_post_is_executed_once(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let mut secrets = Vec::new();
        for (path, keyed) in POSTS {
            let row = row_of(path);
            let (path, body) = (path_of(&hub, &fixture, row).await, fixture.body(&hub, row));
            let client = caller(&hub, &fixture, row).with("idempotency-key", "k");
            let body: Value = serde_json::from_str(&body).expect("JSON");
            let first = client.post(&path, body.clone()).await;
            assert!(!is_replayed(&first), "{path}");
            let Kept(status) = *keyed else {
                let again = client.post(&path, body).await;
                assert!(!is_replayed(&again), "{path}");
                continue;
            };
            let first = first.expect(status);
            for _ in 0..2 {
                let again = client.post(&path, body.clone()).await;
                assert!(is_replayed(&again), "{path}: {}", again.body);
                assert_eq!(again.expect(status).to_string(), first.to_string(), "{path}");
            }
            client.post(&path, with_more(&body.to_string())).await.expect_error(422, "IDEMPOTENCY_MISMATCH");
            secrets.extend(secret_of(&first));
        }
        // The secrets are valid and different.
        let different: HashSet<_> = secrets.iter().collect();
        assert_eq!((secrets.len(), different.len()), (6, 6));
        for secret in &secrets {
            let client = match secret.split_at(4) {
                ("hlp_", _) => hub.anonymous().with("x-api-key", secret),
                ("hlg_", _) => hub.anonymous().with("authorization", &format!("Bearer {secret}")),
                _ => {
                    let setup = json!({ "token": secret, "password": "correct horse" });
                    hub.anonymous().post("/v1/auth/setup", setup).await.expect(200);
                    continue;
                }
            };
            let me = if secret.starts_with("hlp_") { "/v1/agent/me" } else { "/v1/human/me" };
            client.get(me).await.expect(200);
        }
    }

    async fn concurrent_requests_with_one_key_are_executed_once_across_nodes(hub: Hub) {
        let fixture = Fixture::of(&hub).await;
        let settings = config(&hub.database_url, &["--public-url", &hub.base]);
        let other = start_with(settings, Arc::new(SystemClock), Arc::new(LocalBroker)).await.expect("a second node");
        let elsewhere = format!("http://{}", other.address);
        for (path, keyed) in POSTS {
            let Kept(status) = *keyed else { continue };
            let row = row_of(path);
            let path = path_of(&hub, &fixture, row).await;
            let body: Value = serde_json::from_str(&fixture.body(&hub, row)).expect("JSON");
            let here = caller(&hub, &fixture, row).with("idempotency-key", "raced");
            let there = Client { base: elsewhere.clone(), ..here.clone() };
            let racers = (0..16).map(|number| if number % 2 == 0 { &here } else { &there });
            let replies = join_all(racers.map(|client| client.post(&path, body.clone()))).await;
            let mut bodies = Vec::new();
            let mut first = 0;
            for reply in replies {
                if reply.status == 409 {
                    reply.expect_error(409, "IDEMPOTENCY_IN_FLIGHT");
                    continue;
                }
                first += usize::from(!is_replayed(&reply));
                bodies.push(reply.expect(status));
            }
            assert_eq!(first, 1, "{path}: {bodies:?}");
            assert!(bodies.iter().all(|body| *body == bodies[0]), "{path}: {bodies:?}");
            let again = there.post(&path, body).await;
            assert!(is_replayed(&again), "{path}");
            assert_eq!(again.expect(status), bodies[0], "{path}");
        }
        other.stop().await;
    }

    async fn a_concurrent_request_with_the_same_key_is_refused(hub: Hub) {
        let keyed = |agent: &Client| agent.with("idempotency-key", "k");
        let key = hub.owner.post("/v1/manage/keys", json!({ "permission": "manage", "agent": "busy" })).await.expect(201);
        let client = hub.anonymous().with("x-api-key", text(&key["apiKey"]));
        let id = text(&key["id"]).parse().expect("an id");
        let session = hub.session(&client).await;
        let in_flight = &hub.context().timeline.in_flight;
        let take = |route: &str| in_flight.claim(&Idempotency::new(id, route, "k".to_owned(), [0; 32])).expect("free");
        for (route, path, body) in [
            ("POST /v1/agent/sessions", "/v1/agent/sessions".to_owned(), json!({})),
            ("POST /v1/agent/sessions/{id}/messages", at_agent(&session, "/messages"), json!({ "encryptedContent": "x" })),
            ("POST /v1/manage/agents", "/v1/manage/agents".to_owned(), json!({ "name": "new" })),
        ] {
            let first = take(route);
            keyed(&client).post(&path, body.clone()).await.expect_error(409, "IDEMPOTENCY_IN_FLIGHT");
            client.with("idempotency-key", "other").post(&path, json!({})).await;
            drop(first);
            keyed(&client).post(&path, body).await.expect(201);
        }
        let mut socket = hub.socket(&client).await;
        let frame = json!({ "type": "send", "sessionId": session, "encryptedContent": "x", "idempotencyKey": "k" });
        let first = take("send");
        assert_eq!(socket.ask(frame.clone()).await["error"]["code"], "IDEMPOTENCY_IN_FLIGHT");
        drop(first);
        assert_eq!(socket.ask(frame).await["type"], "sent");
    }

    async fn a_refusal_is_not_stored_as_the_first_reply(hub: Hub) {
        let taken = hub.name("taken");
        hub.owner.post("/v1/manage/agents", json!({ "name": taken })).await.expect(201);
        let keyed = hub.owner.with("idempotency-key", "k");
        for _ in 0..2 {
            keyed.post("/v1/manage/agents", json!({ "name": taken })).await.expect_error(409, "CONFLICT");
        }
        let free = json!({ "name": hub.name("free") });
        let first = keyed.post("/v1/manage/agents", free.clone()).await.expect(201);
        assert_eq!(keyed.post("/v1/manage/agents", free.clone()).await.expect(201), first);
        // A day later it is a new request, and the name is taken.
        hub.clock.advance(24 * 60 * 60 * 1000 + 1000);
        keyed.post("/v1/manage/agents", free).await.expect_error(409, "CONFLICT");
    }

    async fn a_key_used_over_two_sockets_posts_once(hub: Hub) {
        let host = hub.agent("space").await;
        let session = hub.session(&host).await;
        let mut sockets = join_all((0..4).map(|_| hub.socket(&host))).await;
        let frame = json!({ "type": "send", "sessionId": session, "encryptedContent": "x", "idempotencyKey": "k" });
        let replies = join_all(sockets.iter_mut().map(|socket| socket.ask(frame.clone()))).await;
        let sent: Vec<_> = replies.iter().filter(|reply| reply["type"] == "sent").collect();
        assert!(!sent.is_empty());
        for reply in &replies {
            let in_flight = reply["error"]["code"] == "IDEMPOTENCY_IN_FLIGHT";
            assert!(in_flight || reply["message"] == sent[0]["message"], "{reply}");
        }
        // The same API key acting as another agent is another sender.
        let mut other = hub.socket(&host.with("x-hiloop", "somebody-else")).await;
        assert_eq!(other.ask(frame).await["error"]["code"], "IDEMPOTENCY_MISMATCH");
        assert_eq!(host.get(&at_agent(&session, "/messages")).await.expect(200)["total"], 1);
    }
}

/// The content of all files of the SQLite store.
fn stored(hub: &Hub) -> Vec<u8> {
    let file = hub.database_url.trim_start_matches("sqlite://");
    let mut bytes = std::fs::read(file).expect("the store's file");
    bytes.extend(std::fs::read(format!("{file}-wal")).unwrap_or_default());
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_replies_contain_no_secret() {
    let hub = Hub::start(crate::support::Engine::Sqlite).await;
    let fixture = Fixture::of(&hub).await;
    let mut seen = 0;
    for (path, keyed) in POSTS {
        let Kept(status) = *keyed else { continue };
        let row = row_of(path);
        let body: Value = serde_json::from_str(&fixture.body(&hub, row)).expect("JSON");
        let client = caller(&hub, &fixture, row).with("idempotency-key", "k");
        let reply = client.post(&path_of(&hub, &fixture, row).await, body).await.expect(status);
        let stored = stored(&hub);
        let holds = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
        if let Some(id) = reply["id"].as_str() {
            assert!(holds(id), "{path}: the reply is kept, in this file");
        }
        if let Some(secret) = secret_of(&reply) {
            let (_, random) = secret.split_at(secret.len() - 64);
            assert!(!holds(random), "{path}");
            seen += 1;
        }
    }
    assert_eq!(seen, 6);
}
