//! Section 6: each endpoint for people, whether they have an account or a guest's token.

use super::typing_begins_and_ends;
use crate::support::deployment::name;
use crate::support::hub::{UNKNOWN, answer, ask, at_agent, at_human, at_message, open, say, text};
use crate::support::keys::{Keys, publish};
use crate::support::shapes::{
    column, has_keys, is_event, is_key_entry, is_message, is_page, is_participant, is_session, names_field,
};
use crate::support::socket::End;
use crate::support::{Deployment, on_every_deployment, timeout};
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

fn list(page: &Value) -> &[Value] {
    page["data"].as_array().expect("a list")
}

on_every_deployment! {
    async fn get_v1_human_me(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        for (client, kind, of) in [(hub.human().await, "Human", Value::Null), (hub.guest(&agent, &session).await, "Guest", json!(session))] {
            let me = client.get("/v1/human/me").await.expect(200);
            has_keys(&me, "type id name email role sessionId key expiresAt createdAt");
            assert_eq!((&me["type"], &me["sessionId"], me["email"].is_null()), (&json!(kind), &of, kind == "Guest"));
        }
    }

    async fn put_v1_human_public_key(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        for client in [hub.human().await, hub.guest(&agent, &session).await] {
            let me = client.get("/v1/human/me").await.expect(200);
            assert_eq!(me["key"], Value::Null);
            let made = client.put("/v1/human/public-key", Keys::generate().entry(text(&me["id"]))).await.expect(200);
            is_key_entry(&made);
            assert_eq!(client.get("/v1/human/me").await.expect(200)["key"], made);
        }
    }

    async fn get_v1_human_sessions_id_keys(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        let (keys, id) = publish(&human).await;
        for client in [&human, &guest] {
            let page = client.get(&at_human(&session, "/keys")).await.expect(200);
            is_page(&page);
            assert_eq!((&page["total"], &list(&page)[0]["principalId"]), (&json!(1), &json!(id)));
            assert_eq!(list(&page)[0]["keyId"], keys.id());
        }
        human.get(&at_human(UNKNOWN, "/keys")).await.expect_error(404, "NOT_FOUND");
    }

    async fn v1_human_key_backup(hub: Deployment) {
        const PATH: &str = "/v1/human/key-backup";
        let human = hub.human().await;
        human.get(PATH).await.expect_error(404, "NOT_FOUND");
        human.delete(PATH).await.expect_error(404, "NOT_FOUND");
        let body = r#"{ "keyId":"k",  "blob":"\u00e9","n":1.50, "kdf":{"m":65536}}"#;
        for text in [r#"{"keyId":"the one before"}"#, body] {
            let put = human.raw("PUT", PATH, Some("application/json"), text.into()).await;
            assert_eq!(put.expect(204), Value::Null);
        }
        // Byte for byte.
        assert_eq!(human.stream(PATH).await.text().await.expect("a body"), body);
        let large = |length: usize| format!(r#"{{"blob":"{}"}}"#, "x".repeat(length - 11));
        human.raw("PUT", PATH, Some("application/json"), large(8192).into()).await.expect(204);
        let over = human.raw("PUT", PATH, Some("application/json"), large(8193).into()).await;
        over.expect_error(413, "PAYLOAD_TOO_LARGE");
        for bad in ["", "{}", "[]", "\"text\"", "7"] {
            human.raw("PUT", PATH, Some("application/json"), bad.into()).await.expect_error(400, "VALIDATION_ERROR");
        }
        // Only the human can read it, and guests have none.
        hub.human().await.get(PATH).await.expect_error(404, "NOT_FOUND");
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        guest.get(PATH).await.expect_error(403, "FORBIDDEN");
        guest.put(PATH, json!({ "keyId": "k" })).await.expect_error(403, "FORBIDDEN");
        guest.delete(PATH).await.expect_error(403, "FORBIDDEN");
        human.delete(PATH).await.expect(204);
        human.get(PATH).await.expect_error(404, "NOT_FOUND");
    }

    async fn get_v1_human_feed(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let mut titled = Vec::new();
        for (title, priority, deadline) in [
            ("quiet", None, None), ("low", Some("Low"), None), ("late", Some("High"), Some("2099-02-01T00:00:00.000Z")),
            ("soon", Some("High"), Some("2099-01-01T00:00:00.000Z")), ("busy", None, None),
        ] {
            let session = open(&agent, json!({ "title": title })).await;
            let id = text(&session["id"]).to_owned();
            say(&agent, &id, "hello").await;
            if let Some(priority) = priority {
                let body = json!({ "encryptedContent": "?", "responseRequired": true, "priority": priority, "deadlineAt": deadline });
                agent.post(&at_agent(&id, "/messages"), body).await.expect(201);
            }
            titled.push(id);
        }
        let archived = hub.session(&agent).await;
        agent.post(&at_agent(&archived, "/archive"), json!({})).await.expect(200);
        let feed = human.get("/v1/human/feed").await.expect(200);
        is_page(&feed);
        for entry in list(&feed) {
            has_keys(entry, "session pendingCount unreadCount highestPriority nextDeadlineAt lastMessage");
            is_session(&entry["session"]);
            is_message(&entry["lastMessage"]);
        }
        // Pending first: priority, then the nearest deadline; then the latest activity; archived ones left out.
        let order: Vec<_> = list(&feed).iter().map(|entry| text(&entry["session"]["title"])).collect();
        assert_eq!(order, ["soon", "late", "low", "busy", "quiet"]);
        let (soon, quiet) = (&list(&feed)[0], &list(&feed)[4]);
        assert_eq!((&soon["pendingCount"], &soon["unreadCount"], &soon["highestPriority"]), (&json!(1), &json!(2), &json!("High")));
        assert_eq!((&soon["nextDeadlineAt"], &soon["lastMessage"]["seq"]), (&json!("2099-01-01T00:00:00.000Z"), &json!(3)));
        assert_eq!((&quiet["pendingCount"], &quiet["highestPriority"], &quiet["nextDeadlineAt"]), (&json!(0), &Value::Null, &Value::Null));
    }

    async fn get_v1_human_sessions(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let ids = [hub.session(&agent).await, hub.session(&agent).await];
        open(&agent, json!({ "participants": [] })).await;
        let page = human.get("/v1/human/sessions").await.expect(200);
        is_page(&page);
        list(&page).iter().for_each(is_session);
        assert_eq!(column(&page, "id"), [&*ids[1], &ids[0]]);
        assert_eq!(human.get("/v1/human/sessions?status=Closed").await.expect(200)["total"], 0);
    }

    async fn get_v1_human_sessions_id(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = open(&agent, json!({ "title": "T" })).await;
        assert_eq!(human.get(&at_human(text(&session["id"]), "")).await.expect(200), session);
        human.get(&at_human(UNKNOWN, "")).await.expect_error(404, "NOT_FOUND");
    }

    async fn get_v1_human_sessions_id_timeline(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        say(&agent, &session, "x").await;
        let mine = human.get(&at_human(&session, "/timeline?after=0&limit=1")).await.expect(200);
        has_keys(&mine, "data lastSeq hasMore");
        list(&mine).iter().for_each(is_event);
        assert_eq!((&mine["lastSeq"], &mine["hasMore"]), (&json!(2), &json!(true)));
        let all = human.get(&at_human(&session, "/timeline")).await.expect(200);
        assert_eq!(all, agent.get(&at_agent(&session, "/timeline")).await.expect(200));
        is_page(&human.get(&at_human(&session, "/timeline?page=1")).await.expect(200));
    }

    async fn get_v1_human_sessions_id_messages(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let said = [say(&agent, &session, "1").await, say(&agent, &session, "2").await];
        let page = human.get(&at_human(&session, "/messages")).await.expect(200);
        assert_eq!(page, json!({ "data": said, "total": 2, "page": 1, "pageSize": 20 }));
        let one = human.get(&at_human(&session, &format!("/messages/{}", text(&said[0]["id"])))).await.expect(200);
        assert_eq!(one, said[0]);
    }

    async fn get_v1_human_sessions_id_participants(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let page = human.get(&at_human(&session, "/participants")).await.expect(200);
        is_page(&page);
        list(&page).iter().for_each(is_participant);
        assert_eq!(page["total"], 2);
    }

    async fn post_v1_human_sessions(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let (me, person) = (agent.get("/v1/agent/me").await.expect(200), human.get("/v1/human/me").await.expect(200));
        let body = json!({ "title": "T", "participants": [{ "type": "Agent", "agentId": me["id"] }] });
        let session = human.post("/v1/human/sessions", body.clone()).await.expect(201);
        is_session(&session);
        assert_eq!((&session["createdByHumanId"], &session["createdByAgentId"]), (&person["id"], &Value::Null));
        assert_eq!((&session["spaceId"], &session["title"]), (&me["spaceId"], &json!("T")));
        assert_eq!(agent.get(&at_agent(text(&session["id"]), "")).await.expect(200), session);
        // At least one agent.
        for bad in [json!({}), json!({ "participants": [] }), json!({ "participants": [{ "type": "Human", "email": person["email"] }] })] {
            human.post("/v1/human/sessions", bad).await.expect_error(400, "VALIDATION_ERROR");
        }
        let guest = hub.guest(&agent, text(&session["id"])).await;
        guest.post("/v1/human/sessions", body).await.expect_error(403, "FORBIDDEN");
    }

    async fn get_v1_human_agents(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let human = hub.human().await;
        let page = human.get("/v1/human/agents").await.expect(200);
        is_page(&page);
        let one = list(&page).iter().find(|one| one["id"] == me["id"]).expect("there");
        has_keys(one, "id spaceId name description key createdAt");
        assert!(list(&page).iter().all(|one| one["spaceId"] == me["spaceId"]), "{page}");
        let session = hub.session(&agent).await;
        hub.guest(&agent, &session).await.get("/v1/human/agents").await.expect_error(403, "FORBIDDEN");
    }

    async fn post_v1_human_password(hub: Deployment) {
        let email = format!("{}@example.org", name("ada"));
        let body = json!({ "email": email, "name": "Ada", "password": "correct horse battery" });
        hub.manager.post("/v1/manage/humans", body).await.expect(201);
        let login = async |password: &str| {
            hub.anonymous.post("/v1/auth/login", json!({ "email": email, "password": password })).await
        };
        let client = async |password: &str| {
            let tokens = login(password).await.expect(200);
            hub.with_token(text(&tokens["accessToken"]))
        };
        let (here, there) = (client("correct horse battery").await, client("correct horse battery").await);
        let mut socket = hub.socket(&there).await;
        let change = |current: &str, new: &str| json!({ "current": current, "new": new });
        let wrong = here.post("/v1/human/password", change("not it at all", "a better battery")).await;
        names_field(&wrong.expect_error(403, "FORBIDDEN"), "'current'");
        for new in ["short", "password1", email.to_uppercase().as_str()] {
            let bad = here.post("/v1/human/password", change("correct horse battery", new)).await;
            names_field(&bad.expect_error(400, "VALIDATION_ERROR"), "'new'");
        }
        there.get("/v1/human/me").await.expect(200);
        here.post("/v1/human/password", change("correct horse battery", "a better battery")).await.expect(204);
        // Every other sign-in ends.
        timeout(Duration::from_secs(2), socket.end()).await.expect("within two seconds");
        crate::support::eventually("the end of the other sign-in", async || {
            (there.get("/v1/human/me").await.status == 401).then_some(())
        })
        .await;
        here.get("/v1/human/me").await.expect(200);
        assert_eq!(here.get("/v1/human/sign-ins").await.expect(200)["total"], 1);
        login("correct horse battery").await.expect_error(401, "UNAUTHORIZED");
        login("a better battery").await.expect(200);
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        guest.post("/v1/human/password", change("a", "b")).await.expect_error(403, "FORBIDDEN");
    }

    async fn v1_human_sign_ins(hub: Deployment) {
        let email = format!("{}@example.org", name("ada"));
        let body = json!({ "email": email, "name": "Ada", "password": "correct horse battery" });
        hub.manager.post("/v1/manage/humans", body).await.expect(201);
        let mut clients = Vec::new();
        for agent in ["one/1.0", "two/2.0"] {
            let login = json!({ "email": email, "password": "correct horse battery" });
            let tokens = hub.anonymous.with("user-agent", agent).post("/v1/auth/login", login).await.expect(200);
            clients.push(hub.with_token(text(&tokens["accessToken"])));
        }
        let page = clients[0].get("/v1/human/sign-ins").await.expect(200);
        is_page(&page);
        let mut found: Vec<_> = list(&page).iter().map(|one| (text(&one["userAgent"]), one["current"] == true)).collect();
        found.sort_unstable();
        assert_eq!(found, [("one/1.0", true), ("two/2.0", false)]);
        has_keys(&list(&page)[0], "id createdAt lastUsedAt userAgent current");
        let other = list(&page).iter().find(|one| one["current"] == false).expect("the other");
        let path = format!("/v1/human/sign-ins/{}", text(&other["id"]));
        let mut socket = hub.socket(&clients[1]).await;
        // Another human can't end it.
        hub.human().await.delete(&path).await.expect_error(404, "NOT_FOUND");
        clients[0].delete(&path).await.expect(204);
        clients[0].delete(&path).await.expect_error(404, "NOT_FOUND");
        assert_eq!(timeout(Duration::from_secs(2), socket.end()).await.expect("within two seconds"), End::Code(4403));
        crate::support::eventually("the end of the other sign-in", async || {
            (clients[1].get("/v1/human/me").await.status == 401).then_some(())
        })
        .await;
        assert_eq!(clients[0].get("/v1/human/sign-ins").await.expect(200)["total"], 1);
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        hub.guest(&agent, &session).await.get("/v1/human/sign-ins").await.expect_error(403, "FORBIDDEN");
    }

    async fn post_v1_human_sessions_id_close(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        guest.post(&at_human(&session, "/close"), json!({})).await.expect_error(403, "FORBIDDEN");
        let closed = human.post(&at_human(&session, "/close"), json!({})).await.expect(200);
        is_session(&closed);
        assert_eq!(closed["status"], "Closed");
        assert_eq!(human.post(&at_human(&session, "/close"), json!({})).await.expect(200), closed);
    }

    async fn post_v1_human_sessions_id_messages(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let people = join_all((0..6).map(async |_| hub.human().await)).await;
        let session = hub.session(&agent).await;
        let path = at_human(&session, "/messages");
        let said = people[0].post(&path, json!({ "encryptedComponents": "c", "priority": "High" })).await.expect(201);
        is_message(&said);
        assert_eq!((&said["priority"], &said["status"], &said["responseRequired"]), (&json!("High"), &json!("Completed"), &json!(false)));
        people[0].post(&path, json!({})).await.expect_error(400, "VALIDATION_ERROR");
        // Of several concurrent answers exactly one wins, and the others are not stored.
        let asked = ask(&agent, &session).await;
        let body = json!({ "encryptedContent": "!", "inReplyTo": asked["id"] });
        let replies = join_all(people.iter().map(|person| person.post(&path, body.clone()))).await;
        let (won, lost): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
        assert_eq!((won.len(), lost.len()), (1, 5));
        for reply in lost {
            let error = reply.expect_error(409, "ALREADY_RESPONDED");
            assert_eq!(error["details"]["responseMessageId"], won[0].body["id"]);
        }
        let settled = agent.get(&at_message(&session, &asked, "")).await.expect(200);
        assert_eq!((&settled["status"], &settled["response"]["messageId"]), (&json!("Completed"), &won[0].body["id"]));
        assert_eq!(agent.get(&at_agent(&session, "/messages")).await.expect(200)["total"], 3);
    }

    async fn post_v1_human_sessions_id_typing(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let mut watcher = hub.socket(&agent).await;
        watcher.subscribe(&session, None).await;
        typing_begins_and_ends(&human, &at_human(&session, "/typing"), &mut watcher).await;
    }

    async fn post_v1_human_sessions_id_read(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        say(&agent, &session, "x").await;
        assert_eq!(human.get("/v1/human/feed").await.expect(200)["data"][0]["unreadCount"], 1);
        human.post(&at_human(&session, "/read"), json!({ "seq": 2 })).await.expect(204);
        assert_eq!(human.get("/v1/human/feed").await.expect(200)["data"][0]["unreadCount"], 0);
        let page = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        assert_eq!(list(&page).iter().find(|one| one["type"] == "Human").expect("there")["lastReadSeq"], 2);
        for bad in [json!({}), json!({ "seq": -1 }), json!({ "seq": "2" })] {
            human.post(&at_human(&session, "/read"), bad).await.expect_error(400, "VALIDATION_ERROR");
        }
    }

    async fn a_guest_has_the_same_routes_and_sees_one_session(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let (session, other) = (hub.session(&agent).await, hub.session(&agent).await);
        let guest = hub.guest(&agent, &session).await;
        for path in ["/v1/human/feed", "/v1/human/sessions"] {
            assert_eq!(guest.get(path).await.expect(200)["total"], 1, "{path}");
        }
        for rest in ["", "/timeline", "/messages", "/participants"] {
            guest.get(&at_human(&session, rest)).await.expect(200);
            guest.get(&at_human(&other, rest)).await.expect_error(404, "NOT_FOUND");
        }
        guest.post(&at_human(&session, "/typing"), json!({})).await.expect(204);
        guest.post(&at_human(&session, "/read"), json!({ "seq": 1 })).await.expect(204);
        let asked = ask(&agent, &session).await;
        answer(&guest, &session, &asked).await;
        let settled = agent.get(&at_message(&session, &asked, "")).await.expect(200);
        assert_eq!(settled["response"]["respondedBy"]["type"], "Guest");
    }

    async fn a_get_never_settles_anything(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        for rest in ["", "/messages", "/timeline", "/participants", &format!("/messages/{}", text(&asked["id"]))] {
            human.get(&at_human(&session, rest)).await.expect(200);
        }
        human.get("/v1/human/feed").await.expect(200);
        human.get(&at_human(&session, &format!("/messages/{}/respond", text(&asked["id"])))).await.expect_error(404, "NOT_FOUND");
        assert_eq!(agent.get(&at_message(&session, &asked, "")).await.expect(200), asked);
    }
}
