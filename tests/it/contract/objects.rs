//! Section 4: the objects, and the rules that come with them.

use super::event_types::{actor, the, timeline};
use crate::support::deployment::name;
use crate::support::hub::{SESSIONS, answer, ask, at_agent, at_human, at_message, open, say, text};
use crate::support::shapes::{has_keys, is_id, is_message, is_participant, is_session, is_time};
use crate::support::{Client, Deployment, on_every_deployment};
use futures::future::join_all;
use hiloop::clock::{Clock as _, SystemClock};
use hiloop::domain::Timestamp;
use serde_json::{Value, json};

/// Posts a question and waits for its expiry; returns the delay in milliseconds, by the time of the event.
async fn expires_late_by(hub: &Deployment, agent: &Client, human: &Client) -> i64 {
    let session = hub.session(agent).await;
    let deadline = SystemClock.now().plus_seconds(3);
    let body = json!({ "encryptedContent": "?", "responseRequired": true, "deadlineAt": deadline });
    let asked = agent.post(&at_agent(&session, "/messages"), body).await.expect(201);
    assert_eq!(asked["status"], "Pending");
    let expired = agent.get(&at_message(&session, &asked, "/await?timeout=20")).await.expect(200);
    // Nodes use the database's clock, with an error of some milliseconds.
    assert!(SystemClock.now().plus_millis(200) >= deadline, "not before its time");
    assert_eq!((&expired["status"], &expired["response"]), (&json!("Expired"), &Value::Null));
    // The time of the expiry, not that of a request.
    let event = the(agent, &session, "message.expired").await;
    let late = Timestamp::parse(text(&event["at"])).expect("a time").millis_since(deadline);
    let response = json!({ "encryptedContent": "!", "inReplyTo": asked["id"] });
    assert_eq!(human.post(&at_human(&session, "/messages"), response).await.status, 409);
    assert_eq!((&event["data"], &event["actor"]["type"]), (&json!({ "messageId": asked["id"] }), &json!("System")));
    late
}

on_every_deployment! {
    async fn session(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let session = open(&agent, json!({ "title": "T", "priority": "Urgent", "metadata": { "b": 1, "a": [] } })).await;
        is_session(&session);
        assert_eq!((&session["spaceId"], &session["createdByAgentId"]), (&me["spaceId"], &me["id"]));
        assert_eq!((&session["title"], &session["priority"]), (&json!("T"), &json!("Urgent")));
        assert_eq!(session["metadata"].to_string(), r#"{"b":1,"a":[]}"#);
        let path = at_agent(text(&session["id"]), "");
        for (action, status) in [("", "Active"), ("/close", "Closed"), ("/archive", "Archived")] {
            if !action.is_empty() {
                agent.post(&format!("{path}{action}"), json!({})).await.expect(200);
            }
            let session = agent.get(&path).await.expect(200);
            assert_eq!(session["status"], status);
            assert_eq!((session["closedAt"].is_null(), session["archivedAt"].is_null()), (status == "Active", status != "Archived"));
        }
        // At most 200 characters of title, 4 KiB of metadata.
        open(&agent, json!({ "title": "\u{e4}".repeat(200) })).await;
        for bad in [json!({ "title": "x".repeat(201) }), json!({ "metadata": { "x": "y".repeat(4096) } }), json!({ "metadata": [] }), json!({ "priority": "high" })] {
            agent.post(SESSIONS, bad).await.expect_error(400, "VALIDATION_ERROR");
        }
    }

    async fn message(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        let (me, person) = (agent.get("/v1/agent/me").await.expect(200), human.get("/v1/human/me").await.expect(200));
        let visitor = guest.get("/v1/human/me").await.expect(200);
        let words = json!({ "encryptedContent": "x" });
        let at = at_human(&session, "/messages");
        for (message, kind, ids, name) in [
            (say(&agent, &session, "x").await, "Agent", [&me["id"], &Value::Null, &Value::Null], &me["name"]),
            (human.post(&at, words.clone()).await.expect(201), "Human", [&Value::Null, &person["id"], &Value::Null], &person["name"]),
            (guest.post(&at, words.clone()).await.expect(201), "Human", [&Value::Null, &Value::Null, &visitor["id"]], &visitor["name"]),
        ] {
            is_message(&message);
            assert_eq!((&message["senderType"], &message["senderName"]), (&json!(kind), name));
            assert_eq!([&message["senderAgentId"], &message["senderHumanId"], &message["senderGuestId"]], ids);
            assert_eq!((&message["priority"], &message["status"], &message["responseRequired"]), (&json!("Medium"), &json!("Completed"), &json!(false)));
        }
        for priority in ["Low", "Medium", "High", "Urgent"] {
            let body = json!({ "encryptedContent": "x", "priority": priority });
            assert_eq!(agent.post(&at_agent(&session, "/messages"), body).await.expect(201)["priority"], priority);
        }
    }

    async fn message_status_settles_once(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let person = human.get("/v1/human/me").await.expect(200);
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        assert_eq!((&asked["status"], &asked["response"]), (&json!("Pending"), &Value::Null));
        let response = answer(&human, &session, &asked).await;
        let settled = agent.get(&at_message(&session, &asked, "")).await.expect(200);
        assert_eq!(settled["status"], "Completed");
        has_keys(&settled["response"], "messageId respondedBy respondedAt outcome encryptedContent encryptedComponents");
        assert_eq!((&settled["response"]["messageId"], &settled["response"]["respondedBy"]), (&response["id"], &actor("Human", &person)));
        is_time(&settled["response"]["respondedAt"]);
        agent.post(&at_message(&session, &asked, "/cancel"), json!({})).await.expect_error(409, "ALREADY_SETTLED");
        agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        assert_eq!(agent.get(&at_message(&session, &asked, "")).await.expect(200), settled);
        let other = hub.session(&agent).await;
        let asked = ask(&agent, &other).await;
        let cancelled = agent.post(&at_message(&other, &asked, "/cancel"), json!({})).await.expect(200);
        assert_eq!((&cancelled["status"], &cancelled["response"]), (&json!("Cancelled"), &Value::Null));
    }

    async fn message_deadline_in_the_past_is_400(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        for required in [true, false] {
            let body = json!({ "encryptedContent": "x", "responseRequired": required, "deadlineAt": "2020-01-01T00:00:00.000Z" });
            let error = agent.post(&at_agent(&session, "/messages"), body).await.expect_error(400, "VALIDATION_ERROR");
            assert!(text(&error["message"]).contains("'deadlineAt'"), "{error}");
        }
    }

    async fn message_expires_at_its_deadline(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        // Retried twice, in case the machine was suspended for a moment.
        let mut late = Vec::new();
        loop {
            let took = expires_late_by(&hub, &agent, &human).await;
            if (0..=1000).contains(&took) {
                return;
            }
            late.push(took);
            assert!(took >= 0 && late.len() < 3, "late by {late:?} ms");
        }
    }

    async fn participant(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        let listed = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        let listed = listed["data"].as_array().expect("a list");
        listed.iter().for_each(is_participant);
        for (kind, key, client, path) in [
            ("Agent", "agentId", &agent, "/v1/agent/me"), ("Human", "humanId", &human, "/v1/human/me"), ("Guest", "guestId", &guest, "/v1/human/me"),
        ] {
            let me = client.get(path).await.expect(200);
            let one = listed.iter().find(|one| one["type"] == kind).expect("there");
            assert_eq!((&one[key], &one["name"], &one["sessionId"]), (&me["id"], &me["name"], &json!(session)));
            assert!(one["online"] == false && one["lastReadSeq"] == 0 && one["role"].is_string(), "{one}");
        }
        // Exactly the principals with access to the session.
        let late = hub.human().await;
        late.get(&at_human(&session, "")).await.expect_error(404, "NOT_FOUND");
        hub.agent("space").await.get(&at_agent(&session, "")).await.expect(200);
    }

    async fn a_session_without_participants_gets_every_human(hub: Deployment) {
        let agent = hub.agent("agent").await;
        hub.agent("agent").await;
        for _ in 0..2 {
            hub.human().await;
        }
        let session = hub.session(&agent).await;
        let listed = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        let mut kinds: Vec<_> = listed["data"].as_array().expect("a list").iter().map(|one| text(&one["type"])).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["Agent", "Human", "Human"]);
        // The first participants are part of `session.created` and have no event of their own.
        let events = timeline(&agent, &session).await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["data"]["participants"], listed["data"]);
    }

    async fn participants_are_required_in_a_space_of_more_than_500(hub: Deployment) {
        let agent = hub.agent("agent").await;
        for _ in 0..10 {
            let more = (0..50).map(async |_| {
                let name = name("many");
                let body = json!({ "email": format!("{name}@example.org"), "name": name });
                hub.manager.post("/v1/manage/humans", body).await.expect(201);
            });
            join_all(more).await;
        }
        let most = hub.session(&agent).await;
        assert_eq!(agent.get(&at_agent(&most, "/participants")).await.expect(200)["total"], 501);
        hub.human().await;
        let error = agent.post(SESSIONS, json!({})).await.expect_error(400, "VALIDATION_ERROR");
        assert!(text(&error["message"]).contains("'participants'"), "{error}");
        open(&agent, json!({ "participants": [] })).await;
    }

    async fn message_answerers(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let (ada, bob) = (hub.human().await, hub.human().await);
        let person = ada.get("/v1/human/me").await.expect(200);
        let session = hub.session(&agent).await;
        assert_eq!(ask(&agent, &session).await["answerers"], Value::Null);
        let body = json!({ "encryptedContent": "?", "responseRequired": true, "answerers": [person["id"]] });
        let asked = agent.post(&at_agent(&session, "/messages"), body).await.expect(201);
        assert_eq!(asked["answerers"], json!([person["id"]]));
        let response = json!({ "encryptedContent": "!", "inReplyTo": asked["id"] });
        bob.post(&at_human(&session, "/messages"), response).await.expect_error(403, "FORBIDDEN");
        answer(&ada, &session, &asked).await;
        // A guest may answer only the questions of the inviting agent.
        let (other, space) = (hub.agent("agent").await, hub.agent("space").await);
        let me = other.get("/v1/agent/me").await.expect(200);
        agent.post(&at_agent(&session, "/participants"), json!({ "type": "Agent", "agentId": me["id"] })).await.expect(201);
        let (guest, of_space) = (hub.guest(&other, &session).await, hub.guest(&space, &session).await);
        let asked = ask(&agent, &session).await;
        let response = json!({ "encryptedContent": "!", "inReplyTo": asked["id"] });
        guest.post(&at_human(&session, "/messages"), response).await.expect_error(403, "FORBIDDEN");
        answer(&of_space, &session, &asked).await;
        let own = ask(&other, &session).await;
        answer(&guest, &session, &own).await;
        let answered = other.get(&at_message(&session, &own, "")).await.expect(200);
        assert_eq!(answered["response"]["respondedBy"]["invitedBy"], actor("Agent", &me));
        for bad in [json!([]), json!([me["id"]]), json!([person["id"], person["id"]])] {
            let body = json!({ "encryptedContent": "?", "responseRequired": true, "answerers": bad });
            let error = agent.post(&at_agent(&session, "/messages"), body).await.expect_error(400, "VALIDATION_ERROR");
            assert!(text(&error["message"]).contains("'answerers"), "{error}");
        }
    }

    async fn message_outcome(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let at = at_human(&session, "/messages");
        for (outcome, wanted) in [(Value::Null, "Answered"), (json!("Approved"), "Approved"), (json!("Rejected"), "Rejected")] {
            let asked = ask(&agent, &session).await;
            let remark = json!({ "encryptedContent": "?", "inReplyTo": asked["id"], "settles": false });
            human.post(&at, remark).await.expect(201);
            let open = agent.get(&at_message(&session, &asked, "")).await.expect(200);
            assert_eq!((&open["status"], &open["outcome"]), (&json!("Pending"), &Value::Null));
            let response = json!({ "encryptedContent": "!", "inReplyTo": asked["id"], "outcome": outcome });
            human.post(&at, response).await.expect(201);
            let settled = agent.get(&at_message(&session, &asked, "")).await.expect(200);
            assert_eq!((&settled["outcome"], &settled["response"]["outcome"]), (&json!(wanted), &json!(wanted)));
        }
        let stray = json!({ "encryptedContent": "x", "outcome": "Approved" });
        human.post(&at, stray).await.expect_error(400, "VALIDATION_ERROR");
    }

    async fn a_guest_name_is_unique(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await.get("/v1/human/me").await.expect(200);
        let session = hub.session(&agent).await;
        let path = at_agent(&session, "/guest-tokens");
        let taken = text(&human["name"]).to_uppercase();
        agent.post(&path, json!({ "name": taken })).await.expect_error(409, "CONFLICT");
        agent.post(&path, json!({ "name": name("guest") })).await.expect(201);
    }

    async fn plain_text_rejects_control_characters(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        for bad in ["a\u{0}b", "a\nb", "a\u{1b}b", "a\u{7f}b", "a\u{85}b"] {
            agent.post(SESSIONS, json!({ "title": bad })).await.expect_error(400, "VALIDATION_ERROR");
            agent.patch(&at_agent(&session, ""), json!({ "title": bad })).await.expect_error(400, "VALIDATION_ERROR");
            agent.post(&at_agent(&session, "/guest-tokens"), json!({ "name": bad })).await.expect_error(400, "VALIDATION_ERROR");
            let human = json!({ "email": "control@example.org", "name": bad });
            hub.manager.post("/v1/manage/humans", human).await.expect_error(400, "VALIDATION_ERROR");
            hub.owner.post("/v1/manage/spaces", json!({ "name": bad })).await.expect_error(400, "VALIDATION_ERROR");
        }
        // An envelope's strings may hold any of it.
        let said = say(&agent, &session, "a\u{0}\n\u{1b}").await;
        assert_eq!(said["encryptedContent"]["ciphertext"], "a\u{0}\n\u{1b}");
        is_id(&said["id"]);
    }
}
