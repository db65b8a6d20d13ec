//! Questions, answers, blocks, and the conversation around them.

use super::{INTERACTIONS, THEIRS, at, respond_to, sealed, shown};
use crate::sessions::watched;
use crate::support::hub::{at_agent, at_human, text};
use crate::support::shapes::{column, has_keys, is_interaction, is_message, is_page, is_time, names_field};
use crate::support::{Stopwatch, on_both_engines};
use serde_json::{Value, json};
use std::time::Duration;

on_both_engines! {
    async fn an_agent_asks_and_a_human_answers(hub: Hub) {
        let agent = hub.agent("agent").await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let human = hub.human().await;
        let person = human.get("/v1/human/me").await.expect(200);
        let deadline = hub.context().clock.now().plus_seconds(600);
        let asked = json!({
            "type": "deployment", "title": "Ship it?", "priority": "High", "deadlineAt": deadline, "unknown": 1,
            "encryptedContent": sealed("c"), "encryptedComponents": sealed("k").to_string(),
        });
        let made = agent.post(INTERACTIONS, asked).await.expect(201);
        is_interaction(&made);
        assert_eq!((&made["agentId"], &made["type"], &made["title"]), (&me["id"], &json!("deployment"), &json!("Ship it?")));
        assert_eq!((&made["status"], &made["priority"]), (&json!("Pending"), &json!("High")));
        assert_eq!((&made["encryptedContent"], &made["encryptedComponents"]), (&sealed("c"), &sealed("k")));
        assert_eq!((&made["deadlineAt"], &made["blocks"]), (&json!(deadline), &json!([])));
        assert_eq!((&made["acknowledgedAt"], &made["response"]), (&Value::Null, &Value::Null));
        assert_eq!((&made["id"], &made["createdAt"]), (&made["sessionId"], &made["updatedAt"]));
        let id = text(&made["id"]);
        assert_eq!(shown(&agent, id).await, made);
        assert_eq!(human.get(&format!("{THEIRS}/{id}")).await.expect(200), made);

        // It is a session with one question, with all humans of the space as participants.
        let session = human.get(&at_human(id, "")).await.expect(200);
        assert_eq!((&session["title"], &session["priority"]), (&json!("Ship it?"), &json!("High")));
        assert_eq!((&session["pendingCount"], &session["lastSeq"]), (&json!(1), &json!(2)));
        assert_eq!(session["createdByAgentId"], me["id"]);
        let message = agent.get(&at_agent(id, &format!("/messages/{}", text(&made["messageId"])))).await.expect(200);
        is_message(&message);
        assert_eq!((&message["responseRequired"], &message["status"]), (&json!(true), &json!("Pending")));
        let feed = human.get("/v1/human/feed").await.expect(200);
        assert_eq!((&feed["data"][0]["session"]["id"], &feed["data"][0]["pendingCount"]), (&json!(id), &json!(1)));

        let mut socket = hub.socket(&human).await;
        socket.subscribe(id, Some(0)).await;
        for kind in ["session.created", "message.created"] {
            assert_eq!(socket.event().await["type"], kind);
        }
        let (waiter, path) = (agent.clone(), at(id, "/await?timeout=55"));
        let waiter = tokio::spawn(async move { waiter.get(&path).await.expect(200) });
        watched(&hub, id, true).await;
        let answered = human.post(&respond_to(id), json!({ "encryptedContent": sealed("yes") })).await.expect(200);
        is_interaction(&answered);
        assert_eq!(answered["status"], "Completed");
        has_keys(&answered["response"], "messageId respondedBy respondedAt outcome encryptedContent encryptedComponents");
        assert_eq!(answered["response"]["respondedBy"], json!({ "type": "Human", "id": person["id"], "name": person["name"] }));
        assert_eq!(answered["response"]["encryptedContent"], sealed("yes"));
        assert_eq!(waiter.await.expect("no panic"), answered);
        let reply = socket.event().await;
        assert_eq!((&reply["type"], &reply["data"]["message"]["inReplyTo"]), (&json!("message.created"), &made["messageId"]));
        let completed = socket.event().await;
        assert_eq!((&completed["type"], &completed["data"]["response"]), (&json!("message.completed"), &answered["response"]));

        let taken = agent.post(&at(id, "/acknowledge"), json!({})).await.expect(200);
        is_time(&taken["acknowledgedAt"]);
        assert_eq!(socket.event().await["type"], "message.acknowledged");
        let pushed = agent.post(&at(id, "/blocks"), json!({ "encryptedBlocks": sealed("1 of 2") })).await.expect(201);
        assert_eq!(pushed["blocks"], json!([sealed("1 of 2")]));
        let event = socket.event().await;
        assert_eq!(event["type"], "blocks.pushed");
        assert_eq!(event["data"], json!({ "messageId": made["messageId"], "encryptedBlocks": sealed("1 of 2") }));
        assert_eq!(event["actor"], json!({ "type": "Agent", "id": me["id"], "name": me["name"] }));
        assert_eq!(shown(&agent, id).await, pushed);

        // A long-poll on a settled interaction returns immediately.
        let started = Stopwatch::start();
        assert_eq!(agent.get(&at(id, "/await")).await.expect(200), pushed);
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    async fn only_named_participants_have_access(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let made = agent.post(INTERACTIONS, json!({ "encryptedContent": "May I?" })).await.expect(201);
        assert_eq!(made["encryptedContent"], sealed("May I?"));
        let alone = json!({ "encryptedContent": "?", "participants": [], "type": null, "title": null });
        let alone = agent.post(INTERACTIONS, alone).await.expect(201);
        let theirs = human.get(THEIRS).await.expect(200);
        assert_eq!(column(&theirs, "id"), [text(&made["id"])]);
        human.get(&format!("{THEIRS}/{}", text(&alone["id"]))).await.expect_error(404, "NOT_FOUND");
    }

    async fn a_refused_interaction_leaves_no_session(hub: Hub) {
        let agent = hub.agent("agent").await;
        let past = hub.context().clock.now().plus_seconds(-1);
        for (body, field) in [
            (json!({ "encryptedContent": "?", "deadlineAt": past }), "deadlineAt"),
            (json!({ "encryptedComponents": "?" }), "encryptedContent"),
            (json!({ "encryptedContent": "?", "type": "a\nb" }), "type"),
        ] {
            let keyed = agent.with("idempotency-key", field);
            names_field(&keyed.post(INTERACTIONS, body).await.expect_error(400, "VALIDATION_ERROR"), field);
            // A refused request does not use up its idempotency key.
            keyed.post(INTERACTIONS, json!({ "encryptedContent": "?" })).await.expect(201);
        }
        let unknown = json!({ "encryptedContent": "?", "participants": [{ "type": "Agent", "name": "nobody" }] });
        agent.post(INTERACTIONS, unknown).await.expect_error(404, "NOT_FOUND");
        assert_eq!(agent.get("/v1/agent/sessions").await.expect(200)["total"], 3);
    }

    async fn an_answer_posted_to_the_session_settles_the_interaction(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let id = hub.interaction(&agent).await;
        let message = text(&shown(&agent, &id).await["messageId"]).to_owned();
        // A message of an agent, and one without `inReplyTo`, are not answers.
        let remark = json!({ "encryptedContent": "never mind", "inReplyTo": message });
        agent.post(&at(&id, "/messages"), remark).await.expect(201);
        human.post(&at_human(&id, "/messages"), json!({ "encryptedContent": "hm" })).await.expect(201);
        assert_eq!(shown(&agent, &id).await["status"], "Pending");
        let answer = json!({ "encryptedContent": "yes", "inReplyTo": message });
        let answer = human.post(&at_human(&id, "/messages"), answer).await.expect(201);
        let answered = shown(&agent, &id).await;
        assert_eq!((&answered["status"], &answered["response"]["messageId"]), (&json!("Completed"), &answer["id"]));
        let error = human.post(&respond_to(&id), json!({ "encryptedContent": "no" })).await.expect_error(409, "ALREADY_RESPONDED");
        assert_eq!(error["details"]["responseMessageId"], answer["id"]);

        // Also over a socket, and by a guest.
        let id = hub.interaction(&agent).await;
        let message = shown(&agent, &id).await["messageId"].clone();
        let guest = hub.guest(&agent, &id).await;
        let mut socket = hub.socket(&guest).await;
        let frame = json!({ "type": "send", "sessionId": id, "encryptedContent": "!", "inReplyTo": message });
        assert_eq!(socket.ask(frame).await["type"], "sent");
        assert_eq!(shown(&agent, &id).await["response"]["respondedBy"]["type"], "Guest");
        let id = hub.interaction(&agent).await;
        let guest = hub.guest(&agent, &id).await;
        let answered = guest.post(&respond_to(&id), json!({ "encryptedComponents": "!" })).await.expect(200);
        assert_eq!((&answered["response"]["respondedBy"]["type"], &answered["response"]["encryptedComponents"]), (&json!("Guest"), &sealed("!")));
    }

    async fn blocks_are_bounded(hub: Hub) {
        let agent = hub.agent("agent").await;
        let id = hub.interaction(&agent).await;
        let path = at(&id, "/blocks");
        let envelope = json!({ "scheme": "plain", "ciphertext": "a\0é", "wrappings": [{}], "z": 1 });
        agent.post(&path, json!({ "encryptedBlocks": envelope })).await.expect(201);
        agent.post(&path, json!({ "encryptedBlocks": envelope.to_string() })).await.expect(201);
        let pushed = agent.post(&path, json!({ "encryptedBlocks": "text" })).await.expect(201);
        assert_eq!(pushed["blocks"], json!([envelope, envelope, sealed("text")]));
        let other = hub.interaction(&agent).await;
        let listed = agent.get(INTERACTIONS).await.expect(200);
        assert_eq!((&listed["data"][0]["id"], &listed["data"][0]["blocks"]), (&json!(other), &json!([])));
        assert_eq!(listed["data"][1], pushed);
        for index in 3..100 {
            agent.post(&path, json!({ "encryptedBlocks": index.to_string() })).await.expect(201);
        }
        agent.post(&path, json!({ "encryptedBlocks": "one too many" })).await.expect_error(409, "CONFLICT");
        let full = shown(&agent, &id).await;
        let texts: Vec<_> = full["blocks"].as_array().expect("blocks").iter().skip(3).map(|block| text(&block["ciphertext"]).to_owned()).collect();
        assert_eq!(texts, (3..100).map(|index| index.to_string()).collect::<Vec<_>>());
        // Fewer large ones fit.
        let large = json!({ "encryptedBlocks": "x".repeat(255 * 1024) });
        let mut taken = 0;
        let refused = loop {
            let reply = agent.post(&at(&other, "/blocks"), large.clone()).await;
            match reply.status {
                201 => taken += 1,
                _ => break reply,
            }
        };
        refused.expect_error(409, "CONFLICT");
        assert_eq!(taken, 5);
        let too_large = json!({ "encryptedBlocks": "x".repeat(256 * 1024 + 1) });
        agent.post(&at(&other, "/blocks"), too_large).await.expect_error(413, "PAYLOAD_TOO_LARGE");
        // A closed session refuses blocks.
        let closed = hub.interaction(&agent).await;
        agent.post(&at_agent(&closed, "/close"), json!({})).await.expect(200);
        agent.post(&at(&closed, "/blocks"), json!({ "encryptedBlocks": "x" })).await.expect_error(409, "SESSION_CLOSED");
    }

    async fn messages_can_be_posted_after_settlement(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let id = hub.interaction(&agent).await;
        human.post(&respond_to(&id), json!({ "encryptedContent": "yes" })).await.expect(200);
        assert_eq!(agent.get(&at_agent(&id, "")).await.expect(200)["status"], "Active");
        let more = json!({ "encryptedContent": "And now?", "responseRequired": true });
        let more = agent.post(&at(&id, "/messages"), more).await.expect(201);
        is_message(&more);
        human.post(&at_human(&id, "/messages"), json!({ "encryptedContent": "Go", "inReplyTo": more["id"] })).await.expect(201);
        let messages = agent.get(&at(&id, "/messages?pageSize=3")).await.expect(200);
        is_page(&messages);
        assert_eq!((&messages["total"], messages["data"].as_array().expect("a list").len()), (&json!(4), 3));
        assert_eq!(agent.get(&at_agent(&id, "/messages?pageSize=3")).await.expect(200), messages);
        let shown = shown(&agent, &id).await;
        assert_eq!((&shown["messageId"], &shown["response"]["encryptedContent"]), (&messages["data"][0]["id"], &sealed("yes")));
        assert!(text(&shown["updatedAt"]) >= text(&more["createdAt"]));
        // Its title is that of the session.
        agent.patch(&at_agent(&id, ""), json!({ "title": "Renamed" })).await.expect(200);
        assert_eq!(agent.get(&at(&id, "")).await.expect(200)["title"], "Renamed");
        agent.post(&at_agent(&id, "/close"), json!({})).await.expect(200);
        agent.post(&at(&id, "/messages"), json!({ "encryptedContent": "x" })).await.expect_error(409, "SESSION_CLOSED");
    }
}
