//! An interaction settles once, is acknowledged once, and ends its long-polls.

use super::{INTERACTIONS, at, respond_to, shown, types_after};
use crate::sessions::{types, watched};
use crate::support::hub::{at_agent, at_human, text};
use crate::support::shapes::names_field;
use crate::support::{eventually, on_both_engines};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

on_both_engines! {
    async fn concurrent_answer_cancel_and_deadline_settle_an_interaction_once(hub: Hub) {
        let agent = hub.agent("agent").await;
        let (first, second) = (hub.human().await, hub.human().await);
        for round in 0..12 {
            let deadline = hub.context().clock.now().plus_seconds(60);
            let made = agent.post(INTERACTIONS, json!({ "encryptedContent": "?", "deadlineAt": deadline })).await.expect(201);
            let id = text(&made["id"]);
            // Sometimes the deadline wins, by the job or by the first late answer.
            let due = round % 3 == 0;
            if due {
                hub.clock.advance(60_000);
            }
            let (answer, cancel) = (respond_to(id), at(id, if due { "/acknowledge" } else { "/cancel" }));
            let (one, other, cancelled) = tokio::join!(
                first.post(&answer, json!({ "encryptedContent": "1" })),
                second.post(&answer, json!({ "encryptedContent": "2" })),
                agent.post(&cancel, json!({})),
            );
            let settled = agent.get(&at(id, "/await?timeout=10")).await.expect(200);
            let mut replies = vec![one, other];
            if !due {
                replies.push(cancelled);
            }
            let (won, late): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
            assert_eq!(won.len(), usize::from(!due));
            assert_eq!(due, settled["status"] == "Expired", "{settled}");
            assert!(won.iter().all(|reply| reply.body["status"] == settled["status"]));
            for reply in late {
                let code = text(&reply.body["error"]["code"]).to_owned();
                assert!(matches!(code.as_str(), "ALREADY_RESPONDED" | "ALREADY_SETTLED"), "{}", reply.body);
                reply.expect_error(409, &code);
            }
            let found = types(&agent, id).await;
            let settling = ["message.completed", "message.cancelled", "message.expired"];
            assert_eq!(found.iter().filter(|kind| settling.contains(&kind.as_str())).count(), 1, "{found:?}");
        }
    }

    async fn a_late_answer_gets_the_reason(hub: Hub) {
        let agent = hub.agent("agent").await;
        let (human, other) = (hub.human().await, hub.human().await);
        let yes = json!({ "encryptedContent": "yes" });
        let answered = hub.interaction(&agent).await;
        let first = human.post(&respond_to(&answered), yes.clone()).await.expect(200);
        let error = other.post(&respond_to(&answered), yes.clone()).await.expect_error(409, "ALREADY_RESPONDED");
        assert_eq!(error["details"]["respondedBy"], first["response"]["respondedBy"]);
        assert_eq!(error["details"]["respondedAt"], first["response"]["respondedAt"]);
        agent.post(&at(&answered, "/cancel"), json!({})).await.expect_error(409, "ALREADY_SETTLED");

        let cancelled = hub.interaction(&agent).await;
        let gone = agent.post(&at(&cancelled, "/cancel"), json!({})).await.expect(200);
        assert_eq!((&gone["status"], &gone["response"]), (&json!("Cancelled"), &Value::Null));
        human.post(&respond_to(&cancelled), yes.clone()).await.expect_error(409, "ALREADY_SETTLED");
        agent.post(&at(&cancelled, "/cancel"), json!({})).await.expect_error(409, "ALREADY_SETTLED");

        let deadline = hub.context().clock.now().plus_seconds(60);
        let late = agent.post(INTERACTIONS, json!({ "encryptedContent": "?", "deadlineAt": deadline })).await.expect(201);
        let late = text(&late["id"]);
        hub.clock.advance(60_000);
        assert_eq!(agent.get(&at(late, "/await?timeout=10")).await.expect(200)["status"], "Expired");
        human.post(&respond_to(late), yes.clone()).await.expect_error(409, "ALREADY_SETTLED");

        let closed = hub.interaction(&agent).await;
        agent.post(&at_agent(&closed, "/close"), json!({})).await.expect(200);
        assert_eq!(shown(&agent, &closed).await["status"], "Cancelled");
        human.post(&respond_to(&closed), yes.clone()).await.expect_error(409, "ALREADY_SETTLED");
        human.post(&respond_to(&closed), json!({})).await.expect_error(400, "VALIDATION_ERROR");
        assert_eq!(types_after(&agent, &answered, 2).await, ["message.created", "message.completed"], "late answers are not stored");
    }

    async fn an_outcome_is_acknowledged_once(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let id = hub.interaction(&agent).await;
        agent.post(&at(&id, "/acknowledge"), json!({})).await.expect_error(409, "CONFLICT");
        human.post(&respond_to(&id), json!({ "encryptedContent": "yes" })).await.expect(200);
        assert_eq!(shown(&agent, &id).await["acknowledgedAt"], Value::Null);
        hub.clock.advance(5_000);
        let replies = join_all((0..10).map(async |_| agent.post(&at(&id, "/acknowledge"), json!({})).await)).await;
        let taken: BTreeSet<String> = replies.into_iter().map(|reply| text(&reply.expect(200)["acknowledgedAt"]).to_owned()).collect();
        assert_eq!(taken.len(), 1);
        hub.clock.advance(5_000);
        let again = agent.post(&at(&id, "/acknowledge"), json!({})).await.expect(200);
        assert!(taken.contains(text(&again["acknowledgedAt"])), "the first timestamp stays");
        assert_eq!(again["updatedAt"], again["acknowledgedAt"], "a repetition adds no event");
        assert_eq!(types_after(&agent, &id, 4).await, ["message.acknowledged"]);
        // For every way of settlement, also in a closed session.
        let cancelled = hub.interaction(&agent).await;
        agent.post(&at_agent(&cancelled, "/archive"), json!({})).await.expect(200);
        let taken = agent.post(&at(&cancelled, "/acknowledge"), json!({})).await.expect(200);
        assert_eq!((&taken["status"], taken["acknowledgedAt"].is_string()), (&json!("Cancelled"), true));
        assert_eq!(shown(&agent, &cancelled).await, taken);
    }

    async fn a_long_poll_ends_without_an_answer(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let id = hub.interaction(&agent).await;
        let pending = shown(&agent, &id).await;
        assert_eq!(agent.get(&at(&id, "/await?timeout=0")).await.expect(200), pending);
        let started = Instant::now();
        assert_eq!(agent.with("prefer", "wait=1").get(&at(&id, "/await")).await.expect(200), pending);
        assert!(started.elapsed() >= Duration::from_millis(900));
        let error = agent.get(&at(&id, "/await?timeout=56")).await.expect_error(400, "VALIDATION_ERROR");
        names_field(&error, "timeout");

        for end in ["cancel", "close", "answer in its session"] {
            let id = hub.interaction(&agent).await;
            let message = shown(&agent, &id).await["messageId"].clone();
            let (waiter, path) = (agent.clone(), at(&id, "/await"));
            let waiter = tokio::spawn(async move { waiter.get(&path).await.expect(200) });
            watched(&hub, &id, true).await;
            match end {
                "cancel" => agent.post(&at(&id, "/cancel"), json!({})).await.expect(200),
                "close" => agent.post(&at_agent(&id, "/close"), json!({})).await.expect(200),
                _ => human.post(&at_human(&id, "/messages"), json!({ "encryptedContent": "!", "inReplyTo": message })).await.expect(201),
            };
            let status = if end.starts_with("answer") { "Completed" } else { "Cancelled" };
            assert_eq!(waiter.await.expect("no panic")["status"], status);
            watched(&hub, &id, false).await;
        }
        // A disconnected client frees its registration.
        let (waiter, path) = (agent.clone(), at(&id, "/await?timeout=55"));
        let waiter = tokio::spawn(async move { waiter.get(&path).await });
        watched(&hub, &id, true).await;
        waiter.abort();
        watched(&hub, &id, false).await;
        eventually("no open long-polls", async || (hub.context().hub.connection_count() == 0).then_some(())).await;
    }
}
