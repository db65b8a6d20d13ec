//! Idempotency keys of these routes.

use super::types;
use crate::support::hub::{SESSIONS, ask, at_agent, at_human, at_message, say, text};
use crate::support::shapes::{column, names_field};
use crate::support::{Client, Socket, on_both_engines};
use futures::future::join_all;
use serde_json::{Value, json};

/// Sends the same POST three times under one key: the first reply comes again, marked, and a different body is
/// refused. Returns the first reply.
pub async fn repeated(client: &Client, path: &str, body: Value, other: Value, status: u16) -> Value {
    let keyed = client.with("idempotency-key", &format!("key-of-{}", path.len()));
    let first = keyed.post(path, body.clone()).await;
    assert_eq!(first.header("idempotent-replayed"), None, "{path}");
    let first = first.expect(status);
    for _ in 0..2 {
        let again = keyed.post(path, body.clone()).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{path}");
        assert_eq!(again.expect(status), first, "{path}");
    }
    keyed.post(path, other).await.expect_error(422, "IDEMPOTENCY_MISMATCH");
    first
}

on_both_engines! {
    async fn a_retry_returns_the_stored_reply(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let newcomer = hub.agent("agent").await.get("/v1/agent/me").await.expect(200);
        let (x, y) = (json!({ "title": "x" }), json!({ "title": "y" }));
        let session = repeated(&agent, SESSIONS, x, y, 201).await;
        let named = json!({ "participants": [{ "type": "Agent", "agentId": me["id"] }] });
        let titled = json!({ "title": "t", "participants": [{ "type": "Agent", "agentId": me["id"] }] });
        repeated(&human, "/v1/human/sessions", named, titled, 201).await;
        assert_eq!(agent.get(SESSIONS).await.expect(200)["total"], 2);
        let session = text(&session["id"]);

        let (x, y) = (json!({ "encryptedContent": "x" }), json!({ "encryptedContent": "y" }));
        repeated(&agent, &at_agent(session, "/messages"), x.clone(), y.clone(), 201).await;
        repeated(&human, &at_human(session, "/messages"), x, y, 201).await;
        let asked = ask(&agent, session).await;
        let answer = json!({ "encryptedContent": "!", "inReplyTo": asked["id"] });
        let keyed = human.with("idempotency-key", "answer");
        let first = keyed.post(&at_human(session, "/messages"), answer.clone()).await.expect(201);
        let again = keyed.post(&at_human(session, "/messages"), answer).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.expect(201), first);
        let asked = ask(&agent, session).await;
        repeated(&agent, &at_message(session, &asked, "/cancel"), json!({}), json!({ "x": 1 }), 200).await;
        assert_eq!(agent.get(&at_agent(session, "/messages")).await.expect(200)["total"], 5);

        let body = json!({ "type": "Agent", "agentId": newcomer["id"] });
        let other = json!({ "type": "Agent", "agentId": me["id"] });
        repeated(&agent, &at_agent(session, "/participants"), body, other, 201).await;
        let guests = at_agent(session, "/guest-tokens");
        let guest = repeated(&agent, &guests, json!({ "name": "x" }), json!({ "name": "y" }), 201).await;
        let client = hub.anonymous().with("authorization", &format!("Bearer {}", text(&guest["token"])));
        client.get(&at_human(session, "")).await.expect(200);
        assert_eq!(agent.get(&at_agent(session, "/participants")).await.expect(200)["total"], 4);
        let before = types(&agent, session).await.len();
        let closed = repeated(&agent, &at_agent(session, "/close"), json!({}), json!({ "x": 1 }), 200).await;
        assert_eq!((&closed["status"], types(&agent, session).await.len()), (&json!("Closed"), before + 1));
        let archived = repeated(&agent, &at_agent(session, "/archive"), json!({}), json!({ "x": 1 }), 200).await;
        assert_eq!((&archived["status"], types(&agent, session).await.len()), (&json!("Archived"), before + 2));
        // The first reply, even if the state has changed.
        let replayed = agent.with("idempotency-key", &format!("key-of-{}", at_agent(session, "/close").len()));
        assert_eq!(replayed.post(&at_agent(session, "/close"), json!({})).await.expect(200), closed);
    }

    async fn an_idempotency_key_belongs_to_credential_and_route(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let other = hub.agent("space").await;
        let human = hub.human().await;
        let body = json!({ "encryptedContent": "x" });
        let path = at_agent(&session, "/messages");
        let first = agent.with("idempotency-key", "k").post(&path, body.clone()).await.expect(201);
        let second = other.with("idempotency-key", "k").post(&path, body.clone()).await;
        assert_eq!(second.header("idempotent-replayed"), None);
        assert_ne!(second.expect(201)["id"], first["id"]);
        agent.with("idempotency-key", "k").post(SESSIONS, json!({})).await.expect(201);
        let guest_body = json!({ "name": "g" });
        agent.with("idempotency-key", "k").post(&at_agent(&session, "/guest-tokens"), guest_body).await.expect(201);
        let strangers = human.with("idempotency-key", "k").post(&at_human(&session, "/messages"), body.clone()).await;
        assert!([201, 404].contains(&strangers.status), "{}", strangers.body);
        // Case and every visible character count.
        let visible: String = (b'!'..=b'~').map(char::from).collect();
        for key in ["K", visible.as_str(), &"k".repeat(255)] {
            let reply = agent.with("idempotency-key", key).post(&path, body.clone()).await;
            assert_ne!(reply.expect(201)["id"], first["id"]);
        }
        for key in ["", "a b", &"k".repeat(256)] {
            let reply = agent.with("idempotency-key", key).post(&path, body.clone()).await;
            let error = reply.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, "Idempotency-Key");
        }
        // A refusal is not stored: the corrected request succeeds with the same key.
        let keyed = agent.with("idempotency-key", "retry");
        keyed.post(&path, json!({})).await.expect_error(400, "VALIDATION_ERROR");
        keyed.post(&path, body.clone()).await.expect(201);
        // After a day it is a new request.
        hub.clock.advance(24 * 60 * 60 * 1000 + 1000);
        let later = agent.with("idempotency-key", "k").post(&path, body).await;
        assert_eq!(later.header("idempotent-replayed"), None);
        assert_ne!(later.expect(201)["id"], first["id"]);
    }

    async fn the_idempotency_key_of_a_guest_token_expires_after_a_day(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let keyed = agent.with("idempotency-key", "daily");
        let path = at_agent(&session, "/guest-tokens");
        let first = keyed.post(&path, json!({})).await.expect(201);
        hub.clock.advance(24 * 60 * 60 * 1000 + 1000);
        let second = keyed.post(&path, json!({})).await;
        assert_eq!(second.header("idempotent-replayed"), None);
        let second = second.expect(201);
        assert_ne!((&second["token"], &second["id"]), (&first["token"], &first["id"]));
        let guest = hub.anonymous().with("authorization", &format!("Bearer {}", text(&second["token"])));
        guest.get(&at_human(&session, "")).await.expect(200);
    }

    async fn one_of_twenty_posts_with_one_key_is_executed(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let human = hub.human().await;
        let newcomer = human.get("/v1/human/me").await.expect(200);
        let (post, cancel) = (at_agent(&session, "/messages"), at_message(&session, &asked, "/cancel"));
        let (people, guests) = (at_agent(&session, "/participants"), at_agent(&session, "/guest-tokens"));
        let before = types(&agent, &session).await.len();
        for (path, body, status) in [
            (SESSIONS, json!({ "title": "once", "participants": [] }), 201),
            (post.as_str(), json!({ "encryptedContent": "once" }), 201),
            (&cancel, json!({}), 200),
            (&people, json!({ "type": "Human", "humanId": newcomer["id"] }), 201),
            (&guests, json!({ "name": "once" }), 201),
            (&at_agent(&session, "/close"), json!({}), 200),
        ] {
            let keyed = agent.with("idempotency-key", "once");
            let replies = join_all((0..20).map(|_| keyed.post(path, body.clone()))).await;
            let (mut first, mut replayed) = (0, 0);
            let mut bodies = Vec::new();
            for reply in replies {
                match (reply.status, reply.header("idempotent-replayed")) {
                    (409, None) => {
                        reply.expect_error(409, "IDEMPOTENCY_IN_FLIGHT");
                    }
                    (_, mark) => {
                        *(if mark.is_some() { &mut replayed } else { &mut first }) += 1;
                        bodies.push(reply.expect(status));
                    }
                }
            }
            assert_eq!(first, 1, "{path}: {replayed} replayed");
            assert!(bodies.iter().all(|body| *body == bodies[0]), "{path}: {bodies:?}");
        }
        assert_eq!(agent.get(SESSIONS).await.expect(200)["total"], 2);
        assert_eq!(types(&agent, &session).await.len(), before + 5);
    }

    async fn a_socket_and_a_post_share_idempotency_keys(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let mut socket: Socket = hub.socket(&agent).await;
        socket.subscribe(&session, Some(0)).await;
        let said = say(&agent, &session, "x").await;
        let asked = ask(&agent, &session).await;
        agent.post(&at_message(&session, &asked, "/cancel"), json!({})).await.expect(200);
        agent.patch(&at_agent(&session, ""), json!({ "title": "t" })).await.expect(200);
        hub.guest(&agent, &session).await;
        agent.post(&at_agent(&session, "/archive"), json!({})).await.expect(200);
        let timeline = agent.get(&at_agent(&session, "/timeline")).await.expect(200);
        let mut events = Vec::new();
        while events.len() < timeline["data"].as_array().expect("a list").len() {
            events.push(socket.event().await);
        }
        assert_eq!(json!(events), timeline["data"]);
        assert_eq!(column(&timeline, "type"), [
            "session.created", "message.created", "message.created", "message.cancelled", "session.updated",
            "participant.added", "session.closed", "session.archived",
        ]);
        assert_eq!(events[1]["data"], json!({ "message": said }));
    }
}
