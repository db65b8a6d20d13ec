//! Section 5: the agent itself, its public keys, and the agents and humans of its space.

use super::list;
use crate::support::hub::{at_agent, text};
use crate::support::keys::{Keys, publish};
use crate::support::shapes::{has_keys, is_key_entry, is_page, is_time, names_field};
use crate::support::{Deployment, on_every_deployment};
use serde_json::{Value, json};

on_every_deployment! {
    async fn get_v1_agent_me(hub: Deployment) {
        let key = hub.manager.post("/v1/manage/keys", json!({ "permission": "space", "agent": "me" })).await.expect(201);
        let me = hub.with_key(text(&key["apiKey"])).get("/v1/agent/me").await.expect(200);
        has_keys(&me, "type id name description spaceId permission key expiresAt createdAt");
        assert_eq!((&me["type"], &me["id"], &me["name"], &me["permission"]), (&json!("Agent"), &key["agentId"], &json!("me"), &json!("space")));
        is_time(&me["createdAt"]);
    }

    async fn put_v1_agent_public_key(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        assert_eq!(me["key"], Value::Null);
        let entry = Keys::generate().entry(text(&me["id"]));
        let made = agent.put("/v1/agent/public-key", entry.clone()).await.expect(200);
        is_key_entry(&made);
        for field in ["publicKey", "signingKey", "keyId", "proof"] {
            assert_eq!(made[field], entry[field]);
        }
        assert_eq!(agent.get("/v1/agent/me").await.expect(200)["key"], made);
        // The same again is the same.
        assert_eq!(agent.put("/v1/agent/public-key", entry).await.expect(200), made);
        let other = Keys::generate().entry(text(&me["id"]));
        agent.put("/v1/agent/public-key", other).await.expect_error(409, "KEY_EXISTS");
        for field in ["publicKey", "signingKey", "keyId", "proof"] {
            let mut entry = Keys::generate().entry(text(&me["id"]));
            entry[field] = json!("AAAA");
            let error = agent.put("/v1/agent/public-key", entry).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, &format!("'{field}'"));
        }
        // A key with `space` that acts as this agent does not publish for it.
        let space = hub.agent("space").await.with("x-hiloop", text(&me["name"]));
        assert_eq!(space.get("/v1/agent/me").await.expect(200)["id"], me["id"]);
        let entry = Keys::generate().entry_instead(text(&me["id"]));
        space.put("/v1/agent/public-key", entry).await.expect_error(403, "FORBIDDEN");
        assert_eq!(agent.get("/v1/agent/me").await.expect(200)["key"], made);
    }

    async fn get_v1_agent_sessions_id_keys(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let (first, id) = publish(&agent).await;
        let second = Keys::generate();
        agent.put("/v1/agent/public-key", second.entry_after(&first, &id)).await.expect(200);
        let page = agent.get(&at_agent(&session, "/keys")).await.expect(200);
        is_page(&page);
        for (one, keys) in list(&page).iter().zip([&first, &second]) {
            has_keys(one, "participantId principalId publicKey signingKey keyId proof previous attestation createdAt replacedAt");
            assert_eq!((&one["principalId"], &one["keyId"]), (&json!(id), &json!(keys.id())));
        }
        let participants = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        assert_eq!(list(&page)[0]["participantId"], list(&participants)[0]["id"]);
        assert_eq!((&list(&page)[0]["replacedAt"], list(&page).len()), (&list(&page)[1]["createdAt"], 2));
        assert_eq!(list(&page)[1]["replacedAt"], Value::Null);
        let page = agent.get(&at_agent(&session, "/keys?page=2&pageSize=1")).await.expect(200);
        assert_eq!((&page["total"], &list(&page)[0]["keyId"]), (&json!(2), &json!(second.id())));
        hub.agent("agent").await.get(&at_agent(&session, "/keys")).await.expect_error(404, "NOT_FOUND");
        hub.other_space().await.get(&at_agent(&session, "/keys")).await.expect_error(404, "NOT_FOUND");
    }

    async fn get_v1_agent_agents(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let page = agent.get("/v1/agent/agents").await.expect(200);
        is_page(&page);
        let one = json!({ "id": me["id"], "name": me["name"], "key": null });
        assert!(list(&page).contains(&one), "{page}");
        let foreign = hub.other_space().await.get("/v1/agent/agents").await.expect(200);
        assert!(list(&foreign).iter().all(|other| other["id"] != me["id"]), "{foreign}");
    }

    async fn get_v1_agent_humans(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let person = hub.human().await.get("/v1/human/me").await.expect(200);
        let page = agent.get("/v1/agent/humans").await.expect(200);
        is_page(&page);
        let one = json!({ "id": person["id"], "name": person["name"], "key": null });
        assert_eq!(page["data"], json!([one]));
    }
}
