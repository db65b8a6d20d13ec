//! A session from its creation to its close.

use super::types;
use crate::support::hub::{SESSIONS, UNKNOWN, ask, at_agent, at_human, at_message, open, say, text};
use crate::support::on_both_engines;
use crate::support::shapes::{column, has_keys, is_event, is_page, is_participant, is_session, is_time, names_field};
use futures::future::join_all;
use hiloop::domain::people::Role;
use hiloop::store::NewHuman;
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_both_engines! {
    async fn a_session_without_participants_gets_every_human_of_the_space(hub: Hub) {
        let agent = hub.agent("agent").await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let human = hub.human().await.get("/v1/human/me").await.expect(200);
        let session = open(&agent, json!({})).await;
        is_session(&session);
        assert_eq!((&session["spaceId"], &session["createdByAgentId"]), (&me["spaceId"], &me["id"]));
        for key in ["createdByHumanId", "title", "encryptedTitle", "metadata", "closedAt", "archivedAt"] {
            assert!(session[key].is_null(), "{key} in {session}");
        }
        assert_eq!((&session["status"], &session["priority"]), (&json!("Active"), &json!("Medium")));
        assert_eq!((&session["lastSeq"], &session["pendingCount"]), (&json!(1), &json!(0)));
        let id = text(&session["id"]);
        assert_eq!(agent.get(&at_agent(id, "")).await.expect(200), session);
        let people = agent.get(&at_agent(id, "/participants")).await.expect(200);
        is_page(&people);
        people["data"].as_array().expect("a list").iter().for_each(is_participant);
        assert_eq!(column(&people, "type"), ["Agent", "Human"]);
        assert_eq!(people["data"][1]["humanId"], human["id"]);
        // The first participants are part of `session.created`.
        let events = agent.get(&at_agent(id, "/timeline")).await.expect(200);
        has_keys(&events, "data lastSeq hasMore");
        let first = &events["data"][0];
        is_event(first);
        assert_eq!((&first["type"], &first["seq"], &first["sessionId"]), (&json!("session.created"), &json!(1), &json!(id)));
        assert_eq!(first["actor"], json!({ "type": "Agent", "id": me["id"], "name": me["name"] }));
        assert_eq!(first["data"]["participants"], people["data"]);
        assert_eq!((&events["lastSeq"], &events["hasMore"]), (&json!(1), &json!(false)));
    }

    async fn a_session_has_the_fields_of_its_creation(hub: Hub) {
        let agent = hub.agent("agent").await;
        let title = json!({ "scheme": "x", "ciphertext": "t\u{0}é😀", "wrappings": [{ "b": 1, "a": 2 }], "more": null });
        let body = json!({
            "title": "Release 🎉", "encryptedTitle": title, "priority": "Urgent",
            "metadata": { "z": 1, "a": [null, "\u{0}"] }, "participants": [], "unknown": "ignored",
        });
        let session = open(&agent, body).await;
        is_session(&session);
        assert_eq!((&session["title"], &session["priority"]), (&json!("Release 🎉"), &json!("Urgent")));
        assert_eq!(session["encryptedTitle"].to_string(), title.to_string());
        assert_eq!(session["metadata"].to_string(), r#"{"z":1,"a":[null,"\u0000"]}"#);
        let plain = open(&agent, json!({ "encryptedTitle": "just text" })).await;
        assert_eq!(plain["encryptedTitle"], json!({ "ciphertext": "just text", "wrappings": [] }));
        open(&agent, json!({ "title": "x".repeat(200) })).await;
        for (body, field) in [
            (json!({ "title": "x".repeat(201) }), "title"),
            (json!({ "title": "a\nb" }), "title"),
            (json!({ "title": "a\u{0}b" }), "title"),
            (json!({ "title": 1 }), "title"),
            (json!({ "encryptedTitle": 1 }), "encryptedTitle"),
            (json!({ "encryptedTitle": { "ciphertext": "x" } }), "encryptedTitle"),
            (json!({ "priority": "urgent" }), "priority"),
            (json!({ "metadata": [] }), "metadata"),
            (json!({ "metadata": { "x": "y".repeat(4096) } }), "metadata"),
            (json!({ "participants": {} }), "participants"),
        ] {
            let error = agent.post(SESSIONS, body).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, &format!("'{field}"));
        }
    }

    async fn a_session_has_the_named_participants(hub: Hub) {
        let agent = hub.agent("agent").await;
        let second = hub.agent("agent").await.get("/v1/agent/me").await.expect(200);
        let third = hub.agent("agent").await.get("/v1/agent/me").await.expect(200);
        let (ada, bob) = (hub.human().await.get("/v1/human/me").await.expect(200), hub.human().await.get("/v1/human/me").await.expect(200));
        hub.human().await;
        let shouted = text(&bob["email"]).to_uppercase();
        let named = json!([
            { "type": "Agent", "agentId": second["id"], "role": "checker" },
            { "type": "Agent", "name": third["name"] },
            { "type": "Human", "humanId": ada["id"] },
            { "type": "Human", "email": shouted },
            { "type": "Human", "humanId": ada["id"], "role": "twice" },
        ]);
        let session = open(&agent, json!({ "participants": named })).await;
        let id = text(&session["id"]);
        let people = agent.get(&at_agent(id, "/participants")).await.expect(200);
        assert_eq!(people["total"], 5, "{people}");
        let found: BTreeSet<_> = column(&people, "name").into_iter().collect();
        let me = agent.get("/v1/agent/me").await.expect(200);
        let wanted = [&me, &second, &third, &ada, &bob].map(|who| text(&who["name"]).to_owned());
        assert_eq!(found, BTreeSet::from(wanted));
        let role = people["data"].as_array().expect("a list").iter().find(|p| p["agentId"] == second["id"]).expect("there");
        assert_eq!(role["role"], "checker");
        // No participant except its agent.
        let alone = open(&agent, json!({ "participants": [] })).await;
        let people = agent.get(&at_agent(text(&alone["id"]), "/participants")).await.expect(200);
        assert_eq!(column(&people, "type"), ["Agent"]);

        let foreigner = hub.other_space().await;
        let foreign_human = hub.human_of(&foreigner).await.get("/v1/human/me").await.expect(200);
        let foreign_agent = foreigner.get("/v1/agent/me").await.expect(200);
        for (named, status, code) in [
            (json!({ "type": "Human", "humanId": UNKNOWN }), 404, "NOT_FOUND"),
            (json!({ "type": "Human", "humanId": foreign_human["id"] }), 404, "NOT_FOUND"),
            (json!({ "type": "Human", "email": foreign_human["email"] }), 404, "NOT_FOUND"),
            (json!({ "type": "Agent", "agentId": foreign_agent["id"] }), 404, "NOT_FOUND"),
            (json!({ "type": "Agent", "name": "nobody" }), 404, "NOT_FOUND"),
            (json!({ "type": "Human" }), 400, "VALIDATION_ERROR"),
            (json!({ "type": "Agent" }), 400, "VALIDATION_ERROR"),
            (json!({ "type": "Guest", "name": "g" }), 400, "VALIDATION_ERROR"),
            (json!({ "type": "Robot", "name": "g" }), 400, "VALIDATION_ERROR"),
            (json!({ "agentId": second["id"] }), 400, "VALIDATION_ERROR"),
            (json!({ "type": "Human", "humanId": "no-id" }), 400, "VALIDATION_ERROR"),
            (json!({ "type": "Human", "humanId": ada["id"], "role": "a\nb" }), 400, "VALIDATION_ERROR"),
            (json!("Ada"), 400, "VALIDATION_ERROR"),
        ] {
            let body = json!({ "participants": [{ "type": "Human", "humanId": ada["id"] }, named] });
            let reply = agent.post(SESSIONS, body).await;
            let error = reply.expect_error(status, code);
            if status == 400 {
                names_field(&error, "participants[1]");
            }
        }
    }

    async fn participants_are_required_in_a_space_of_more_than_500_humans(hub: Hub) {
        let context = hub.context();
        let manager = hub.other_space().await;
        let space = text(&manager.get("/v1/agent/me").await.expect(200)["spaceId"]).parse().expect("an id");
        let now = context.clock.now();
        let create = async |email: &str| {
            let new = NewHuman { space, email, name: "H", role: Role::Member, password_hash: None };
            context.store.create_human(&new, now).await.expect("the store").expect("new")
        };
        let emails: Vec<_> = (0..500).map(|index| format!("h{index}@example.org")).collect();
        // In small groups, since each has a timeout.
        for some in emails.chunks(20) {
            join_all(some.iter().map(|email| create(email))).await;
        }
        let session = open(&manager, json!({})).await;
        let people = manager.get(&at_agent(text(&session["id"]), "/participants?pageSize=1")).await.expect(200);
        assert_eq!(people["total"], 501);
        let one_more = create("one@example.org").await;
        let error = manager.post(SESSIONS, json!({})).await.expect_error(400, "VALIDATION_ERROR");
        names_field(&error, "'participants'");
        let named = json!({ "participants": [{ "type": "Human", "humanId": one_more.id }] });
        open(&manager, named).await;
        // And can be.
        let by_email = |email: &str| json!({ "type": "Human", "email": email });
        let everyone: Vec<_> = emails.iter().map(String::as_str).chain(["one@example.org"]).map(by_email).collect();
        let session = open(&manager, json!({ "participants": everyone })).await;
        let people = manager.get(&at_agent(text(&session["id"]), "/participants?pageSize=1")).await.expect(200);
        assert_eq!(people["total"], 502);
        let too_many = vec![by_email("one@example.org"); 1001];
        let refused = manager.post(SESSIONS, json!({ "participants": too_many })).await;
        names_field(&refused.expect_error(400, "VALIDATION_ERROR"), "'participants'");
    }

    async fn a_patch_changes_only_the_given_fields(hub: Hub) {
        let agent = hub.agent("agent").await;
        let body = json!({ "title": "a", "encryptedTitle": "b", "priority": "High", "metadata": { "c": 1 } });
        let session = open(&agent, body).await;
        let path = at_agent(text(&session["id"]), "");
        hub.clock.advance(1000);
        let changed = agent.patch(&path, json!({ "title": "A" })).await.expect(200);
        is_session(&changed);
        for key in ["encryptedTitle", "priority", "metadata", "createdAt", "status"] {
            assert_eq!(changed[key], session[key], "{key}");
        }
        assert_eq!((&changed["title"], &changed["lastSeq"]), (&json!("A"), &json!(2)));
        assert!(text(&changed["updatedAt"]) > text(&session["updatedAt"]));
        let nulls = json!({ "title": null, "encryptedTitle": null, "metadata": null });
        let cleared = agent.patch(&path, nulls).await.expect(200);
        for key in ["title", "encryptedTitle", "metadata"] {
            assert!(cleared[key].is_null(), "{key}");
        }
        assert_eq!(cleared["priority"], "High");
        let all = json!({ "title": "T", "encryptedTitle": "E", "priority": "Low", "metadata": {} });
        let set = agent.patch(&path, all).await.expect(200);
        assert_eq!((&set["priority"], &set["metadata"]), (&json!("Low"), &json!({})));
        assert_eq!(agent.get(&path).await.expect(200), set);
        let updated = types(&agent, text(&session["id"])).await;
        assert_eq!(updated, ["session.created", "session.updated", "session.updated", "session.updated"]);
        for (body, field) in [
            (json!({ "title": "x".repeat(201) }), "title"),
            (json!({ "title": "\u{1b}" }), "title"),
            (json!({ "priority": "None" }), "priority"),
            (json!({ "metadata": "x" }), "metadata"),
            (json!({ "encryptedTitle": [] }), "encryptedTitle"),
        ] {
            let error = agent.patch(&path, body).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, &format!("'{field}'"));
        }
        assert_eq!(agent.get(&path).await.expect(200), set);
        agent.patch(&at_agent(UNKNOWN, ""), json!({ "title": "x" })).await.expect_error(404, "NOT_FOUND");
    }

    async fn a_closed_session_refuses_changes(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let asked = [ask(&agent, &session).await, ask(&agent, &session).await];
        say(&agent, &session, "x").await;
        hub.clock.advance(1000);
        let closed = agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        is_session(&closed);
        is_time(&closed["closedAt"]);
        assert_eq!((&closed["status"], &closed["pendingCount"]), (&json!("Closed"), &json!(0)));
        assert!(closed["archivedAt"].is_null());
        let events = types(&agent, &session).await;
        assert_eq!(events[4..], ["message.cancelled", "message.cancelled", "session.closed"]);
        for asked in &asked {
            assert_eq!(agent.get(&at_message(&session, asked, "")).await.expect(200)["status"], "Cancelled");
        }
        // A repetition changes nothing, not even the timestamp.
        hub.clock.advance(1000);
        assert_eq!(agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200), closed);
        let body = json!({ "encryptedContent": "x" });
        agent.post(&at_agent(&session, "/messages"), body.clone()).await.expect_error(409, "SESSION_CLOSED");
        human.post(&at_human(&session, "/messages"), body.clone()).await.expect_error(409, "SESSION_CLOSED");
        let mut socket = hub.socket(&human).await;
        let frame = json!({ "type": "send", "sessionId": session, "encryptedContent": "x" });
        assert_eq!(socket.ask(frame).await["error"]["code"], "SESSION_CLOSED");

        let archived = agent.post(&at_agent(&session, "/archive"), json!({})).await.expect(200);
        is_session(&archived);
        is_time(&archived["archivedAt"]);
        assert_eq!((&archived["status"], &archived["closedAt"]), (&json!("Archived"), &closed["closedAt"]));
        hub.clock.advance(1000);
        assert_eq!(agent.post(&at_agent(&session, "/archive"), json!({})).await.expect(200), archived);
        assert_eq!(agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200), archived);
        agent.post(&at_agent(&session, "/messages"), body).await.expect_error(409, "SESSION_CLOSED");
        assert_eq!(types(&agent, &session).await.len(), 8);
        assert_eq!(agent.get(&at_agent(&session, "")).await.expect(200), archived);
        assert_eq!(agent.get(SESSIONS).await.expect(200)["total"], 0);
        // Archiving an open session cancels its pending messages too.
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let archived = agent.post(&at_agent(&session, "/archive"), json!({})).await.expect(200);
        assert_eq!((&archived["status"], &archived["pendingCount"]), (&json!("Archived"), &json!(0)));
        assert_eq!(agent.get(&at_message(&session, &asked, "")).await.expect(200)["status"], "Cancelled");

        // A human may close a session; a guest may not.
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        guest.post(&at_human(&session, "/close"), json!({})).await.expect_error(403, "FORBIDDEN");
        let closed = human.post(&at_human(&session, "/close"), json!({})).await.expect(200);
        assert_eq!(closed["status"], "Closed");
        assert_eq!(human.post(&at_human(&session, "/close"), json!({})).await.expect(200), closed);
    }

    async fn a_human_opens_a_session(hub: Hub) {
        let agent = hub.agent("agent").await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let second = hub.agent("agent").await.get("/v1/agent/me").await.expect(200);
        let human = hub.human().await;
        let person = human.get("/v1/human/me").await.expect(200);
        let colleague = hub.human().await.get("/v1/human/me").await.expect(200);
        let body = json!({
            "title": "Help",
            "participants": [
                { "type": "Agent", "agentId": me["id"] },
                { "type": "Agent", "name": second["name"] },
                { "type": "Human", "email": colleague["email"] },
            ],
        });
        let session = human.post("/v1/human/sessions", body).await.expect(201);
        is_session(&session);
        assert_eq!((&session["createdByHumanId"], &session["createdByAgentId"]), (&person["id"], &Value::Null));
        assert_eq!(session["spaceId"], me["spaceId"]);
        let id = text(&session["id"]);
        let people = human.get(&at_human(id, "/participants")).await.expect(200);
        let found: BTreeSet<_> = column(&people, "name").into_iter().collect();
        let wanted = [&me, &second, &person, &colleague].map(|who| text(&who["name"]).to_owned());
        assert_eq!(found, BTreeSet::from(wanted));
        assert_eq!(agent.get(&at_agent(id, "")).await.expect(200), session);
        assert_eq!(human.get(&at_human(id, "")).await.expect(200), session);
        let events = human.get(&at_human(id, "/timeline")).await.expect(200);
        assert_eq!(events["data"][0]["actor"], json!({ "type": "Human", "id": person["id"], "name": person["name"] }));
        let asked = ask(&agent, id).await;
        let answer = json!({ "encryptedContent": "!", "inReplyTo": asked["id"] });
        human.post(&at_human(id, "/messages"), answer).await.expect(201);

        let foreign = hub.other_space().await;
        let foreign_agent = foreign.get("/v1/agent/me").await.expect(200);
        let foreign_human = hub.human_of(&foreign).await.get("/v1/human/me").await.expect(200);
        let own = json!({ "type": "Agent", "agentId": me["id"] });
        for (participants, status, code) in [
            (Value::Null, 400, "VALIDATION_ERROR"),
            (json!([]), 400, "VALIDATION_ERROR"),
            (json!([{ "type": "Human", "email": colleague["email"] }]), 400, "VALIDATION_ERROR"),
            (json!([{ "type": "Agent" }]), 400, "VALIDATION_ERROR"),
            (json!([{ "type": "Agent", "agentId": UNKNOWN }]), 404, "NOT_FOUND"),
            (json!([{ "type": "Agent", "agentId": foreign_agent["id"] }]), 404, "NOT_FOUND"),
            (json!([{ "type": "Agent", "name": "nobody" }]), 404, "NOT_FOUND"),
            (json!([own, { "type": "Human", "humanId": foreign_human["id"] }]), 404, "NOT_FOUND"),
            (json!([own, { "type": "Guest", "name": "x" }]), 400, "VALIDATION_ERROR"),
        ] {
            let body = json!({ "participants": participants });
            human.post("/v1/human/sessions", body).await.expect_error(status, code);
        }
        let error = human.post("/v1/human/sessions", json!({})).await.expect_error(400, "VALIDATION_ERROR");
        names_field(&error, "'participants'");

        // A name refers to the agent of their own space.
        let ours = hub.owner.post("/v1/manage/agents", json!({ "name": "twin" })).await.expect(201);
        foreign.post("/v1/manage/agents", json!({ "name": "twin" })).await.expect(201);
        let twin = json!({ "participants": [{ "type": "Agent", "name": "twin" }] });
        let session = human.post("/v1/human/sessions", twin).await.expect(201);
        assert_eq!(session["spaceId"], me["spaceId"]);
        let people = human.get(&at_human(text(&session["id"]), "/participants")).await.expect(200);
        assert_eq!(people["data"][1]["agentId"], ours["id"]);
        let agents = human.get("/v1/human/agents?pageSize=100").await.expect(200);
        assert_eq!(column(&agents, "name").iter().filter(|name| *name == "twin").count(), 1);
    }
}
