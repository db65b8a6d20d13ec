//! Sections 4 to 7: interactions, a question and its answer under the older names.

use crate::support::deployment::name;
use crate::support::hub::{UNKNOWN, at_agent, at_human, say, text};
use crate::support::shapes::{column, is_interaction, is_message, is_page, is_time};
use crate::support::{Client, Deployment, Stopwatch, on_every_deployment};
use serde_json::{Value, json};
use std::time::Duration;

const ALL: &str = "/v1/agent/interactions";

async fn asked(agent: &Client) -> Value {
    agent.post(ALL, json!({ "encryptedContent": "?" })).await.expect(201)
}

fn at(interaction: &Value, rest: &str) -> String {
    format!("{ALL}/{}{rest}", text(&interaction["id"]))
}

fn for_human(interaction: &Value, rest: &str) -> String {
    format!("/v1/human/interactions/{}{rest}", text(&interaction["id"]))
}

/// The types of a session's events.
async fn types(agent: &Client, interaction: &Value) -> Vec<String> {
    let session = text(&interaction["sessionId"]);
    column(&agent.get(&at_agent(session, "/timeline")).await.expect(200), "type")
}

on_every_deployment! {
    async fn interaction(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let interaction = asked(&agent).await;
        is_interaction(&interaction);
        assert_eq!((&interaction["agentId"], &interaction["type"]), (&me["id"], &json!("approval")));
        assert_eq!((&interaction["status"], &interaction["priority"]), (&json!("Pending"), &json!("Medium")));
        for key in ["title", "encryptedComponents", "deadlineAt", "acknowledgedAt", "response"] {
            assert_eq!(interaction[key], Value::Null, "{key}");
        }
        assert_eq!(interaction["blocks"], json!([]));
        // A session with one message that requires a response.
        let session = text(&interaction["sessionId"]);
        assert_eq!(agent.get(&at_agent(session, "")).await.expect(200)["pendingCount"], 1);
        let message = agent.get(&at_agent(session, &format!("/messages/{}", text(&interaction["messageId"])))).await.expect(200);
        assert_eq!((&message["responseRequired"], &message["status"]), (&json!(true), &json!("Pending")));
    }

    async fn post_v1_agent_interactions(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let body = json!({
            "type": "question", "title": "T", "encryptedContent": "x", "encryptedComponents": "c", "priority": "Urgent",
            "deadlineAt": "2099-01-01T00:00:00.000Z", "participants": [],
        });
        let made = agent.post(ALL, body).await.expect(201);
        is_interaction(&made);
        assert_eq!((&made["type"], &made["title"], &made["priority"]), (&json!("question"), &json!("T"), &json!("Urgent")));
        assert_eq!(made["deadlineAt"], "2099-01-01T00:00:00.000Z");
        agent.post(ALL, json!({})).await.expect_error(400, "VALIDATION_ERROR");
    }

    async fn get_v1_agent_interactions(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let (first, second) = (asked(&agent).await, asked(&agent).await);
        agent.post(&at(&first, "/cancel"), json!({})).await.expect(200);
        let page = agent.get(ALL).await.expect(200);
        is_page(&page);
        page["data"].as_array().expect("a list").iter().for_each(is_interaction);
        assert_eq!(page["total"], 2);
        for (status, id) in [("Pending", &second["id"]), ("Cancelled", &first["id"])] {
            assert_eq!(column(&agent.get(&format!("{ALL}?status={status}")).await.expect(200), "id"), [text(id)]);
        }
        agent.get(&format!("{ALL}?status=open")).await.expect_error(400, "VALIDATION_ERROR");
        assert_eq!(agent.get(&at(&second, "")).await.expect(200), second);
        agent.get(&format!("{ALL}/{UNKNOWN}")).await.expect_error(404, "NOT_FOUND");
    }

    async fn get_v1_agent_interactions_id_await(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let made = asked(&agent).await;
        assert_eq!(agent.get(&at(&made, "/await?timeout=0")).await.expect(200), made);
        let waits = at(&made, "/await?timeout=55");
        let responds = async {
            human.post(&for_human(&made, "/respond"), json!({ "encryptedContent": "!" })).await.expect(200);
            Stopwatch::start()
        };
        let (settled, since) = tokio::join!(agent.get(&waits), responds);
        assert!(since.elapsed() < Duration::from_secs(20), "before the timeout: {:?}", since.elapsed());
        let settled = settled.expect(200);
        is_interaction(&settled);
        assert_eq!(settled["status"], "Completed");
        assert_eq!(settled["response"]["encryptedContent"]["ciphertext"], "!");
    }

    async fn post_v1_agent_interactions_id_cancel(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let made = asked(&agent).await;
        let cancelled = agent.post(&at(&made, "/cancel"), json!({})).await.expect(200);
        is_interaction(&cancelled);
        assert_eq!(cancelled["status"], "Cancelled");
        agent.post(&at(&made, "/cancel"), json!({})).await.expect_error(409, "ALREADY_SETTLED");
    }

    async fn post_v1_agent_interactions_id_acknowledge(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let made = asked(&agent).await;
        assert_eq!(agent.post(&at(&made, "/acknowledge"), json!({})).await.status, 409);
        agent.post(&at(&made, "/cancel"), json!({})).await.expect(200);
        let taken = agent.post(&at(&made, "/acknowledge"), json!({})).await.expect(200);
        is_interaction(&taken);
        is_time(&taken["acknowledgedAt"]);
        // Once.
        let again = agent.post(&at(&made, "/acknowledge"), json!({})).await.expect(200);
        assert_eq!(again["acknowledgedAt"], taken["acknowledgedAt"]);
    }

    async fn v1_agent_interactions_id_messages(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let made = asked(&agent).await;
        let said = agent.post(&at(&made, "/messages"), json!({ "encryptedContent": "x" })).await.expect(201);
        is_message(&said);
        let page = agent.get(&at(&made, "/messages")).await.expect(200);
        is_page(&page);
        assert_eq!((&page["total"], &page["data"][1]), (&json!(2), &said));
        assert_eq!(said["sessionId"], made["sessionId"]);
    }

    async fn post_v1_agent_interactions_id_blocks(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let made = asked(&agent).await;
        let first = agent.post(&at(&made, "/blocks"), json!({ "encryptedBlocks": "one" })).await.expect(201);
        is_interaction(&first);
        let both = agent.post(&at(&made, "/blocks"), json!({ "encryptedBlocks": "two" })).await.expect(201);
        assert_eq!(both["blocks"].as_array().expect("a list").len(), 2);
        assert!(first["blocks"].to_string().contains("one") && both["blocks"].to_string().contains("two"));
        agent.post(&at(&made, "/blocks"), json!({})).await.expect_error(400, "VALIDATION_ERROR");
    }

    async fn get_v1_human_interactions(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let made = asked(&agent).await;
        let page = human.get("/v1/human/interactions?status=Pending").await.expect(200);
        is_page(&page);
        assert_eq!(page["data"], json!([made]));
        assert_eq!(human.get(&for_human(&made, "")).await.expect(200), made);
        let stranger = hub.human_of(&hub.other_space().await).await;
        stranger.get(&for_human(&made, "")).await.expect_error(404, "NOT_FOUND");
    }

    async fn post_v1_human_interactions_id_respond(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let person = human.get("/v1/human/me").await.expect(200);
        let made = asked(&agent).await;
        let path = for_human(&made, "/respond");
        human.post(&path, json!({})).await.expect_error(400, "VALIDATION_ERROR");
        let settled = human.post(&path, json!({ "encryptedContent": "yes" })).await.expect(200);
        is_interaction(&settled);
        assert_eq!((&settled["status"], &settled["response"]["respondedBy"]["id"]), (&json!("Completed"), &person["id"]));
        let error = human.post(&path, json!({ "encryptedContent": "no" })).await.expect_error(409, "ALREADY_RESPONDED");
        assert_eq!(error["details"]["responseMessageId"], settled["response"]["messageId"]);
    }

    async fn event_message_acknowledged(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let made = asked(&agent).await;
        agent.post(&at(&made, "/cancel"), json!({})).await.expect(200);
        agent.post(&at(&made, "/acknowledge"), json!({})).await.expect(200);
        assert_eq!(types(&agent, &made).await.last().map(String::as_str), Some("message.acknowledged"));
    }

    async fn event_blocks_pushed(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let made = asked(&agent).await;
        agent.post(&at(&made, "/blocks"), json!({ "encryptedBlocks": "b" })).await.expect(201);
        assert_eq!(types(&agent, &made).await.last().map(String::as_str), Some("blocks.pushed"));
    }

    async fn the_same_timeline_and_settling_rules(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let made = agent.post(ALL, json!({ "encryptedContent": "?", "title": name("t") })).await.expect(201);
        let session = text(&made["sessionId"]);
        say(&agent, session, "more").await;
        // An answer by any route settles it.
        let body = json!({ "encryptedContent": "!", "inReplyTo": made["messageId"] });
        human.post(&at_human(session, "/messages"), body).await.expect(201);
        assert_eq!(agent.get(&at(&made, "")).await.expect(200)["status"], "Completed");
        let late = json!({ "encryptedContent": "late" });
        human.post(&for_human(&made, "/respond"), late).await.expect_error(409, "ALREADY_RESPONDED");
    }
}
