//! Section 5: each endpoint for agents, for those who manage, and for those who provision.

use super::typing_begins_and_ends;
use crate::support::deployment::name;
use crate::support::hub::{SESSIONS, UNKNOWN, answer, ask, at_agent, at_human, at_message, open, say, text};
use crate::support::keys::{Keys, publish};
use crate::support::shapes::{
    column, has_keys, is_event, is_id, is_key_entry, is_message, is_page, is_participant, is_session, is_time,
    names_field,
};
use crate::support::{Client, Deployment, Socket, on_every_deployment, timeout};
use serde_json::{Value, json};
use std::time::Duration;

fn list(page: &Value) -> &[Value] {
    page["data"].as_array().expect("a list")
}

/// The participant of this type.
async fn the(agent: &Client, session: &str, kind: &str) -> Value {
    let page = agent.get(&at_agent(session, "/participants")).await.expect(200);
    list(&page).iter().find(|one| one["type"] == kind).expect("there").clone()
}

/// How far a delete of something reaches: what is there goes with 204, once.
async fn goes_once(client: &Client, path: &str) {
    client.delete(path).await.expect(204);
    client.delete(path).await.expect_error(404, "NOT_FOUND");
}

on_every_deployment! {
    async fn post_v1_agent_sessions(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let other = hub.agent("agent").await.get("/v1/agent/me").await.expect(200);
        let named = hub.agent("agent").await.get("/v1/agent/me").await.expect(200);
        let (ada, bob) = (hub.human().await, hub.human().await);
        let (ada, bob) = (ada.get("/v1/human/me").await.expect(200), bob.get("/v1/human/me").await.expect(200));
        hub.human().await;
        let body = json!({
            "title": "T", "encryptedTitle": "E", "priority": "Low", "metadata": { "k": "v" },
            "participants": [
                { "type": "Agent", "agentId": other["id"] }, { "type": "Agent", "name": named["name"] },
                { "type": "Human", "humanId": ada["id"] }, { "type": "Human", "email": text(&bob["email"]).to_uppercase() },
            ],
        });
        let session = open(&agent, body).await;
        is_session(&session);
        assert_eq!((&session["title"], &session["priority"], &session["metadata"]), (&json!("T"), &json!("Low"), &json!({ "k": "v" })));
        assert_eq!(session["encryptedTitle"], json!({ "ciphertext": "E", "wrappings": [] }));
        assert_eq!((&session["status"], &session["lastSeq"], &session["pendingCount"]), (&json!("Active"), &json!(1), &json!(0)));
        let people = agent.get(&at_agent(text(&session["id"]), "/participants")).await.expect(200);
        assert_eq!(people["total"], 5);
        for who in [&other, &named, &ada, &bob] {
            assert!(column(&people, "name").contains(&text(&who["name"]).to_owned()), "{who} in {people}");
        }
        for (named, status) in [
            (json!({ "type": "Human" }), 400), (json!({ "type": "Guest", "name": "g" }), 400), (json!("Ada"), 400),
            (json!({ "type": "Agent", "name": "nobody" }), 404), (json!({ "type": "Human", "humanId": UNKNOWN }), 404),
        ] {
            assert_eq!(agent.post(SESSIONS, json!({ "participants": [named] })).await.status, status, "{named}");
        }
    }

    async fn get_v1_agent_sessions(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(hub.session(&agent).await);
        }
        say(&agent, &ids[0], "again").await;
        agent.post(&at_agent(&ids[1], "/close"), json!({})).await.expect(200);
        agent.post(&at_agent(&ids[2], "/archive"), json!({})).await.expect(200);
        let listed = async |query: &str| {
            let page = agent.get(&format!("{SESSIONS}{query}")).await.expect(200);
            is_page(&page);
            list(&page).iter().for_each(is_session);
            column(&page, "id")
        };
        // Newest activity first; archived only when asked for.
        assert_eq!(listed("").await, [&*ids[1], &ids[0], &ids[3]]);
        assert_eq!(listed("?status=Active").await, [&*ids[0], &ids[3]]);
        assert_eq!(listed("?status=Closed").await, [&*ids[1]]);
        assert_eq!(listed("?status=Archived").await, [&*ids[2]]);
        assert_eq!(listed("?page=2&pageSize=2").await, [&*ids[3]]);
        agent.get(&format!("{SESSIONS}?status=open")).await.expect_error(400, "VALIDATION_ERROR");
    }

    async fn get_v1_agent_sessions_id(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = open(&agent, json!({ "title": "T" })).await;
        assert_eq!(agent.get(&at_agent(text(&session["id"]), "")).await.expect(200), session);
        agent.get(&at_agent(UNKNOWN, "")).await.expect_error(404, "NOT_FOUND");
    }

    async fn patch_v1_agent_sessions_id(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = open(&agent, json!({ "title": "T", "metadata": { "a": 1 } })).await;
        let path = at_agent(text(&session["id"]), "");
        let changed = agent.patch(&path, json!({ "priority": "High", "encryptedTitle": "E" })).await.expect(200);
        is_session(&changed);
        assert_eq!((&changed["title"], &changed["metadata"]), (&json!("T"), &json!({ "a": 1 })));
        assert_eq!((&changed["priority"], &changed["encryptedTitle"]["ciphertext"]), (&json!("High"), &json!("E")));
        let cleared = agent.patch(&path, json!({ "title": null, "encryptedTitle": null, "metadata": null })).await.expect(200);
        for key in ["title", "encryptedTitle", "metadata"] {
            assert_eq!(cleared[key], Value::Null, "{key}");
        }
        agent.patch(&path, json!({ "priority": 1 })).await.expect_error(400, "VALIDATION_ERROR");
    }

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
        let heard = waiter.await.expect("no panic");
        is_message(&heard["message"]);
        assert_eq!((&heard["message"], &heard["lastSeq"]), (&said, &said["seq"]));
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

    async fn get_v1_agent_sessions_id_timeline(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        for index in 0..4 {
            say(&agent, &session, &format!("{index}")).await;
        }
        let path = at_agent(&session, "/timeline");
        let seqs = |page: &Value| list(page).iter().map(|event| event["seq"].as_i64().expect("a seq")).collect::<Vec<_>>();
        let all = agent.get(&path).await.expect(200);
        has_keys(&all, "data lastSeq hasMore");
        list(&all).iter().for_each(is_event);
        assert_eq!((seqs(&all), &all["lastSeq"], &all["hasMore"]), (vec![1, 2, 3, 4, 5], &json!(5), &json!(false)));
        let some = agent.get(&format!("{path}?after=1&limit=2")).await.expect(200);
        assert_eq!((seqs(&some), &some["lastSeq"], &some["hasMore"]), (vec![2, 3], &json!(5), &json!(true)));
        let page = agent.get(&format!("{path}?page=2&pageSize=3")).await.expect(200);
        is_page(&page);
        assert_eq!((seqs(&page), &page["total"]), (vec![4, 5], &json!(5)));
        for query in ["after=-1", "limit=0", "limit=1001"] {
            agent.get(&format!("{path}?{query}")).await.expect_error(400, "VALIDATION_ERROR");
        }
    }

    async fn post_v1_agent_sessions_id_close(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let closed = agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        is_session(&closed);
        assert_eq!((&closed["status"], &closed["pendingCount"]), (&json!("Closed"), &json!(0)));
        is_time(&closed["closedAt"]);
        assert_eq!(agent.get(&at_message(&session, &asked, "")).await.expect(200)["status"], "Cancelled");
        agent.post(&at_agent(&session, "/messages"), json!({ "encryptedContent": "x" })).await.expect_error(409, "SESSION_CLOSED");
        assert_eq!(agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200), closed);
    }

    async fn post_v1_agent_sessions_id_archive(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let archived = agent.post(&at_agent(&session, "/archive"), json!({})).await.expect(200);
        is_session(&archived);
        assert_eq!((&archived["status"], &archived["pendingCount"]), (&json!("Archived"), &json!(0)));
        is_time(&archived["archivedAt"]);
        assert_eq!(agent.get(&at_message(&session, &asked, "")).await.expect(200)["status"], "Cancelled");
        assert_eq!(agent.post(&at_agent(&session, "/archive"), json!({})).await.expect(200), archived);
        agent.post(&at_agent(&session, "/messages"), json!({ "encryptedContent": "x" })).await.expect_error(409, "SESSION_CLOSED");
    }

    async fn post_v1_agent_sessions_id_participants(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let path = at_agent(&session, "/participants");
        let person = hub.human().await.get("/v1/human/me").await.expect(200);
        let other = hub.agent("agent").await.get("/v1/agent/me").await.expect(200);
        let added = agent.post(&path, json!({ "type": "Human", "humanId": person["id"], "role": "approver" })).await.expect(201);
        is_participant(&added);
        assert_eq!((&added["humanId"], &added["role"]), (&person["id"], &json!("approver")));
        assert_eq!(agent.post(&path, json!({ "type": "Human", "email": person["email"] })).await.expect(200), added);
        let named = agent.post(&path, json!({ "type": "Agent", "name": other["name"] })).await.expect(201);
        assert_eq!((&named["agentId"], &named["type"]), (&other["id"], &json!("Agent")));
        assert_eq!(agent.post(&path, json!({ "type": "Agent", "agentId": other["id"] })).await.expect(200), named);
        agent.post(&path, json!({ "type": "Guest", "name": "g" })).await.expect_error(400, "VALIDATION_ERROR");
        agent.post(&path, json!({ "type": "Agent", "agentId": UNKNOWN })).await.expect_error(404, "NOT_FOUND");
    }

    async fn get_v1_agent_sessions_id_participants(hub: Deployment) {
        let agent = hub.agent("agent").await;
        hub.human().await;
        let session = hub.session(&agent).await;
        let page = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        is_page(&page);
        list(&page).iter().for_each(is_participant);
        assert_eq!(page["total"], 2);
    }

    async fn delete_v1_agent_sessions_id_participants_id(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let one = the(&agent, &session, "Human").await;
        let mut socket = hub.socket(&human).await;
        socket.subscribe(&session, None).await;
        goes_once(&agent, &at_agent(&session, &format!("/participants/{}", text(&one["id"])))).await;
        let ended = timeout(Duration::from_secs(2), socket.find("unsubscribed")).await.expect("within two seconds");
        assert_eq!(ended["sessionId"], json!(session));
        human.get(&at_human(&session, "")).await.expect_error(404, "NOT_FOUND");
    }

    async fn post_v1_agent_sessions_id_guest_tokens(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let path = at_agent(&session, "/guest-tokens");
        let made = agent.post(&path, json!({ "name": "Visitor", "expiresInSeconds": 60 })).await.expect(201);
        has_keys(&made, "id token url expiresAt participant");
        is_id(&made["id"]);
        is_time(&made["expiresAt"]);
        is_participant(&made["participant"]);
        assert_eq!((&made["participant"]["guestId"], &made["participant"]["name"]), (&made["id"], &json!("Visitor")));
        let (address, fragment) = text(&made["url"]).split_once('#').expect("a fragment");
        assert!(fragment.contains(text(&made["token"])) && !address.contains("hlg_"), "{}", made["url"]);
        agent.post(&path, json!({ "expiresInSeconds": 2_592_000 })).await.expect(201);
        for bad in [59, 2_592_001] {
            agent.post(&path, json!({ "expiresInSeconds": bad })).await.expect_error(400, "VALIDATION_ERROR");
        }
    }

    async fn delete_v1_agent_sessions_id_guest_tokens_id(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let made = agent.post(&at_agent(&session, "/guest-tokens"), json!({})).await.expect(201);
        goes_once(&agent, &at_agent(&session, &format!("/guest-tokens/{}", text(&made["id"])))).await;
    }

    async fn get_v1_agent_sessions_id_guest_tokens(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let path = at_agent(&session, "/guest-tokens");
        let made = agent.post(&path, json!({ "name": "Priya" })).await.expect(201);
        let page = agent.get(&path).await.expect(200);
        is_page(&page);
        let entry = &list(&page)[0];
        has_keys(entry, "id name createdBy createdAt expiresAt lastUsedAt");
        has_keys(&entry["createdBy"], "type id name keyId");
        assert_eq!((&entry["id"], &entry["expiresAt"]), (&made["id"], &made["expiresAt"]));
        hub.agent("agent").await.get(&path).await.expect_error(404, "NOT_FOUND");
    }

    async fn post_v1_agent_sessions_id_typing(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let mut watcher: Socket = hub.socket(&human).await;
        watcher.subscribe(&session, None).await;
        typing_begins_and_ends(&agent, &at_agent(&session, "/typing"), &mut watcher).await;
        agent.post(&at_agent(&session, "/typing"), json!({ "typing": 1 })).await.expect_error(400, "VALIDATION_ERROR");
    }

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
        let entry = Keys::new().entry(text(&me["id"]));
        let made = agent.put("/v1/agent/public-key", entry.clone()).await.expect(200);
        is_key_entry(&made);
        for field in ["publicKey", "signingKey", "keyId", "proof"] {
            assert_eq!(made[field], entry[field]);
        }
        assert_eq!(agent.get("/v1/agent/me").await.expect(200)["key"], made);
        // The same again is the same.
        assert_eq!(agent.put("/v1/agent/public-key", entry).await.expect(200), made);
        let other = Keys::new().entry(text(&me["id"]));
        agent.put("/v1/agent/public-key", other).await.expect_error(409, "KEY_EXISTS");
        for field in ["publicKey", "signingKey", "keyId", "proof"] {
            let mut entry = Keys::new().entry(text(&me["id"]));
            entry[field] = json!("AAAA");
            let error = agent.put("/v1/agent/public-key", entry).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, &format!("'{field}'"));
        }
        // A key with `space` that acts as this agent does not publish for it.
        let space = hub.agent("space").await.with("x-hiloop", text(&me["name"]));
        assert_eq!(space.get("/v1/agent/me").await.expect(200)["id"], me["id"]);
        let entry = Keys::new().entry_instead(text(&me["id"]));
        space.put("/v1/agent/public-key", entry).await.expect_error(403, "FORBIDDEN");
        assert_eq!(agent.get("/v1/agent/me").await.expect(200)["key"], made);
    }

    async fn get_v1_agent_sessions_id_keys(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let (first, id) = publish(&agent).await;
        let second = Keys::new();
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

    async fn put_v1_manage_attestations_id(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let (keys, id) = publish(&agent).await;
        let path = format!("/v1/manage/attestations/{id}");
        let signature = keys.sign(b"whatever: the hub does not know the owner's key");
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
        other["keyId"] = json!(Keys::new().id());
        hub.manager.put(&path, other).await.expect_error(409, "CONFLICT");
        hub.other_space().await.put(&path, body.clone()).await.expect_error(404, "NOT_FOUND");
        hub.agent("space").await.put(&path, body.clone()).await.expect_error(403, "FORBIDDEN");
        hub.manager.put(&format!("/v1/manage/attestations/{UNKNOWN}"), body).await.expect_error(404, "NOT_FOUND");
        // Another key has none.
        let second = Keys::new();
        let changed = agent.put("/v1/agent/public-key", second.entry_after(&keys, &id)).await.expect(200);
        assert_eq!(changed["attestation"], Value::Null);
    }

    async fn get_v1_agent_humans(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let person = hub.human().await.get("/v1/human/me").await.expect(200);
        let page = agent.get("/v1/agent/humans").await.expect(200);
        is_page(&page);
        let one = json!({ "id": person["id"], "name": person["name"], "key": null });
        assert_eq!(page["data"], json!([one]));
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
        // Nobody creates a key above their own permission.
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
        // Without a password the link lets them choose one, once.
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
        // The ones before it are void.
        let set_up = |token: String| json!({ "token": token, "password": "correct horse battery" });
        for void in [token(&human), token(&first)] {
            hub.anonymous.post("/v1/auth/setup", set_up(void)).await.expect_error(401, "UNAUTHORIZED");
        }
        let tokens = hub.anonymous.post("/v1/auth/setup", set_up(token(&second))).await.expect(200);
        let before = hub.with_token(text(&tokens["accessToken"]));
        let mut socket = hub.socket(&before).await;
        // When one is used, every sign-in of before ends.
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
