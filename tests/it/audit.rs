//! The audit log: security events of a space, readable by its managers only.

use crate::support::hub::{at_agent, text};
use crate::support::sql::Database;
use crate::support::{Client, eventually, on_both_engines};
use hiloop::domain::AuditSource;
use hiloop::testing::FailedAccount;
use serde_json::{Value, json};

async fn entries(manager: &Client) -> Vec<Value> {
    manager.get("/v1/manage/audit?pageSize=100").await.expect(200)["data"].as_array().expect("a list").clone()
}

fn events(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| text(&entry["event"])).collect()
}

on_both_engines! {
    async fn changes_of_the_directory_are_audited_without_secrets(hub: Hub) {
        let manager = hub.other_space().await;
        let traced = manager.with("x-request-id", "audit-test-1");
        let me = manager.get("/v1/agent/me").await.expect(200);
        let body = json!({ "permission": "agent", "agent": "deployer" });
        let key = traced.post("/v1/manage/keys", body).await.expect(201);
        let agent = hub.anonymous().with("x-api-key", text(&key["apiKey"]));
        let session = hub.session(&agent).await;
        let guest = agent.post(&at_agent(&session, "/guest-tokens"), json!({ "name": "Priya" })).await.expect(201);
        let path = at_agent(&session, &format!("/guest-tokens/{}", text(&guest["id"])));
        agent.delete(&path).await.expect(204);
        let person = json!({ "email": format!("{}@example.org", hub.name("p")), "name": "P" });
        let person = manager.post("/v1/manage/humans", person).await.expect(201);
        manager.delete(&format!("/v1/manage/humans/{}", text(&person["id"]))).await.expect(204);
        manager.delete(&format!("/v1/manage/keys/{}", text(&key["id"]))).await.expect(204);
        manager.delete(&format!("/v1/manage/agents/{}", text(&key["agentId"]))).await.expect(204);

        let all = entries(&manager).await;
        assert_eq!(
            events(&all),
            [
                "key.created", "agent.created", "key.created", "guest_token.created", "guest_token.revoked",
                "human.created", "human.deactivated", "key.revoked", "agent.deactivated",
            ]
        );
        let made = &all[2];
        assert_eq!((&made["requestId"], &made["origin"]), (&json!("audit-test-1"), &json!("127.0.0.1")));
        assert_eq!((&made["outcome"], &made["actor"]["id"]), (&json!("success"), &me["id"]));
        assert_eq!((&made["target"]["type"], &made["target"]["id"]), (&json!("Key"), &key["id"]));
        // The author of the space's first key is hidden from the space.
        assert_eq!((&all[0]["actor"]["type"], &all[0]["origin"]), (&json!("System"), &Value::Null));
        let whole = json!(all).to_string();
        for secret in [manager.secret(), text(&key["apiKey"]), text(&guest["token"]), text(&key["prefix"])] {
            assert!(!whole.contains(secret), "{whole}");
        }
    }

    async fn an_audit_log_is_readable_by_managers_of_its_space_only(hub: Hub) {
        let (ours, theirs) = (hub.other_space().await, hub.other_space().await);
        let body = json!({ "permission": "agent", "agent": "ours" });
        let key = ours.post("/v1/manage/keys", body).await.expect(201);
        let entry = |all: &[Value]| all.iter().find(|entry| entry["target"]["id"] == key["id"]).cloned();
        let mine = entry(&entries(&ours).await).expect("an entry");
        assert_eq!(entry(&entries(&theirs).await), None);
        assert_eq!(entry(&entries(&hub.owner).await), None, "an owner of another space");
        // The id of an entry of another space is only a position in time.
        let path = format!("/v1/manage/audit?after={}", text(&mine["id"]));
        let after = theirs.get(&path).await.expect(200);
        assert_eq!(entry(after["data"].as_array().expect("a list")), None);
        hub.agent_of(&ours, "space").await.get("/v1/manage/audit").await.expect_error(403, "FORBIDDEN");
    }

    async fn the_audit_log_is_paged_by_entry_id(hub: Hub) {
        let manager = hub.other_space().await;
        for _ in 0..3 {
            hub.agent_of(&manager, "agent").await;
        }
        let all = entries(&manager).await;
        assert_eq!(all.len(), 7);
        let mut seen = Vec::new();
        let mut after = String::new();
        loop {
            let page = manager.get(&format!("/v1/manage/audit?pageSize=2{after}")).await.expect(200);
            let data = page["data"].as_array().expect("a list");
            let Some(last) = data.last() else { break };
            after = format!("&after={}", text(&last["id"]));
            seen.extend(data.iter().cloned());
        }
        assert_eq!(seen, all);
        let second = manager.get("/v1/manage/audit?pageSize=3&page=2").await.expect(200);
        assert_eq!((&second["total"], &second["data"]), (&json!(7), &json!(all[3..6])));
    }

    async fn failed_sign_ins_share_audit_entries(hub: Hub) {
        let audit = &hub.context().audit;
        let space = hub.owner.get("/v1/agent/me").await.expect(200)["spaceId"].clone();
        hub.clock.stand_still();
        let account = FailedAccount {
            space: text(&space).parse().expect("an id"),
            human: hiloop::domain::HumanId::new(),
            name: "Ann".to_owned(),
        };
        let from = AuditSource { origin: Some("203.0.113.7".to_owned()), request_id: None };
        for _ in 0..50 {
            audit.sign_in_failed(&from, std::slice::from_ref(&account)).await;
            audit.sign_in_failed(&from, &[]).await;
        }
        audit.flush().await.expect("the store");
        let all = entries(&hub.owner).await;
        let failed: Vec<_> = all.iter().filter(|entry| entry["outcome"] == "failure").collect();
        assert_eq!(failed.len(), 2, "one entry for the account, one for unknown addresses: {failed:?}");
        for entry in &failed {
            assert_eq!((&entry["event"], &entry["actor"]), (&json!("sign_in"), &Value::Null));
            assert_eq!(entry["target"]["attempts"], 50);
        }
        // Entries without a space are visible to owners only.
        let manager = hub.agent("manage").await;
        let failed = entries(&manager).await.iter().filter(|entry| entry["outcome"] == "failure").count();
        assert_eq!(failed, 1);
    }

    async fn failed_sign_ins_are_counted_while_the_store_is_unavailable(hub: Hub) {
        let audit = &hub.context().audit;
        hub.clock.stand_still();
        let from = |origin: &str| AuditSource { origin: Some(origin.to_owned()), request_id: None };
        let database = Database::open(&hub.database_url).await;
        audit.sign_in_failed(&from("203.0.113.1"), &[]).await;
        database.execute("ALTER TABLE audit RENAME TO elsewhere").await;
        for _ in 0..4 {
            // One failure with a stored entry, and one without.
            audit.sign_in_failed(&from("203.0.113.1"), &[]).await;
            audit.sign_in_failed(&from("203.0.113.2"), &[]).await;
        }
        assert!(audit.flush().await.is_err());
        // Their minute is over, and there are later failures of the same origin.
        hub.clock.advance(60_000);
        audit.sign_in_failed(&from("203.0.113.1"), &[]).await;
        assert!(audit.flush().await.is_err());
        database.execute("ALTER TABLE elsewhere RENAME TO audit").await;
        let counts = async || {
            let _ = audit.flush().await;
            let failed = entries(&hub.owner).await.into_iter().filter(|entry| entry["outcome"] == "failure");
            let mut counts: Vec<_> =
                failed.map(|entry| (text(&entry["origin"]).to_owned(), entry["target"]["attempts"].as_i64())).collect();
            counts.sort();
            counts
        };
        let all = [("203.0.113.1", 1), ("203.0.113.1", 5), ("203.0.113.2", 4)];
        let all: Vec<_> = all.iter().map(|(origin, count)| ((*origin).to_owned(), Some(*count))).collect();
        eventually("every failure to be in the store", async || (counts().await == all).then_some(())).await;
    }

    async fn audit_entries_are_kept_for_400_days(hub: Hub) {
        let manager = hub.other_space().await;
        hub.clock.advance(399 * 24 * 60 * 60 * 1000);
        assert!(hub.context().audit.prune().await.expect("the store"));
        assert_eq!(entries(&manager).await.len(), 1);
        hub.clock.advance(2 * 24 * 60 * 60 * 1000);
        eventually("the old ones to be gone", async || hub.context().audit.prune().await.expect("the store").then_some(())).await;
        assert_eq!(entries(&manager).await, Vec::<Value>::new());
    }
}
