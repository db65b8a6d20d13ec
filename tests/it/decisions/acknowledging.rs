//! An agent acknowledges each outcome once.

use super::{admit, id_of};
use crate::support::hub::{answer, ask, at_agent, at_message, config, say, text};
use crate::support::shapes::is_message;
use crate::support::{Client, on_both_engines};
use futures::future::join_all;
use hiloop::broker::LocalBroker;
use hiloop::clock::SystemClock;
use hiloop::server::start_with;
use serde_json::{Value, json};
use std::sync::Arc;

on_both_engines! {
    async fn an_agent_acknowledges_its_own_outcome_once(hub: Hub) {
        let (agent, other, space) = (hub.agent("agent").await, hub.agent("agent").await, hub.agent("space").await);
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        admit(&agent, &session, &other).await;
        let question = ask(&agent, &session).await;
        let path = at_message(&session, &question, "/acknowledge");
        agent.post(&path, json!({})).await.expect_error(409, "CONFLICT");
        answer(&human, &session, &question).await;
        for stranger in [&other, &space] {
            stranger.post(&path, json!({})).await.expect_error(403, "FORBIDDEN");
        }
        hub.agent("agent").await.post(&path, json!({})).await.expect_error(404, "NOT_FOUND");
        let taken = agent.post(&path, json!({})).await.expect(200);
        is_message(&taken);
        assert!(taken["acknowledgedAt"].is_string(), "{taken}");
        assert_eq!(agent.post(&path, json!({ "exclusive": false })).await.expect(200), taken);
        agent.post(&path, json!({ "exclusive": true })).await.expect_error(409, "ALREADY_ACKNOWLEDGED");
        assert_eq!(agent.get(&at_message(&session, &question, "")).await.expect(200), taken);
        let events = agent.get(&at_agent(&session, "/timeline?limit=1000")).await.expect(200);
        let events: Vec<_> = events["data"].as_array().expect("events").iter().filter(|event| event["type"] == "message.acknowledged").collect();
        assert_eq!(events.len(), 1);
        assert_eq!((&events[0]["data"], &events[0]["at"]), (&json!({ "messageId": question["id"] }), &taken["acknowledgedAt"]));

        // The winner's retry is no second one. A key of the space that acts as the agent is the agent.
        let question = ask(&agent, &session).await;
        let path = at_message(&session, &question, "/acknowledge");
        let keyed = agent.with("idempotency-key", "cancel");
        let cancelled = keyed.post(&at_message(&session, &question, "/cancel"), json!({})).await.expect(200);
        let winner = space.with("x-hiloop", text(&id_of(&agent, "/v1/agent/me").await)).with("idempotency-key", "k");
        let taken = winner.post(&path, json!({ "exclusive": true })).await.expect(200);
        assert_eq!(taken["status"], "Cancelled");
        let again = winner.post(&path, json!({ "exclusive": true })).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.expect(200), taken);
        winner.with("x-request-id", "other").post(&path, json!({})).await.expect_error(422, "IDEMPOTENCY_MISMATCH");
        agent.post(&path, json!({ "exclusive": true })).await.expect_error(409, "ALREADY_ACKNOWLEDGED");
        // And the first replies to earlier requests stay unchanged.
        assert_eq!(keyed.post(&at_message(&session, &question, "/cancel"), json!({})).await.expect(200), cancelled);
        // A message that requires no response has no outcome.
        let plain = say(&agent, &session, "x").await;
        agent.post(&at_message(&session, &plain, "/acknowledge"), json!({})).await.expect_error(409, "CONFLICT");
        // The session may be closed.
        let question = ask(&agent, &session).await;
        agent.post(&at_agent(&session, "/archive"), json!({})).await.expect(200);
        agent.post(&at_message(&session, &question, "/acknowledge"), json!({})).await.expect(200);
    }

    async fn an_interaction_and_its_message_are_acknowledged_as_one(hub: Hub) {
        let agent = hub.agent("agent").await;
        for by_interaction in [true, false] {
            let asked = agent.post("/v1/agent/interactions", json!({ "encryptedContent": "?" })).await.expect(201);
            let session = text(&asked["id"]);
            let question = json!({ "id": asked["messageId"] });
            let interaction = format!("/v1/agent/interactions/{session}");
            agent.post(&format!("{interaction}/cancel"), json!({})).await.expect(200);
            let (of_interaction, of_message) = (format!("{interaction}/acknowledge"), at_message(session, &question, "/acknowledge"));
            let first = if by_interaction { &of_interaction } else { &of_message };
            let taken = agent.post(first, json!({})).await.expect(200)["acknowledgedAt"].clone();
            assert!(taken.is_string());
            assert_eq!(agent.get(&interaction).await.expect(200)["acknowledgedAt"], taken);
            assert_eq!(agent.get(&at_message(session, &question, "")).await.expect(200)["acknowledgedAt"], taken);
            agent.post(&of_message, json!({ "exclusive": true })).await.expect_error(409, "ALREADY_ACKNOWLEDGED");
            assert_eq!(agent.post(&of_interaction, json!({})).await.expect(200)["acknowledgedAt"], taken);
        }
    }

    async fn one_of_concurrent_exclusive_acknowledgements_wins(hub: Hub) {
        let agent = hub.agent("agent").await;
        let settings = config(&hub.database_url, &["--public-url", &hub.base]);
        let other = start_with(settings, Arc::new(SystemClock), Arc::new(LocalBroker)).await.expect("a second node");
        let there = Client { base: format!("http://{}", other.address), ..agent.clone() };
        let session = hub.session(&agent).await;
        for _ in 0..5 {
            let question = ask(&agent, &session).await;
            agent.post(&at_message(&session, &question, "/cancel"), json!({})).await.expect(200);
            let path = at_message(&session, &question, "/acknowledge");
            let racers = (0..16).map(|index| {
                let node = if index % 2 == 0 { &agent } else { &there };
                let node = node.with("idempotency-key", &format!("{} {index}", text(&question["id"])).replace(' ', "-"));
                let path = path.clone();
                async move { (node.post(&path, json!({ "exclusive": true })).await, node) }
            });
            let mut won = Vec::new();
            for (reply, node) in join_all(racers).await {
                if reply.status == 200 {
                    won.push((reply.body, node));
                } else {
                    reply.expect_error(409, "ALREADY_ACKNOWLEDGED");
                }
            }
            assert_eq!(won.len(), 1);
            let (first, winner) = &won[0];
            let again = winner.post(&path, json!({ "exclusive": true })).await.expect(200);
            assert_eq!(again, *first);
            let events = agent.get(&at_agent(&session, "/timeline?limit=1000")).await.expect(200);
            let is_acknowledgement = |event: &&Value| event["type"] == "message.acknowledged" && event["data"]["messageId"] == question["id"];
            assert_eq!(events["data"].as_array().expect("events").iter().filter(is_acknowledgement).count(), 1);
        }
        other.stop().await;
    }

    async fn answers_are_listed_for_their_agent_until_acknowledged(hub: Hub) {
        let (agent, second, space) = (hub.agent("agent").await, hub.agent("agent").await, hub.agent("space").await);
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        admit(&agent, &session, &second).await;
        let (first, open, third) = (ask(&agent, &session).await, ask(&agent, &session).await, ask(&agent, &session).await);
        ask(&second, &session).await;
        say(&agent, &session, "no question").await;
        // In the order in which they settled.
        answer(&human, &session, &third).await;
        agent.post(&at_message(&session, &first, "/cancel"), json!({})).await.expect(200);
        let answers = async |client: &Client| {
            let page = client.get("/v1/agent/answers?pageSize=100").await.expect(200);
            page["data"].as_array().expect("a list").clone()
        };
        let mut wanted = Vec::new();
        for message in [&third, &first] {
            wanted.push(agent.get(&at_message(&session, message, "")).await.expect(200));
        }
        assert_eq!(answers(&agent).await, wanted);
        let page = agent.get("/v1/agent/answers?page=2&pageSize=1").await.expect(200);
        assert_eq!((&page["total"], &page["data"]), (&json!(2), &json!([wanted[1]])));
        for other in [&second, &space, &hub.other_space().await] {
            assert_eq!(answers(other).await, Vec::<Value>::new());
        }
        // A key of the space reads those of the agent that it acts as.
        let as_agent = space.with("x-hiloop", text(&id_of(&agent, "/v1/agent/me").await));
        assert_eq!(answers(&as_agent).await, wanted);
        agent.post(&at_message(&session, &third, "/acknowledge"), json!({})).await.expect(200);
        assert_eq!(answers(&agent).await, wanted[1..]);
        // Closing settles pending messages; a removed agent has no access.
        agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        assert_eq!(answers(&agent).await[1]["id"], open["id"]);
        assert_eq!(answers(&second).await.len(), 1);
        let page = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        let me = id_of(&second, "/v1/agent/me").await;
        let gone = page["data"].as_array().expect("a list").iter().find(|one| one["agentId"] == me).expect("there").clone();
        agent.delete(&at_agent(&session, &format!("/participants/{}", text(&gone["id"])))).await.expect(204);
        assert!(answers(&second).await.is_empty());
    }
}
