//! Section 1: what holds for every request, besides the table of errors.

use crate::support::hub::{SESSIONS, ask, at_agent, open, say, text};
use crate::support::shapes::{has_keys, is_id, is_message, is_page, is_session, is_time};
use crate::support::{Client, Deployment, on_every_deployment};
use serde_json::{Value, json};

/// Every key of an object, at any depth but not inside what clients own.
fn keys(value: &Value, found: &mut Vec<String>) {
    for (key, inner) in value.as_object().into_iter().flatten() {
        found.push(key.clone());
        if key != "metadata" && !key.starts_with("encrypted") {
            keys(inner, found);
        }
    }
}

on_every_deployment! {
    async fn json_with_camel_case_keys(hub: Deployment) {
        let agent = hub.agent("agent").await;
        // Unknown keys are ignored.
        let session = open(&agent, json!({ "title": "T", "nobodyKnows": { "this": ["key"] }, "lastSeq": 7 })).await;
        assert_eq!((&session["title"], &session["lastSeq"]), (&json!("T"), &json!(1)));
        // Absent optional fields are returned as null, not left out.
        is_session(&session);
        for key in ["createdByHumanId", "encryptedTitle", "metadata", "closedAt", "archivedAt"] {
            assert_eq!(session[key], Value::Null, "{key}");
        }
        let message = ask(&agent, text(&session["id"])).await;
        is_message(&message);
        for object in [&session, &message, &agent.get("/v1/agent/me").await.expect(200)] {
            let mut found = Vec::new();
            keys(object, &mut found);
            assert!(!found.is_empty());
            for key in found {
                let camel = key.starts_with(|c: char| c.is_ascii_lowercase()) && key.chars().all(|c| c.is_ascii_alphanumeric());
                assert!(camel, "{key}");
            }
        }
        let reply = agent.get(SESSIONS).await;
        assert_eq!(reply.header("content-type"), Some("application/json"));
        // Nothing of the API lies outside of its base path.
        agent.get("/agent/sessions").await.expect_error(404, "NOT_FOUND");
    }

    async fn ids_are_uuids_of_version_7(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let mut last = String::new();
        for _ in 0..3 {
            let session = open(&agent, json!({})).await;
            let message = say(&agent, text(&session["id"]), "x").await;
            for id in [&session["id"], &message["id"]] {
                is_id(id);
                assert!(*text(id) > *last, "{id} sorts behind {last}");
                last = text(id).to_owned();
            }
        }
        is_id(&agent.get("/v1/agent/me").await.expect(200)["id"]);
        agent.get(&at_agent("7", "")).await.expect_error(400, "VALIDATION_ERROR");
    }

    async fn times_are_rfc_3339_in_utc_with_milliseconds(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = open(&agent, json!({})).await;
        is_time(&session["createdAt"]);
        let body = json!({ "encryptedContent": "x", "responseRequired": true, "deadlineAt": "2099-12-31T23:30:00-00:30" });
        let message = agent.post(&at_agent(text(&session["id"]), "/messages"), body).await.expect(201);
        assert_eq!(message["deadlineAt"], "2100-01-01T00:00:00.000Z");
    }

    async fn errors_have_one_shape_everywhere(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let broken = agent.raw("POST", SESSIONS, Some("application/json"), b"{".to_vec());
        let upgrade = hub.anonymous.with("connection", "upgrade").with("upgrade", "websocket");
        for (what, reply) in [
            ("the router", agent.get("/v1/nowhere").await),
            ("the router's methods", agent.delete(SESSIONS).await),
            ("the JSON parser", broken.await),
            ("the upgrade", agent.get("/v1/ws").await),
            ("a bad upgrade", upgrade.with("sec-websocket-version", "8").get("/v1/ws").await),
            ("a handler", agent.get(&at_agent("x", "")).await),
            ("a credential", hub.anonymous.get(SESSIONS).await),
        ] {
            assert!((400..500).contains(&reply.status), "{what}: {}", reply.status);
            assert_eq!(reply.header("content-type"), Some("application/json"), "{what}");
            has_keys(&reply.body, "error");
            has_keys(&reply.body["error"], "code message");
            assert!(text(&reply.body["error"]["message"]).len() > 5, "{what}: {}", reply.body);
        }
        // The text names the field.
        let session = open(&agent, json!({})).await;
        let reply = agent.post(&at_agent(text(&session["id"]), "/messages"), json!({})).await;
        let error = reply.expect_error(400, "VALIDATION_ERROR");
        assert_eq!(error["message"], "Field 'encryptedContent' is required");
    }

    async fn pagination_on_every_list(hub: Deployment) {
        let manager = hub.agent("manage").await;
        let human = hub.human().await;
        let id = text(&open(&manager, json!({})).await["id"]).to_owned();
        let me = manager.get("/v1/agent/me").await.expect(200);
        assert!(me.is_object());
        let of_session = |side: &str, what: &str| format!("/v1/{side}/sessions/{id}/{what}");
        let lists: Vec<(&Client, String)> = vec![
            (&manager, SESSIONS.to_owned()),
            (&manager, of_session("agent", "messages")),
            (&manager, of_session("agent", "participants")),
            (&manager, "/v1/agent/humans".to_owned()),
            (&manager, "/v1/manage/keys".to_owned()),
            (&manager, "/v1/manage/agents".to_owned()),
            (&manager, "/v1/manage/humans".to_owned()),
            (&hub.owner, "/v1/manage/spaces".to_owned()),
            (&human, "/v1/human/sessions".to_owned()),
            (&human, "/v1/human/feed".to_owned()),
            (&human, "/v1/human/agents".to_owned()),
            (&human, of_session("human", "messages")),
            (&human, of_session("human", "participants")),
        ];
        for (client, path) in lists {
            let page = client.get(&path).await.expect(200);
            is_page(&page);
            assert_eq!((&page["page"], &page["pageSize"]), (&json!(1), &json!(20)), "{path}");
            let page = client.get(&format!("{path}?page=2&pageSize=100")).await.expect(200);
            assert_eq!((&page["page"], &page["pageSize"]), (&json!(2), &json!(100)), "{path}");
            for (query, name) in [("page=0", "page"), ("page=x", "page"), ("pageSize=0", "pageSize"), ("pageSize=101", "pageSize")] {
                let error = client.get(&format!("{path}?{query}")).await.expect_error(400, "VALIDATION_ERROR");
                assert!(text(&error["message"]).contains(&format!("'{name}'")), "{path}?{query}: {error}");
            }
        }
        for index in 0..5 {
            say(&manager, &id, &format!("{index}")).await;
        }
        let path = of_session("agent", "messages");
        let mut seen = Vec::new();
        for page in 1..=3 {
            let reply = manager.get(&format!("{path}?page={page}&pageSize=2")).await.expect(200);
            assert_eq!((&reply["total"], &reply["page"], &reply["pageSize"]), (&json!(5), &json!(page), &json!(2)));
            seen.extend(reply["data"].as_array().expect("a list").iter().map(|message| message["seq"].clone()));
        }
        assert_eq!(json!(seen), json!([2, 3, 4, 5, 6]));
    }

    async fn idempotency_key(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = text(&open(&agent, json!({})).await["id"]).to_owned();
        let path = at_agent(&session, "/messages");
        let body = json!({ "encryptedContent": "once" });
        let keyed = agent.with("idempotency-key", "~!k");
        let first = keyed.post(&path, body.clone()).await;
        assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
        let again = keyed.post(&path, body.clone()).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
        assert_eq!(again.body, first.body);
        // Its scope is the credential and the route.
        let other = hub.agent("space").await.with("idempotency-key", "~!k").post(&path, body.clone()).await;
        assert_eq!((other.status, other.header("idempotent-replayed")), (201, None));
        let elsewhere = keyed.post(SESSIONS, json!({})).await;
        assert_eq!((elsewhere.status, elsewhere.header("idempotent-replayed")), (201, None));
        // Routes that settle accept a key too.
        let asked = ask(&agent, &session).await;
        let response = json!({ "encryptedContent": "!", "inReplyTo": asked["id"] });
        let human = human.with("idempotency-key", "answer");
        let at = format!("/v1/human/sessions/{session}/messages");
        let first = human.post(&at, response.clone()).await.expect(201);
        let again = human.post(&at, response).await;
        assert_eq!((again.header("idempotent-replayed"), &again.body), (Some("true"), &first));
        // And routes that create entries of the directory, with their secret in the reply.
        let keyed = hub.manager.with("idempotency-key", "a-key");
        let first = keyed.post("/v1/manage/keys", json!({ "permission": "agent" })).await.expect(201);
        let again = keyed.post("/v1/manage/keys", json!({ "permission": "agent" })).await;
        assert_eq!((again.header("idempotent-replayed"), &again.body), (Some("true"), &first));
        hub.with_key(text(&again.body["apiKey"])).get("/v1/agent/me").await.expect(200);
        // 1 to 255 visible characters of ASCII.
        agent.with("idempotency-key", &"k".repeat(255)).post(&path, body.clone()).await.expect(201);
        for bad in ["", "a b", &"k".repeat(256)] {
            let reply = agent.with("idempotency-key", bad).post(&path, body.clone()).await;
            let error = reply.expect_error(400, "VALIDATION_ERROR");
            assert!(text(&error["message"]).contains("Idempotency-Key"), "{error}");
        }
    }

    async fn x_request_id(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let reply = agent.with("x-request-id", "the-caller-s-own").get(SESSIONS).await;
        assert_eq!(reply.header("x-request-id"), Some("the-caller-s-own"));
        let ids = [agent.get(SESSIONS).await, hub.anonymous.get("/v1/nowhere").await, agent.delete(SESSIONS).await]
            .map(|reply| reply.header("x-request-id").expect("on every reply").to_owned());
        assert!(ids.iter().all(|id| id.len() > 8) && ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    }
}
