//! Session ids that clients choose: each is taken once, in any space.

use crate::support::hub::{SESSIONS, at_agent, config, text};
use crate::support::shapes::{is_session, names_field};
use crate::support::{Client, on_both_engines};
use futures::future::join_all;
use hiloop::broker::LocalBroker;
use hiloop::clock::SystemClock;
use hiloop::server::start_with;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use uuid::Uuid;

fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// A version 7 UUID of so many milliseconds from now.
fn id_at(offset: i64) -> String {
    let now = i64::try_from(Uuid::now_v7().as_u64_pair().0 >> 16).expect("a time");
    let time = u128::try_from(now + offset).expect("after 1970");
    let random = Uuid::now_v7().as_u128() & (u128::MAX >> 48);
    Uuid::from_u128((time << 80) | random).to_string()
}

on_both_engines! {
    async fn a_session_id_is_unique_across_spaces(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let foreign = hub.agent_of(&hub.other_space().await, "agent").await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let named = json!([{ "type": "Agent", "agentId": me["id"] }]);
        let ids: Vec<_> = (0..3).map(|_| new_id()).collect();
        let made = agent.post(SESSIONS, json!({ "id": ids[0], "title": "T" })).await.expect(201);
        is_session(&made);
        assert_eq!(made["id"], json!(ids[0]));
        let asked = agent.post("/v1/agent/interactions", json!({ "id": ids[1], "encryptedContent": "?" })).await.expect(201);
        assert_eq!((&asked["id"], &asked["sessionId"]), (&json!(ids[1]), &json!(ids[1])));
        let by_human = json!({ "id": ids[2], "participants": named });
        assert_eq!(human.post("/v1/human/sessions", by_human).await.expect(201)["id"], json!(ids[2]));
        // The same error for every caller: it does not reveal the owner of the id.
        let mut errors = HashSet::new();
        for id in &ids {
            for client in [&agent, &foreign] {
                let error = client.post(SESSIONS, json!({ "id": id })).await.expect_error(409, "CONFLICT");
                names_field(&error, "id");
                errors.insert(error.to_string());
                let body = json!({ "id": id, "encryptedContent": "?" });
                errors.insert(client.post("/v1/agent/interactions", body).await.expect_error(409, "CONFLICT").to_string());
            }
            let body = json!({ "id": id, "participants": named });
            errors.insert(human.post("/v1/human/sessions", body).await.expect_error(409, "CONFLICT").to_string());
            foreign.get(&at_agent(id, "")).await.expect_error(404, "NOT_FOUND");
        }
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(agent.get(&at_agent(&ids[0], "")).await.expect(200)["title"], "T");
    }

    async fn a_retry_with_the_same_idempotency_key_returns_the_same_session(hub: Hub) {
        let agent = hub.agent("agent").await;
        for path in [SESSIONS, "/v1/agent/interactions"] {
            let body = json!({ "id": new_id(), "encryptedContent": "?" });
            let keyed = agent.with("idempotency-key", "k");
            let first = keyed.post(path, body.clone()).await.expect(201);
            let again = keyed.post(path, body.clone()).await;
            assert_eq!(again.header("idempotent-replayed"), Some("true"));
            assert_eq!(again.expect(201), first);
            agent.post(path, body.clone()).await.expect_error(409, "CONFLICT");
            // A refused request has no effect.
            let other = agent.with("idempotency-key", "other");
            other.post(path, body).await.expect_error(409, "CONFLICT");
            other.post(path, json!({ "id": new_id(), "encryptedContent": "?" })).await.expect(201);
        }
    }

    async fn one_of_concurrent_creations_with_the_same_id_succeeds(hub: Hub) {
        let (agent, foreign) = (hub.agent("agent").await, hub.agent_of(&hub.other_space().await, "agent").await);
        let settings = config(&hub.database_url, &["--public-url", &hub.base]);
        let other = start_with(settings, Arc::new(SystemClock), Arc::new(LocalBroker)).await.expect("a second node");
        let base = format!("http://{}", other.address);
        for _ in 0..10 {
            let id = new_id();
            let racers = (0..8).map(|index| {
                let who = if index % 4 < 2 { &agent } else { &foreign };
                let who = if index % 2 == 0 { who.clone() } else { Client { base: base.clone(), ..who.clone() } };
                let body = json!({ "id": id });
                async move { who.post(SESSIONS, body).await }
            });
            let mut made = 0;
            for reply in join_all(racers).await {
                if reply.status == 201 {
                    made += 1;
                } else {
                    reply.expect_error(409, "CONFLICT");
                }
            }
            assert_eq!(made, 1);
            let seen = [agent.get(&at_agent(&id, "")).await.status, foreign.get(&at_agent(&id, "")).await.status];
            assert_eq!(HashSet::from(seen), HashSet::from([200, 404]));
        }
        other.stop().await;
    }

    async fn a_session_id_must_be_a_recent_uuid_of_version_7(hub: Hub) {
        const DAY: i64 = 24 * 60 * 60 * 1000;
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let me = agent.get("/v1/agent/me").await.expect(200);
        let good = new_id();
        let other_variant = format!("{}7{}", &good[..19], &good[20..]);
        for bad in [
            "", "x", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "b4f1c9a2-7f0e-4c1b-9d2a-3e5f60718293",
            "00000000-0000-7000-8000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff",
            &good.replace('-', ""), &format!("{{{good}}}"), &format!("urn:uuid:{good}"), &other_variant,
            &id_at(DAY + 60_000), &id_at(-DAY - 60_000),
        ] {
            let named = json!([{ "type": "Agent", "agentId": me["id"] }]);
            for (client, path, body) in [
                (&agent, SESSIONS, json!({ "id": bad })),
                (&agent, "/v1/agent/interactions", json!({ "id": bad, "encryptedContent": "?" })),
                (&human, "/v1/human/sessions", json!({ "id": bad, "participants": named })),
            ] {
                let error = client.post(path, body).await.expect_error(400, "VALIDATION_ERROR");
                names_field(&error, "'id'");
            }
        }
        for id in [good, id_at(DAY - 60_000), id_at(60_000 - DAY), new_id().to_uppercase()] {
            let made = agent.post(SESSIONS, json!({ "id": id })).await.expect(201);
            assert_eq!(text(&made["id"]), id.to_lowercase());
        }
        let made = agent.post(SESSIONS, json!({ "id": null })).await.expect(201);
        is_session(&made);
    }
}
