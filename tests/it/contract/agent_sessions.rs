//! Section 5: sessions of an agent, and its participants and guests.

use super::{goes_once, list, typing_begins_and_ends};
use crate::support::hub::{SESSIONS, UNKNOWN, ask, at_agent, at_human, at_message, open, say, text};
use crate::support::shapes::{column, has_keys, is_event, is_id, is_page, is_participant, is_session, is_time};
use crate::support::{Client, Deployment, Socket, on_every_deployment, timeout};
use serde_json::{Value, json};
use std::time::Duration;

/// The participant of this type.
async fn the(agent: &Client, session: &str, kind: &str) -> Value {
    let page = agent.get(&at_agent(session, "/participants")).await.expect(200);
    list(&page).iter().find(|one| one["type"] == kind).expect("there").clone()
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
}
