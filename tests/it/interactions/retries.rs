//! Idempotency keys of these routes.

use super::{INTERACTIONS, at, respond_to, sealed, shown, types_after};
use crate::sessions::repeated;
use crate::support::hub::{at_agent, text};
use crate::support::{Client, on_both_engines};
use futures::future::join_all;
use serde_json::{Value, json};

on_both_engines! {
    async fn a_retry_returns_the_stored_reply(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let asked = json!({ "encryptedContent": "?", "title": "First" });
        let made = repeated(&agent, INTERACTIONS, asked.clone(), json!({ "encryptedContent": "!" }), 201).await;
        assert_eq!(agent.get("/v1/agent/sessions").await.expect(200)["total"], 1);
        let id = text(&made["id"]);
        hub.clock.advance(1_000);
        let one = repeated(&agent, &at(id, "/blocks"), json!({ "encryptedBlocks": "1" }), json!({ "encryptedBlocks": "2" }), 201).await;
        agent.patch(&at_agent(id, ""), json!({ "title": "Second" })).await.expect(200);
        hub.clock.advance(1_000);
        let answer = json!({ "encryptedContent": "yes" });
        let answered = repeated(&human, &respond_to(id), answer.clone(), json!({ "encryptedContent": "no" }), 200).await;
        hub.clock.advance(1_000);
        let taken = repeated(&agent, &at(id, "/acknowledge"), json!({}), json!({ "x": 1 }), 200).await;
        agent.post(&at(id, "/blocks"), json!({ "encryptedBlocks": "3" })).await.expect(201);
        agent.patch(&at_agent(id, ""), json!({ "title": "Third" })).await.expect(200);
        repeated(&agent, &at(id, "/messages"), json!({ "encryptedContent": "x" }), json!({ "encryptedContent": "y" }), 201).await;

        // The first reply, although the interaction has changed since.
        let again = async |client: &Client, path: &str, body: Value, status: u16| {
            let reply = client.with("idempotency-key", &format!("key-of-{}", path.len())).post(path, body).await;
            assert_eq!(reply.header("idempotent-replayed"), Some("true"), "{path}");
            reply.expect(status)
        };
        assert_eq!(again(&agent, INTERACTIONS, asked, 201).await, made);
        assert_eq!((&made["title"], &made["status"], &made["blocks"]), (&json!("First"), &json!("Pending"), &json!([])));
        assert_eq!(again(&agent, &at(id, "/blocks"), json!({ "encryptedBlocks": "1" }), 201).await, one);
        assert_eq!((&one["title"], &one["blocks"], &one["status"]), (&json!("First"), &json!([sealed("1")]), &json!("Pending")));
        assert_eq!(again(&human, &respond_to(id), answer, 200).await, answered);
        assert_eq!((&answered["title"], &answered["status"], &answered["acknowledgedAt"]), (&json!("Second"), &json!("Completed"), &Value::Null));
        assert_eq!(again(&agent, &at(id, "/acknowledge"), json!({}), 200).await, taken);
        assert_eq!((&taken["blocks"], &taken["updatedAt"]), (&json!([sealed("1")]), &taken["acknowledgedAt"]));
        assert_eq!(shown(&agent, id).await["blocks"], json!([sealed("1"), sealed("3")]));
        let cancelled = hub.interaction(&agent).await;
        let first = repeated(&agent, &at(&cancelled, "/cancel"), json!({}), json!({ "x": 1 }), 200).await;
        agent.post(&at(&cancelled, "/acknowledge"), json!({})).await.expect(200);
        assert_eq!(again(&agent, &at(&cancelled, "/cancel"), json!({}), 200).await, first);
    }

    async fn one_of_twenty_posts_with_one_key_is_executed(hub: Hub) {
        let agent = hub.agent("agent").await;
        hub.human().await;
        let id = hub.interaction(&agent).await;
        for (path, body, status) in [
            (INTERACTIONS, json!({ "encryptedContent": "once" }), 201),
            (&at(&id, "/blocks"), json!({ "encryptedBlocks": "once" }), 201),
            (&at(&id, "/cancel"), json!({}), 200),
            (&at(&id, "/acknowledge"), json!({}), 200),
        ] {
            let keyed = agent.with("idempotency-key", "once");
            let replies = join_all((0..20).map(|_| keyed.post(path, body.clone()))).await;
            let mut bodies = Vec::new();
            let mut first = 0;
            for reply in replies {
                if reply.status == 409 {
                    reply.expect_error(409, "IDEMPOTENCY_IN_FLIGHT");
                    continue;
                }
                first += usize::from(reply.header("idempotent-replayed").is_none());
                bodies.push(reply.expect(status));
            }
            assert_eq!(first, 1, "{path}");
            assert!(bodies.iter().all(|body| *body == bodies[0]), "{path}: {bodies:?}");
        }
        assert_eq!(agent.get(INTERACTIONS).await.expect(200)["total"], 2);
        assert_eq!(types_after(&agent, &id, 2).await, ["blocks.pushed", "message.cancelled", "message.acknowledged"]);
    }
}
