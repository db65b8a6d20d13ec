//! API keys and guest tokens: the principal that they act as, who created them, and what ends with them.

use crate::support::hub::{UNKNOWN, at_agent, at_human, open, text};
use crate::support::shapes::{column, has_keys, is_id, is_time};
use crate::support::socket::End;
use crate::support::{Client, Hub, Socket, eventually, on_both_engines, timeout};
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

/// Time within which live connections must end (contract section 2), with a margin.
const SOON: Duration = Duration::from_millis(2500);

/// A key with its record.
async fn key(hub: &Hub, manager: &Client, body: Value) -> (Value, Client) {
    let key = manager.post("/v1/manage/keys", body).await.expect(201);
    let client = hub.anonymous().with("x-api-key", text(&key["apiKey"]));
    (key, client)
}

async fn guest(hub: &Hub, agent: &Client, session: &str, name: &str) -> (Value, Client) {
    let guest = agent.post(&at_agent(session, "/guest-tokens"), json!({ "name": name })).await.expect(201);
    let client = hub.anonymous().with("authorization", &format!("Bearer {}", text(&guest["token"])));
    (guest, client)
}

fn at_key(key: &Value, query: &str) -> String {
    format!("/v1/manage/keys/{}{query}", text(&key["id"]))
}

async fn ends(mut socket: Socket) {
    let end = timeout(SOON, socket.end()).await.expect("the socket ends in time");
    assert_eq!(end, End::Code(4403));
}

on_both_engines! {
    async fn a_key_with_agent_acts_only_as_its_own_agent(hub: Hub) {
        let (victim, payroll) = key(&hub, &hub.owner, json!({ "permission": "agent", "agent": "payroll" })).await;
        let session = hub.session(&payroll).await;
        let (own, intern) = key(&hub, &hub.owner, json!({ "permission": "agent", "agent": "intern" })).await;
        for name in ["intern", text(&own["agentId"])] {
            let me = intern.with("x-hiloop", name).get("/v1/agent/me").await.expect(200);
            assert_eq!(me["id"], own["agentId"]);
        }
        let before = hub.owner.get("/v1/manage/agents?pageSize=100").await.expect(200);
        for other in ["payroll", text(&victim["agentId"]), "Intern", "new-one", UNKNOWN] {
            let as_other = intern.with("x-hiloop", other);
            as_other.get("/v1/agent/me").await.expect_error(403, "FORBIDDEN");
            as_other.get(&at_agent(&session, "")).await.expect_error(403, "FORBIDDEN");
            as_other.post(&at_agent(&session, "/guest-tokens"), json!({})).await.expect_error(403, "FORBIDDEN");
            let mut socket = Socket::try_open(&hub.anonymous()).await.expect("it opens");
            socket.send(json!({ "type": "auth", "token": intern.secret(), "agent": other })).await;
            assert_eq!(socket.end().await, End::Code(4401), "{other}");
        }
        intern.with("x-hiloop", "two words").get("/v1/agent/me").await.expect_error(400, "VALIDATION_ERROR");
        assert_eq!(hub.owner.get("/v1/manage/agents?pageSize=100").await.expect(200), before, "nothing is created");
        let mut socket = Socket::try_open(&hub.anonymous()).await.expect("it opens");
        socket.send(json!({ "type": "auth", "token": intern.secret(), "agent": "intern" })).await;
        assert_eq!(socket.expect("hello").await["principal"]["id"], own["agentId"]);
    }

    async fn a_key_with_space_acts_as_any_agent_of_its_space(hub: Hub) {
        let space = hub.agent("space").await;
        let made = space.with("x-hiloop", "fresh").get("/v1/agent/me").await.expect(200);
        assert_eq!(made["name"], "fresh");
        let again = space.with("x-hiloop", text(&made["id"])).get("/v1/agent/me").await.expect(200);
        assert_eq!(again["id"], made["id"]);
        space.with("x-hiloop", UNKNOWN).get("/v1/agent/me").await.expect_error(404, "NOT_FOUND");
        let foreign = hub.other_space().await.get("/v1/agent/me").await.expect(200);
        space.with("x-hiloop", text(&foreign["id"])).get("/v1/agent/me").await.expect_error(404, "NOT_FOUND");
    }

    async fn deactivating_an_agent_revokes_its_keys(hub: Hub) {
        let (record, client) = key(&hub, &hub.owner, json!({ "permission": "space", "agent": "leaver" })).await;
        let acting = client.with("x-hiloop", "somebody-else");
        acting.get("/v1/agent/me").await.expect(200);
        let (socket, other) = (hub.socket(&client).await, hub.socket(&acting).await);
        hub.owner.delete(&format!("/v1/manage/agents/{}", text(&record["agentId"]))).await.expect(204);
        client.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        acting.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        client.with("x-hiloop", "new-name").get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        ends(socket).await;
        ends(other).await;
        let keys = hub.owner.get("/v1/manage/keys?pageSize=100").await.expect(200);
        assert!(!column(&keys, "id").contains(&text(&record["id"]).to_owned()), "{keys}");
        let audit = hub.owner.get("/v1/manage/audit?pageSize=100").await.expect(200);
        let of = |event: &str, id: &Value| {
            let entries = audit["data"].as_array().expect("a list");
            entries.iter().any(|entry| entry["event"] == event && entry["target"]["id"] == *id)
        };
        assert!(of("key.revoked", &record["id"]) && of("agent.deactivated", &record["agentId"]), "{audit}");
    }

    async fn a_key_of_higher_permission_cannot_be_revoked(hub: Hub) {
        let manager = hub.agent("manage").await;
        let (record, owner) = key(&hub, &hub.owner, json!({ "permission": "owner", "agent": "boss" })).await;
        for query in ["", "?cascade=true", "?cascade=false"] {
            manager.delete(&at_key(&record, query)).await.expect_error(403, "FORBIDDEN");
        }
        manager.delete(&at_key(&record, "?cascade=perhaps")).await.expect_error(400, "VALIDATION_ERROR");
        let agent = format!("/v1/manage/agents/{}", text(&record["agentId"]));
        manager.delete(&agent).await.expect_error(403, "FORBIDDEN");
        owner.get("/v1/agent/me").await.expect(200);
        // Not through a cascade from another key either.
        let (_, middle) = key(&hub, &hub.owner, json!({ "permission": "owner" })).await;
        let (made, _) = key(&hub, &middle, json!({ "permission": "manage" })).await;
        manager.delete(&at_key(&made, "?cascade=true")).await.expect(204);
        owner.delete(&at_key(&record, "")).await.expect(204);
        owner.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
    }

    async fn the_last_owner_key_cannot_be_revoked(hub: Hub) {
        let keys = hub.owner.get("/v1/manage/keys?pageSize=100").await.expect(200);
        let owner = keys["data"].as_array().expect("a list").iter().find(|key| key["permission"] == "owner");
        let owner = owner.expect("the first key").clone();
        let (short, _) = key(&hub, &hub.owner, json!({ "permission": "owner", "expiresInSeconds": 60 })).await;
        hub.clock.advance(61_000);
        hub.owner.delete(&at_key(&owner, "")).await.expect_error(409, "CONFLICT");
        hub.owner.delete(&at_key(&owner, "?cascade=true")).await.expect_error(409, "CONFLICT");
        let agent = format!("/v1/manage/agents/{}", text(&owner["agentId"]));
        hub.owner.delete(&agent).await.expect_error(409, "CONFLICT");
        // An expired owner key may be revoked.
        hub.owner.delete(&at_key(&short, "")).await.expect(204);
        // An owner key with an expiry does not count as the last one.
        let (passing, _) = key(&hub, &hub.owner, json!({ "permission": "owner", "expiresInSeconds": 3600 })).await;
        hub.owner.delete(&at_key(&owner, "")).await.expect_error(409, "CONFLICT");
        hub.owner.delete(&at_key(&passing, "")).await.expect(204);
        let others: Vec<_> = join_all((0..3).map(|_| key(&hub, &hub.owner, json!({ "permission": "owner" })))).await;
        let mut racers: Vec<_> = others.iter().map(|(record, client)| (record.clone(), client.clone())).collect();
        racers.push((owner, hub.owner.clone()));
        // Owners revoke each other's keys concurrently.
        let paths: Vec<_> = racers.iter().map(|(record, _)| at_key(record, "")).collect();
        let ring = (0..racers.len()).map(|index| racers[index].1.delete(&paths[(index + 1) % paths.len()]));
        let statuses: Vec<_> = join_all(ring).await.into_iter().map(|reply| reply.status).collect();
        let mut alive = 0;
        for (_, client) in &racers {
            alive += usize::from(client.get("/v1/agent/me").await.status == 200);
        }
        assert!(alive >= 1, "{statuses:?}");
    }

    async fn a_cascade_revokes_all_descendants_of_a_key(hub: Hub) {
        let (stolen, thief) = key(&hub, &hub.owner, json!({ "permission": "manage", "agent": "thief" })).await;
        let (child, second) = key(&hub, &thief, json!({ "permission": "manage", "agent": "second" })).await;
        let (_, third) = key(&hub, &second, json!({ "permission": "agent", "agent": "third" })).await;
        let session = hub.session(&third).await;
        let (_, visitor) = guest(&hub, &third, &session, "Visitor").await;
        let (_, bystander) = key(&hub, &hub.owner, json!({ "permission": "agent", "agent": "bystander" })).await;
        let sockets = [hub.socket(&third).await, hub.socket(&visitor).await];
        // A revoked intermediate key does not hide its descendants.
        thief.delete(&at_key(&child, "")).await.expect(204);
        third.get("/v1/agent/me").await.expect(200);
        visitor.get(&at_human(&session, "")).await.expect(200);

        hub.owner.delete(&at_key(&stolen, "?cascade=true")).await.expect(204);
        for client in [&thief, &second, &third] {
            client.get("/v1/agent/me").await.expect_error(401, "UNAUTHORIZED");
        }
        visitor.get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        for socket in sockets {
            ends(socket).await;
        }
        bystander.get("/v1/agent/me").await.expect(200);
        let participants = hub.owner.get(&at_agent(&session, "/participants")).await.expect(200);
        assert!(!column(&participants, "name").contains(&"Visitor".to_owned()), "{participants}");
        hub.owner.delete(&at_key(&stolen, "?cascade=true")).await.expect_error(404, "NOT_FOUND");
    }

    async fn without_a_cascade_descendants_of_a_key_stay_valid(hub: Hub) {
        let (parent, manager) = key(&hub, &hub.owner, json!({ "permission": "manage", "agent": "parent" })).await;
        let (_, child) = key(&hub, &manager, json!({ "permission": "agent", "agent": "child" })).await;
        hub.owner.delete(&at_key(&parent, "")).await.expect(204);
        child.get("/v1/agent/me").await.expect(200);
    }

    async fn keys_show_their_creator_and_last_use(hub: Hub) {
        let manager = hub.agent("manage").await;
        let me = manager.get("/v1/agent/me").await.expect(200);
        let (record, client) = key(&hub, &manager, json!({ "permission": "agent", "agent": "made" })).await;
        has_keys(&record, "id apiKey permission agentId prefix createdBy lastUsedAt expiresAt createdAt");
        has_keys(&record["createdBy"], "type id name keyId");
        is_id(&record["createdBy"]["keyId"]);
        assert_eq!((&record["createdBy"]["type"], &record["createdBy"]["id"]), (&json!("Agent"), &me["id"]));
        assert_eq!(record["lastUsedAt"], Value::Null);
        let listed = async || {
            let page = hub.owner.get("/v1/manage/keys?pageSize=100").await.expect(200);
            let keys = page["data"].as_array().expect("a list").clone();
            keys.into_iter().find(|key| key["id"] == record["id"]).expect("it is listed")
        };
        assert_eq!(listed().await["lastUsedAt"], Value::Null);
        client.get("/v1/agent/me").await.expect(200);
        let used = listed().await;
        is_time(&used["lastUsedAt"]);
        assert!(text(&used["lastUsedAt"]).ends_with(":00.000Z"), "to the minute: {used}");
        assert_eq!(used["createdBy"], record["createdBy"]);
        hub.clock.advance(60_000);
        // The cache of a key expires within a second, and its next use is recorded.
        eventually("a later minute", async || {
            client.get("/v1/agent/me").await.expect(200);
            (listed().await["lastUsedAt"] != used["lastUsedAt"]).then_some(())
        })
        .await;
        // The first key of a hub has no creator key.
        let keys = hub.owner.get("/v1/manage/keys?pageSize=1").await.expect(200);
        assert_eq!(keys["data"][0]["createdBy"], json!({ "type": "System", "id": null, "name": "Command line", "keyId": null }));
    }

    async fn guest_tokens_are_listed_without_secrets(hub: Hub) {
        let (_, agent) = key(&hub, &hub.owner, json!({ "permission": "agent", "agent": "host" })).await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let session = hub.session(&agent).await;
        let (made, visitor) = guest(&hub, &agent, &session, "Priya").await;
        let path = at_agent(&session, "/guest-tokens");
        let page = agent.get(&path).await.expect(200);
        assert_eq!(page["total"], 1);
        let entry = &page["data"][0];
        has_keys(entry, "id name createdBy createdAt expiresAt lastUsedAt");
        assert_eq!((&entry["id"], &entry["name"], &entry["lastUsedAt"]), (&made["id"], &json!("Priya"), &Value::Null));
        assert_eq!((&entry["createdBy"]["id"], &entry["expiresAt"]), (&me["id"], &made["expiresAt"]));
        visitor.get("/v1/human/me").await.expect(200);
        is_time(&agent.get(&path).await.expect(200)["data"][0]["lastUsedAt"]);
        let outsider = hub.agent("agent").await;
        outsider.get(&path).await.expect_error(404, "NOT_FOUND");
        agent.delete(&format!("{path}/{}", text(&made["id"]))).await.expect(204);
        assert_eq!(agent.get(&path).await.expect(200)["total"], 0);
    }

    async fn creating_an_existing_space_returns_it_without_a_key(hub: Hub) {
        let name = hub.name("space");
        let made = hub.owner.post("/v1/manage/spaces", json!({ "name": name })).await.expect(201);
        let keyed = hub.owner.with("idempotency-key", "again");
        for replayed in [None, Some("true")] {
            let reply = keyed.post("/v1/manage/spaces", json!({ "name": name })).await;
            assert_eq!(reply.header("idempotent-replayed"), replayed);
            let found = reply.expect(200);
            assert_eq!((&found["id"], &found["apiKey"]), (&made["id"], &Value::Null));
        }
        // The creator of a space's first key is not revealed to the space.
        let manager = hub.anonymous().with("x-api-key", text(&made["apiKey"]));
        let first = manager.get("/v1/manage/keys").await.expect(200)["data"][0].clone();
        assert_eq!(first["createdBy"], json!({ "type": "System", "id": null, "name": "Owner of the hub", "keyId": null }));
        hub.owner.delete(&format!("/v1/manage/spaces/{}", text(&made["id"]))).await.expect(204);
        hub.owner.post("/v1/manage/spaces", json!({ "name": name })).await.expect_error(409, "CONFLICT");
    }
}

on_both_engines! {
    async fn a_space_is_limited_to_its_quota_of_agents_and_humans(engine: Engine) {
        let hub = Hub::start_with(engine, &["--space-agents", "5", "--space-humans", "3"], |_| {}).await;
        let manager = hub.other_space().await;
        let spare = manager.with("x-hiloop", "first");
        spare.get("/v1/agent/me").await.expect(200);
        let (_, provisioner) = key(&hub, &manager, json!({ "permission": "provision" })).await;
        // Two exist; the quota is three, in whichever way they are created.
        let ways = join_all((0..12).map(async |number| {
            let name = format!("agent-{number}");
            match number % 4 {
                0 => manager.post("/v1/manage/agents", json!({ "name": name })).await,
                1 => manager.post("/v1/manage/keys", json!({ "permission": "agent", "agent": name })).await,
                2 => provisioner.post("/v1/provision/agents", json!({ "name": name })).await,
                _ => manager.with("x-hiloop", &name).get("/v1/agent/me").await,
            }
        }))
        .await;
        let (made, refused): (Vec<_>, Vec<_>) = ways.into_iter().partition(|reply| reply.status < 400);
        assert_eq!(made.len(), 3);
        for reply in refused {
            assert_eq!(reply.expect_error(409, "LIMIT_REACHED")["details"], json!({ "limit": 5 }));
        }
        let agents = manager.get("/v1/manage/agents").await.expect(200);
        assert_eq!(agents["total"], 5);
        // Existing ones continue to work, and a deactivated one makes room.
        manager.post("/v1/manage/keys", json!({ "permission": "agent", "agent": "first" })).await.expect(201);
        spare.get("/v1/agent/me").await.expect(200);
        let gone = agents["data"].as_array().expect("a list").iter().find(|agent| agent["name"] == "first");
        manager.delete(&format!("/v1/manage/agents/{}", text(&gone.expect("there")["id"]))).await.expect(204);
        manager.post("/v1/manage/agents", json!({ "name": "late" })).await.expect(201);

        let person = |number: usize| json!({ "email": format!("p{number}@example.org"), "name": "P" });
        let people = join_all((0..6).map(async |n| manager.post("/v1/manage/humans", person(n)).await)).await;
        assert_eq!(people.iter().filter(|reply| reply.status == 201).count(), 3);
        let refused = people.into_iter().find(|reply| reply.status != 201).expect("one too many");
        assert_eq!(refused.expect_error(409, "LIMIT_REACHED")["details"], json!({ "limit": 3 }));
        // The quota of one space does not affect another.
        let other = hub.other_space().await;
        other.post("/v1/manage/agents", json!({ "name": "free" })).await.expect(201);
        open(&other, json!({})).await;
    }
}
