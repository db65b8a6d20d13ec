//! Section 5: each endpoint for managers and provisioners.

use super::{goes_once, list};
use crate::support::deployment::name;
use crate::support::hub::{UNKNOWN, text};
use crate::support::keys::{Keys, publish};
use crate::support::shapes::{has_keys, is_id, is_key_entry, is_page, is_time, names_field};
use crate::support::{Deployment, on_every_deployment, timeout};
use serde_json::{Value, json};
use std::time::Duration;

on_every_deployment! {
    async fn put_v1_manage_attestations_id(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let (keys, id) = publish(&agent).await;
        let path = format!("/v1/manage/attestations/{id}");
        let signature = keys.sign(b"any bytes: the hub does not have the owner's key");
        let body = json!({ "keyId": keys.id(), "notAfter": "2099-01-01T00:00:00.000Z", "signature": signature });
        assert_eq!(hub.manager.put(&path, body.clone()).await.expect(204), Value::Null);
        let key = agent.get("/v1/agent/me").await.expect(200)["key"].clone();
        is_key_entry(&key);
        assert_eq!(key["attestation"], json!({ "notAfter": body["notAfter"], "signature": signature }));
        for (field, value) in [("keyId", "AAAA"), ("notAfter", "tomorrow"), ("signature", "AAAA")] {
            let mut bad = body.clone();
            bad[field] = json!(value);
            let error = hub.manager.put(&path, bad).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, &format!("'{field}'"));
        }
        // Of the current entry alone, and of one's own space.
        let mut other = body.clone();
        other["keyId"] = json!(Keys::generate().id());
        hub.manager.put(&path, other).await.expect_error(409, "CONFLICT");
        hub.other_space().await.put(&path, body.clone()).await.expect_error(404, "NOT_FOUND");
        hub.agent("space").await.put(&path, body.clone()).await.expect_error(403, "FORBIDDEN");
        hub.manager.put(&format!("/v1/manage/attestations/{UNKNOWN}"), body).await.expect_error(404, "NOT_FOUND");
        // Another key has none.
        let second = Keys::generate();
        let changed = agent.put("/v1/agent/public-key", second.entry_after(&keys, &id)).await.expect(200);
        assert_eq!(changed["attestation"], Value::Null);
    }

    async fn post_v1_provision_agents(hub: Deployment) {
        let key = hub.manager.post("/v1/manage/keys", json!({ "permission": "provision" })).await.expect(201);
        let provisioner = hub.with_key(text(&key["apiKey"]));
        let body = json!({ "name": name("worker"), "description": "works" });
        let made = provisioner.post("/v1/provision/agents", body.clone()).await.expect(201);
        has_keys(&made, "agent apiKey");
        assert_eq!((&made["agent"]["name"], &made["agent"]["description"]), (&body["name"], &json!("works")));
        let me = hub.with_key(text(&made["apiKey"])).get("/v1/agent/me").await.expect(200);
        assert_eq!((&me["id"], &me["permission"]), (&made["agent"]["id"], &json!("agent")));
        provisioner.post("/v1/provision/agents", json!({ "name": "no name" })).await.expect_error(400, "VALIDATION_ERROR");
        provisioner.post("/v1/provision/agents", json!({})).await.expect_error(400, "VALIDATION_ERROR");
    }

    async fn post_v1_manage_keys(hub: Deployment) {
        for permission in ["agent", "space", "manage"] {
            let body = json!({ "permission": permission, "agent": "of-key", "expiresInSeconds": 3600 });
            let key = hub.manager.post("/v1/manage/keys", body).await.expect(201);
            has_keys(&key, "id apiKey permission agentId prefix createdBy lastUsedAt expiresAt createdAt");
            is_id(&key["id"]);
            is_id(&key["agentId"]);
            is_time(&key["expiresAt"]);
            is_time(&key["createdAt"]);
            assert_eq!(key["permission"], permission);
            assert!(text(&key["apiKey"]).starts_with(text(&key["prefix"])), "{key}");
        }
        let endless = hub.manager.post("/v1/manage/keys", json!({ "permission": "agent" })).await.expect(201);
        assert_eq!(endless["expiresAt"], Value::Null);
        // A key of higher permission can't be created.
        hub.manager.post("/v1/manage/keys", json!({ "permission": "owner" })).await.expect_error(403, "FORBIDDEN");
        for bad in [json!({}), json!({ "permission": "all" }), json!({ "permission": "agent", "expiresInSeconds": 0 })] {
            hub.manager.post("/v1/manage/keys", bad).await.expect_error(400, "VALIDATION_ERROR");
        }
    }

    async fn get_v1_manage_keys(hub: Deployment) {
        let key = hub.manager.post("/v1/manage/keys", json!({ "permission": "agent" })).await.expect(201);
        let page = hub.manager.get("/v1/manage/keys").await.expect(200);
        is_page(&page);
        let one = list(&page).iter().find(|one| one["id"] == key["id"]).expect("there");
        has_keys(one, "id permission agentId prefix createdBy lastUsedAt expiresAt createdAt");
        assert_eq!((&one["prefix"], &one["agentId"]), (&key["prefix"], &key["agentId"]));
    }

    async fn delete_v1_manage_keys_id(hub: Deployment) {
        let key = hub.manager.post("/v1/manage/keys", json!({ "permission": "agent" })).await.expect(201);
        goes_once(&hub.manager, &format!("/v1/manage/keys/{}", text(&key["id"]))).await;
        let parent = hub.manager.post("/v1/manage/keys", json!({ "permission": "manage" })).await.expect(201);
        let body = json!({ "permission": "agent", "agent": "child" });
        let child = hub.with_key(text(&parent["apiKey"])).post("/v1/manage/keys", body).await.expect(201);
        let path = format!("/v1/manage/keys/{}?cascade=true", text(&parent["id"]));
        hub.manager.delete(&path).await.expect(204);
        hub.with_key(text(&child["apiKey"])).get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
    }

    async fn v1_manage_agents(hub: Deployment) {
        let body = json!({ "name": "worker", "description": "works" });
        let made = hub.manager.post("/v1/manage/agents", body).await.expect(201);
        has_keys(&made, "id spaceId name description key createdAt");
        let page = hub.manager.get("/v1/manage/agents").await.expect(200);
        is_page(&page);
        assert!(list(&page).contains(&made), "{page}");
        let key = hub.manager.post("/v1/manage/keys", json!({ "permission": "agent", "agent": "worker" })).await.expect(201);
        let mut socket = hub.socket(&hub.with_key(text(&key["apiKey"]))).await;
        goes_once(&hub.manager, &format!("/v1/manage/agents/{}", text(&made["id"]))).await;
        timeout(Duration::from_secs(2), socket.end()).await.expect("within two seconds");
    }

    async fn v1_manage_humans(hub: Deployment) {
        let email = format!("{}@example.org", name("h"));
        let made = hub.manager.post("/v1/manage/humans", json!({ "email": email, "name": "H" })).await.expect(201);
        has_keys(&made, "id spaceId email name role key createdAt setupUrl");
        // Without a password, a one-time link is returned.
        let (_, setup) = text(&made["setupUrl"]).split_once("#setup=").expect("a link");
        let body = json!({ "token": setup, "password": "correct horse battery" });
        let tokens = hub.anonymous.post("/v1/auth/setup", body.clone()).await.expect(200);
        hub.anonymous.post("/v1/auth/setup", body).await.expect_error(401, "UNAUTHORIZED");
        let human = hub.with_token(text(&tokens["accessToken"]));
        assert_eq!(human.get("/v1/human/me").await.expect(200)["id"], made["id"]);
        let page = hub.manager.get("/v1/manage/humans").await.expect(200);
        is_page(&page);
        has_keys(&list(&page)[0], "id spaceId email name role key createdAt");
        let mut socket = hub.socket(&human).await;
        goes_once(&hub.manager, &format!("/v1/manage/humans/{}", text(&made["id"]))).await;
        timeout(Duration::from_secs(2), socket.end()).await.expect("within two seconds");
        for bad in [json!({ "name": "H" }), json!({ "email": "nobody", "name": "H" }), json!({ "email": email })] {
            hub.manager.post("/v1/manage/humans", bad).await.expect_error(400, "VALIDATION_ERROR");
        }
    }

    async fn post_v1_manage_humans_id_setup_link(hub: Deployment) {
        let body = json!({ "email": format!("{}@example.org", name("h")), "name": "H" });
        let human = hub.manager.post("/v1/manage/humans", body).await.expect(201);
        let path = format!("/v1/manage/humans/{}/setup-link", text(&human["id"]));
        let token = |made: &Value| text(&made["setupUrl"]).split_once("#setup=").expect("a link").1.to_owned();
        let first = hub.manager.post(&path, json!({})).await.expect(201);
        has_keys(&first, "setupUrl expiresAt");
        is_time(&first["expiresAt"]);
        let second = hub.manager.post(&path, json!({})).await.expect(201);
        // Earlier links are invalid.
        let set_up = |token: String| json!({ "token": token, "password": "correct horse battery" });
        for void in [token(&human), token(&first)] {
            hub.anonymous.post("/v1/auth/setup", set_up(void)).await.expect_error(401, "UNAUTHORIZED");
        }
        let tokens = hub.anonymous.post("/v1/auth/setup", set_up(token(&second))).await.expect(200);
        let before = hub.with_token(text(&tokens["accessToken"]));
        let mut socket = hub.socket(&before).await;
        // Using a link ends every other sign-in.
        let third = hub.manager.post(&path, json!({})).await.expect(201);
        before.get("/v1/human/me").await.expect(200);
        let tokens = hub.anonymous.post("/v1/auth/setup", set_up(token(&third))).await.expect(200);
        timeout(Duration::from_secs(2), socket.end()).await.expect("within two seconds");
        crate::support::eventually("the end of the sign-in", async || {
            (before.get("/v1/human/me").await.status == 401).then_some(())
        })
        .await;
        hub.with_token(text(&tokens["accessToken"])).get("/v1/human/me").await.expect(200);
        let unknown = format!("/v1/manage/humans/{UNKNOWN}/setup-link");
        hub.manager.post(&unknown, json!({})).await.expect_error(404, "NOT_FOUND");
        hub.other_space().await.post(&path, json!({})).await.expect_error(404, "NOT_FOUND");
    }

    async fn v1_manage_spaces(hub: Deployment) {
        let wanted = name("space");
        let made = hub.owner.post("/v1/manage/spaces", json!({ "name": wanted })).await.expect(201);
        has_keys(&made, "id name createdAt apiKey");
        let again = hub.owner.post("/v1/manage/spaces", json!({ "name": wanted })).await.expect(200);
        assert_eq!((&again["id"], &again["apiKey"]), (&made["id"], &Value::Null));
        let key = hub.with_key(text(&made["apiKey"]));
        assert_eq!(key.get("/v1/agent/me").await.expect(200)["spaceId"], made["id"]);
        let page = hub.owner.get("/v1/manage/spaces?pageSize=100").await.expect(200);
        is_page(&page);
        has_keys(&list(&page)[0], "id name createdAt");
        let mut socket = hub.socket(&key).await;
        goes_once(&hub.owner, &format!("/v1/manage/spaces/{}", text(&made["id"]))).await;
        timeout(Duration::from_secs(2), socket.end()).await.expect("within two seconds");
        hub.manager.post("/v1/manage/spaces", json!({ "name": name("space") })).await.expect_error(403, "FORBIDDEN");
    }

    async fn get_v1_manage_audit(hub: Deployment) {
        let key = hub.manager.post("/v1/manage/keys", json!({ "permission": "agent", "agent": "watched" })).await.expect(201);
        let page = hub.manager.get("/v1/manage/audit?pageSize=100").await.expect(200);
        is_page(&page);
        let entries = list(&page);
        for entry in entries {
            has_keys(entry, "id at event actor target origin requestId outcome");
            is_id(&entry["id"]);
            is_time(&entry["at"]);
        }
        // Newest last.
        let last = entries.last().expect("an entry");
        assert_eq!((&last["event"], &last["outcome"]), (&json!("key.created"), &json!("success")));
        assert_eq!(last["target"]["id"], key["id"]);
        assert!(entries.is_sorted_by_key(|entry| text(&entry["id"])), "{page}");
        let path = format!("/v1/manage/audit?after={}", text(&entries[0]["id"]));
        assert_eq!(list(&hub.manager.get(&path).await.expect(200)), &entries[1..]);
        hub.manager.get("/v1/manage/audit?after=x").await.expect_error(400, "VALIDATION_ERROR");
    }
}
