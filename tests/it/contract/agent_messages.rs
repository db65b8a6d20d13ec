//! Section 5: messages, questions and answers of an agent.

use super::list;
use crate::support::hub::{UNKNOWN, answer, ask, at_agent, at_human, at_message, say, text};
use crate::support::shapes::{column, is_message, is_page, is_time};
use crate::support::{Deployment, on_every_deployment};
use serde_json::{Value, json};

on_every_deployment! {
    async fn post_v1_agent_sessions_id_messages(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let path = at_agent(&session, "/messages");
        let first = agent.post(&path, json!({ "encryptedComponents": "c" })).await.expect(201);
        is_message(&first);
        assert_eq!((&first["encryptedContent"], &first["encryptedComponents"]["ciphertext"]), (&Value::Null, &json!("c")));
        let body = json!({
            "encryptedContent": "x", "responseRequired": true, "priority": "High", "deadlineAt": "2099-01-01T00:00:00.000Z",
            "inReplyTo": first["id"],
        });
        let second = agent.post(&path, body).await.expect(201);
        is_message(&second);
        assert_eq!((&second["status"], &second["responseRequired"], &second["priority"]), (&json!("Pending"), &json!(true), &json!("High")));
        assert_eq!((&second["deadlineAt"], &second["inReplyTo"], &second["seq"]), (&json!("2099-01-01T00:00:00.000Z"), &first["id"], &json!(3)));
        let error = agent.post(&path, json!({ "responseRequired": true })).await.expect_error(400, "VALIDATION_ERROR");
        assert!(text(&error["message"]).contains("'encryptedContent'"), "{error}");
        agent.post(&path, json!({ "encryptedContent": "x", "inReplyTo": UNKNOWN })).await.expect_error(404, "NOT_FOUND");
    }

    async fn get_v1_agent_sessions_id_messages(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let said = [say(&agent, &session, "1").await, say(&agent, &session, "2").await, say(&agent, &session, "3").await];
        let page = agent.get(&at_agent(&session, "/messages?page=1&pageSize=2")).await.expect(200);
        assert_eq!(page, json!({ "data": said[..2], "total": 3, "page": 1, "pageSize": 2 }));
    }

    async fn get_v1_agent_sessions_id_messages_id(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let said = say(&agent, &session, "x").await;
        assert_eq!(agent.get(&at_message(&session, &said, "")).await.expect(200), said);
        let other = hub.session(&agent).await;
        agent.get(&at_message(&other, &said, "")).await.expect_error(404, "NOT_FOUND");
    }

    async fn get_v1_agent_sessions_id_messages_id_await(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        assert_eq!(agent.get(&at_message(&session, &asked, "/await?timeout=0")).await.expect(200), asked);
        agent.get(&at_agent(&session, &format!("/messages/{UNKNOWN}/await"))).await.expect_error(404, "NOT_FOUND");
    }

    async fn get_v1_agent_sessions_id_await(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let mine = say(&agent, &session, "mine").await;
        let none = agent.get(&at_agent(&session, "/await?timeout=0")).await.expect(200);
        assert_eq!(none, json!({ "message": null, "lastSeq": mine["seq"] }));
        let waiter = (agent.clone(), at_agent(&session, "/await?timeout=55"));
        let waiter = tokio::spawn(async move { waiter.0.get(&waiter.1).await.expect(200) });
        let said = human.post(&at_human(&session, "/messages"), json!({ "encryptedContent": "x" })).await.expect(201);
        let awaited = waiter.await.expect("no panic");
        is_message(&awaited["message"]);
        assert_eq!((&awaited["message"], &awaited["lastSeq"]), (&said, &said["seq"]));
        let after = agent.get(&at_agent(&session, &format!("/await?after={}&timeout=0", said["seq"]))).await.expect(200);
        assert_eq!(after["message"], Value::Null);
    }

    async fn post_v1_agent_sessions_id_messages_id_acknowledge(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let path = at_message(&session, &asked, "/acknowledge");
        agent.post(&path, json!({})).await.expect_error(409, "CONFLICT");
        answer(&human, &session, &asked).await;
        let taken = agent.post(&path, json!({ "exclusive": true })).await.expect(200);
        is_message(&taken);
        is_time(&taken["acknowledgedAt"]);
        agent.post(&path, json!({ "exclusive": true })).await.expect_error(409, "ALREADY_ACKNOWLEDGED");
        assert_eq!(agent.post(&path, json!({})).await.expect(200), taken);
    }

    async fn get_v1_agent_answers(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let (first, second) = (ask(&agent, &session).await, ask(&agent, &session).await);
        answer(&human, &session, &second).await;
        agent.post(&at_message(&session, &first, "/cancel"), json!({})).await.expect(200);
        let page = agent.get("/v1/agent/answers").await.expect(200);
        is_page(&page);
        list(&page).iter().for_each(is_message);
        assert_eq!(column(&page, "id"), [text(&second["id"]), text(&first["id"])]);
        agent.post(&at_message(&session, &second, "/acknowledge"), json!({})).await.expect(200);
        assert_eq!(column(&agent.get("/v1/agent/answers").await.expect(200), "id"), [text(&first["id"])]);
    }

    async fn post_v1_agent_sessions_id_messages_id_cancel(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let cancelled = agent.post(&at_message(&session, &asked, "/cancel"), json!({})).await.expect(200);
        is_message(&cancelled);
        assert_eq!((&cancelled["id"], &cancelled["status"]), (&asked["id"], &json!("Cancelled")));
        for settled in [&asked, &say(&agent, &session, "nothing to settle").await] {
            agent.post(&at_message(&session, settled, "/cancel"), json!({})).await.expect_error(409, "ALREADY_SETTLED");
        }
    }

    async fn a_person_s_answer_settles_and_an_agent_s_reply_does_not(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let body = json!({ "encryptedContent": "still there?", "inReplyTo": asked["id"] });
        agent.post(&at_agent(&session, "/messages"), body).await.expect(201);
        assert_eq!(agent.get(&at_message(&session, &asked, "")).await.expect(200)["status"], "Pending");
        answer(&human, &session, &asked).await;
        assert_eq!(agent.get(&at_message(&session, &asked, "")).await.expect(200)["status"], "Completed");
    }
}
