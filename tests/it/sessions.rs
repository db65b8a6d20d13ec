//! Every row of sessions over HTTP: what an agent does, what people see and do, and what a retry gets.

use crate::support::hub::{SESSIONS, UNKNOWN, ask, at_agent, at_human, at_message, open, say, text};
use crate::support::keys::{Keys, publish};
use crate::support::shapes::{
    column, has_keys, is_event, is_id, is_message, is_page, is_participant, is_session, is_time, names_field,
};
use crate::support::{Client, Events, Hub, PATIENCE, Socket, Stopwatch, eventually, on_both_engines, timeout};
use futures::future::join_all;
use hiloop::domain::people::Role;
use hiloop::domain::{SessionId, Timestamp};
use hiloop::store::NewHuman;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub async fn types(client: &Client, session: &str) -> Vec<String> {
    let events = client.get(&at_agent(session, "/timeline?limit=1000")).await.expect(200);
    events["data"].as_array().expect("a list").iter().for_each(is_event);
    column(&events, "type")
}

fn id_of(session: &str) -> SessionId {
    session.parse().expect("an id")
}

pub async fn watched(hub: &Hub, session: &str, wanted: bool) {
    let session = id_of(session);
    eventually("somebody to wait, or nobody", async || (hub.context().hub.is_watched(session) == wanted).then_some(()))
        .await;
}

on_both_engines! {
    async fn a_session_opens_with_everyone_of_its_space(hub: Hub) {
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
        // The first ones stand in the first event.
        let events = agent.get(&at_agent(id, "/timeline")).await.expect(200);
        has_keys(&events, "data lastSeq hasMore");
        let first = &events["data"][0];
        is_event(first);
        assert_eq!((&first["type"], &first["seq"], &first["sessionId"]), (&json!("session.created"), &json!(1), &json!(id)));
        assert_eq!(first["actor"], json!({ "type": "Agent", "id": me["id"], "name": me["name"] }));
        assert_eq!(first["data"]["participants"], people["data"]);
        assert_eq!((&events["lastSeq"], &events["hasMore"]), (&json!(1), &json!(false)));
    }

    async fn a_session_keeps_what_it_is_opened_with(hub: Hub) {
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

    async fn a_session_opens_with_those_who_are_named(hub: Hub) {
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
        // Nobody at all besides its agent.
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

    async fn a_space_of_more_than_500_humans_must_name_them(hub: Hub) {
        let context = hub.context();
        let manager = hub.other_space().await;
        let space = text(&manager.get("/v1/agent/me").await.expect(200)["spaceId"]).parse().expect("an id");
        let now = context.clock.now();
        let create = async |email: &str| {
            let new = NewHuman { space, email, name: "H", role: Role::Member, password_hash: None };
            context.store.create_human(&new, now).await.expect("the store").expect("new")
        };
        let emails: Vec<_> = (0..500).map(|index| format!("h{index}@example.org")).collect();
        // A few at a time, since each waits only so long for its turn.
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

    async fn sessions_are_listed_by_activity(hub: Hub) {
        let agent = hub.agent("agent").await;
        let mut ids = Vec::new();
        for index in 0..5 {
            let session = open(&agent, json!({ "title": format!("s{index}") })).await;
            ids.push(text(&session["id"]).to_owned());
            hub.clock.advance(1000);
        }
        say(&agent, &ids[1], "again").await;
        hub.clock.advance(1000);
        agent.post(&at_agent(&ids[2], "/close"), json!({})).await.expect(200);
        hub.clock.advance(1000);
        agent.post(&at_agent(&ids[3], "/archive"), json!({})).await.expect(200);
        let listed = async |query: &str| {
            let page = agent.get(&format!("{SESSIONS}{query}")).await.expect(200);
            is_page(&page);
            page["data"].as_array().expect("a list").iter().for_each(is_session);
            (column(&page, "title"), page["total"].as_i64().expect("a total"))
        };
        let own = |titles: &[&str]| titles.iter().map(|title| (*title).to_owned()).collect::<Vec<_>>();
        assert_eq!(listed("").await, (own(&["s2", "s1", "s4", "s0"]), 4));
        assert_eq!(listed("?pageSize=3&page=2").await, (own(&["s0"]), 4));
        assert_eq!(listed("?pageSize=3&page=99").await, (own(&[]), 4));
        assert_eq!(listed("?status=Active").await, (own(&["s1", "s4", "s0"]), 3));
        assert_eq!(listed("?status=Closed").await, (own(&["s2"]), 1));
        assert_eq!(listed("?status=Archived").await, (own(&["s3"]), 1));
        let human = hub.human().await;
        assert_eq!(human.get("/v1/human/sessions").await.expect(200)["total"], 0, "they came too late");
        for query in ["?status=active", "?status=", "?page=0", "?page=x", "?pageSize=0", "?pageSize=101", "?page=-1"] {
            let reply = agent.get(&format!("{SESSIONS}{query}")).await;
            let error = reply.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, query.trim_start_matches('?').split('=').next().expect("a name"));
        }
        // What an agent takes no part in it does not see; a key for the space sees all.
        let outsider = hub.agent("agent").await;
        assert_eq!(outsider.get(SESSIONS).await.expect(200)["total"], 0);
        assert_eq!(hub.agent("space").await.get(SESSIONS).await.expect(200)["total"], 4);
        assert_eq!(hub.other_space().await.get(SESSIONS).await.expect(200)["total"], 0);
    }

    async fn who_may_not_see_a_session_is_told_that_there_is_none(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let message = ask(&agent, &session).await;
        let other = hub.session(&agent).await;
        let guest = hub.guest(&agent, &other).await;
        let foreigner = hub.other_space().await;
        let outsiders = [hub.agent("agent").await, hub.agent_of(&foreigner, "space").await, foreigner.clone()];
        let message_path = at_message(&session, &message, "");
        for client in &outsiders {
            for path in ["", "/messages", "/timeline", "/participants", "/events"] {
                client.get(&at_agent(&session, path)).await.expect_error(404, "NOT_FOUND");
            }
            client.get(&message_path).await.expect_error(404, "NOT_FOUND");
            client.get(&format!("{message_path}/await?timeout=0")).await.expect_error(404, "NOT_FOUND");
            client.patch(&at_agent(&session, ""), json!({ "title": "mine" })).await.expect_error(404, "NOT_FOUND");
            for path in ["/close", "/archive", "/typing", "/guest-tokens"] {
                client.post(&at_agent(&session, path), json!({})).await.expect_error(404, "NOT_FOUND");
            }
            client.post(&format!("{message_path}/cancel"), json!({})).await.expect_error(404, "NOT_FOUND");
            client.post(&at_agent(&session, "/messages"), json!({ "encryptedContent": "x" })).await.expect_error(404, "NOT_FOUND");
            let me = client.get("/v1/agent/me").await.expect(200);
            let body = json!({ "type": "Agent", "agentId": me["id"] });
            client.post(&at_agent(&session, "/participants"), body).await.expect_error(404, "NOT_FOUND");
        }
        let late = hub.human().await;
        for client in [&guest, &late, &hub.human_of(&foreigner).await] {
            for path in ["", "/messages", "/timeline", "/participants", "/events"] {
                client.get(&at_human(&session, path)).await.expect_error(404, "NOT_FOUND");
            }
            let answer = json!({ "encryptedContent": "!", "inReplyTo": message["id"] });
            client.post(&at_human(&session, "/messages"), answer).await.expect_error(404, "NOT_FOUND");
            client.post(&at_human(&session, "/typing"), json!({})).await.expect_error(404, "NOT_FOUND");
            client.post(&at_human(&session, "/read"), json!({ "seq": 1 })).await.expect_error(404, "NOT_FOUND");
        }
        assert_eq!(agent.get(&message_path).await.expect(200)["status"], "Pending");
        // A key for the space acts on every session of it, without taking part.
        let whole = hub.agent("space").await;
        let said = say(&whole, &session, "from above").await;
        assert_eq!(whole.get(&at_message(&session, &said, "")).await.expect(200), said);
        // Ids that are none.
        agent.get(&at_agent("not-an-id", "")).await.expect_error(400, "VALIDATION_ERROR");
        agent.get(&at_agent(&session, "/messages/x")).await.expect_error(400, "VALIDATION_ERROR");
        agent.get(&at_agent(UNKNOWN, "")).await.expect_error(404, "NOT_FOUND");
        // A message of one session is none of another.
        agent.get(&at_message(&other, &message, "")).await.expect_error(404, "NOT_FOUND");
        agent.post(&at_message(&other, &message, "/cancel"), json!({})).await.expect_error(404, "NOT_FOUND");
    }

    async fn a_patch_changes_what_it_names(hub: Hub) {
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

    async fn messages_are_kept_and_listed(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let session = hub.session(&agent).await;
        let plain = say(&agent, &session, "hello\u{0}").await;
        is_message(&plain);
        assert_eq!(plain["encryptedContent"], json!({ "ciphertext": "hello\u{0}", "wrappings": [] }));
        assert_eq!((&plain["seq"], &plain["senderType"], &plain["senderAgentId"]), (&json!(2), &json!("Agent"), &me["id"]));
        assert_eq!((&plain["senderName"], &plain["status"]), (&me["name"], &json!("Completed")));
        assert_eq!((&plain["priority"], &plain["responseRequired"]), (&json!("Medium"), &json!(false)));
        for key in ["senderHumanId", "senderGuestId", "encryptedComponents", "deadlineAt", "inReplyTo", "response"] {
            assert!(plain[key].is_null(), "{key} in {plain}");
        }
        let deadline = hub.context().clock.now().plus_seconds(3600);
        let body = json!({
            "encryptedComponents": { "ciphertext": "c", "wrappings": [] }, "responseRequired": true,
            "priority": "High", "deadlineAt": deadline, "inReplyTo": plain["id"],
        });
        let asked = agent.post(&at_agent(&session, "/messages"), body).await.expect(201);
        is_message(&asked);
        assert_eq!((&asked["status"], &asked["deadlineAt"]), (&json!("Pending"), &json!(deadline)));
        assert_eq!((&asked["priority"], &asked["inReplyTo"]), (&json!("High"), &plain["id"]));
        assert!(asked["encryptedContent"].is_null());
        // Another offset, finer than a millisecond: the same moment in UTC.
        let body = json!({ "encryptedContent": "x", "deadlineAt": "2099-01-01T02:00:00.1239+02:00" });
        let late = agent.post(&at_agent(&session, "/messages"), body).await.expect(201);
        assert_eq!(late["deadlineAt"], "2099-01-01T00:00:00.123Z");
        let reply = human.post(&at_human(&session, "/messages"), json!({ "encryptedContent": "hi", "priority": "Low" })).await.expect(201);
        is_message(&reply);
        let person = human.get("/v1/human/me").await.expect(200);
        assert_eq!((&reply["senderType"], &reply["senderHumanId"]), (&json!("Human"), &person["id"]));
        assert_eq!((&reply["priority"], &reply["status"]), (&json!("Low"), &json!("Completed")));

        for (client, at) in [(&agent, at_agent as fn(&str, &str) -> String), (&human, at_human)] {
            let all = client.get(&at(&session, "/messages")).await.expect(200);
            is_page(&all);
            assert_eq!(all["data"], json!([plain, asked, late, reply]));
            let second = client.get(&at(&session, "/messages?page=2&pageSize=3")).await.expect(200);
            assert_eq!(second, json!({ "data": [reply], "total": 4, "page": 2, "pageSize": 3 }));
            let beyond = client.get(&at(&session, "/messages?page=3&pageSize=3")).await.expect(200);
            assert_eq!((&beyond["data"], &beyond["total"]), (&json!([]), &json!(4)));
            client.get(&at(&session, "/messages?pageSize=101")).await.expect_error(400, "VALIDATION_ERROR");
            let one = client.get(&at(&session, &format!("/messages/{}", text(&asked["id"])))).await.expect(200);
            assert_eq!(one, asked);
            client.get(&at(&session, &format!("/messages/{UNKNOWN}"))).await.expect_error(404, "NOT_FOUND");
        }
        let path = at_agent(&session, "/messages");
        for (body, field) in [
            (json!({}), "encryptedContent"),
            (json!({ "encryptedContent": null }), "encryptedContent"),
            (json!({ "encryptedContent": 1 }), "encryptedContent"),
            (json!({ "encryptedComponents": [] }), "encryptedComponents"),
            (json!({ "encryptedContent": "x", "priority": "medium" }), "priority"),
            (json!({ "encryptedContent": "x", "responseRequired": "yes" }), "responseRequired"),
            (json!({ "encryptedContent": "x", "deadlineAt": "tomorrow" }), "deadlineAt"),
            (json!({ "encryptedContent": "x", "deadlineAt": "2020-01-01T00:00:00Z" }), "deadlineAt"),
            (json!({ "encryptedContent": "x", "responseRequired": true, "deadlineAt": "2020-01-01T00:00:00Z" }), "deadlineAt"),
            (json!({ "encryptedContent": "x", "inReplyTo": "x" }), "inReplyTo"),
        ] {
            let error = agent.post(&path, body).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, &format!("'{field}'"));
        }
        let nothing = json!({ "encryptedContent": "x", "inReplyTo": UNKNOWN });
        agent.post(&path, nothing).await.expect_error(404, "NOT_FOUND");
        assert_eq!(agent.get(&path).await.expect(200)["total"], 4, "nothing of a refused message is stored");
    }

    async fn an_answer_settles_a_message(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let person = human.get("/v1/human/me").await.expect(200);
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        assert_eq!(agent.get(&at_agent(&session, "")).await.expect(200)["pendingCount"], 1);
        // An agent's own reply is a reference, not an answer.
        let body = json!({ "encryptedContent": "still there?", "inReplyTo": asked["id"] });
        agent.post(&at_agent(&session, "/messages"), body).await.expect(201);
        // A GET never settles anything.
        human.get(&at_human(&session, &format!("/messages/{}", text(&asked["id"])))).await.expect(200);
        assert_eq!(agent.get(&at_message(&session, &asked, "")).await.expect(200), asked);
        hub.clock.advance(1000);
        let body = json!({ "encryptedContent": "yes", "encryptedComponents": "c", "inReplyTo": asked["id"] });
        let answer = human.post(&at_human(&session, "/messages"), body).await.expect(201);
        is_message(&answer);
        assert_eq!(answer["inReplyTo"], asked["id"]);
        let settled = agent.get(&at_message(&session, &asked, "")).await.expect(200);
        is_message(&settled);
        assert_eq!(settled["status"], "Completed");
        assert!(text(&settled["updatedAt"]) > text(&asked["updatedAt"]));
        let response = &settled["response"];
        has_keys(response, "messageId respondedBy respondedAt outcome encryptedContent encryptedComponents");
        assert_eq!(response["messageId"], answer["id"]);
        assert_eq!(response["respondedBy"], json!({ "type": "Human", "id": person["id"], "name": person["name"] }));
        is_time(&response["respondedAt"]);
        assert_eq!((&response["encryptedContent"], &response["encryptedComponents"]), (&answer["encryptedContent"], &answer["encryptedComponents"]));
        assert_eq!(agent.get(&at_agent(&session, "")).await.expect(200)["pendingCount"], 0);
        let events = agent.get(&at_agent(&session, "/timeline?after=3")).await.expect(200);
        assert_eq!(column(&events, "type"), ["message.created", "message.completed"]);
        assert_eq!(events["data"][0]["data"], json!({ "message": answer }));
        assert_eq!(events["data"][1]["data"], json!({ "messageId": asked["id"], "response": response }));

        let second = human.post(&at_human(&session, "/messages"), json!({ "encryptedContent": "no", "inReplyTo": asked["id"] })).await;
        let error = second.expect_error(409, "ALREADY_RESPONDED");
        assert_eq!(error["details"], json!({
            "responseMessageId": answer["id"], "respondedBy": response["respondedBy"], "respondedAt": response["respondedAt"],
        }));
        // A guest answers as well, as a person without an account.
        let guest = hub.guest(&agent, &session).await;
        let asked = ask(&agent, &session).await;
        let body = json!({ "encryptedContent": "me", "inReplyTo": asked["id"] });
        let answer = guest.post(&at_human(&session, "/messages"), body).await.expect(201);
        assert_eq!((&answer["senderType"], &answer["senderHumanId"]), (&json!("Human"), &Value::Null));
        is_id(&answer["senderGuestId"]);
        let settled = agent.get(&at_message(&session, &asked, "")).await.expect(200);
        assert_eq!(settled["response"]["respondedBy"]["type"], "Guest");
        human.post(&at_human(&session, "/messages"), json!({})).await.expect_error(400, "VALIDATION_ERROR");
    }

    async fn a_wait_ends_when_the_message_settles(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let plain = say(&agent, &session, "nothing to wait for").await;
        let started = Stopwatch::start();
        assert_eq!(agent.get(&at_message(&session, &plain, "/await")).await.expect(200), plain);
        assert!(started.elapsed() < Duration::from_secs(5));

        let mut socket = hub.socket(&human).await;
        for by_socket in [false, true] {
            let asked = ask(&agent, &session).await;
            let path = at_message(&session, &asked, "/await?timeout=55");
            let waiters: Vec<_> = (0..3).map(|_| {
                let (agent, path) = (agent.clone(), path.clone());
                tokio::spawn(async move { agent.get(&path).await.expect(200) })
            }).collect();
            watched(&hub, &session, true).await;
            let started = Stopwatch::start();
            if by_socket {
                let frame = json!({ "type": "send", "sessionId": session, "encryptedContent": "!", "inReplyTo": asked["id"] });
                assert_eq!(socket.ask(frame).await["type"], "sent");
            } else {
                let answer = json!({ "encryptedContent": "!", "inReplyTo": asked["id"] });
                human.post(&at_human(&session, "/messages"), answer).await.expect(201);
            }
            for waiter in waiters {
                let message = waiter.await.expect("no panic");
                assert_eq!((&message["status"], &message["id"]), (&json!("Completed"), &asked["id"]));
                assert!(message["response"].is_object());
            }
            assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
            // Settled, it answers every later wait at once too.
            let started = Stopwatch::start();
            assert_eq!(agent.get(&path).await.expect(200)["status"], "Completed");
            assert!(started.elapsed() < Duration::from_secs(5));
        }
        for end in ["cancel", "close"] {
            let asked = ask(&agent, &session).await;
            let (waiter, path) = (agent.clone(), at_message(&session, &asked, "/await"));
            let waiter = tokio::spawn(async move { waiter.get(&path).await.expect(200) });
            watched(&hub, &session, true).await;
            let path = if end == "close" { at_agent(&session, "/close") } else { at_message(&session, &asked, "/cancel") };
            agent.post(&path, json!({})).await.expect(200);
            let message = timeout(Duration::from_secs(5), waiter).await.expect("in time").expect("no panic");
            assert_eq!((&message["status"], &message["response"]), (&json!("Cancelled"), &Value::Null));
        }
        watched(&hub, &session, false).await;
    }

    async fn a_wait_that_ends_is_no_denial(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let waits = async |client: &Client, query: &str| {
            let started = Instant::now();
            let message = client.get(&at_message(&session, &asked, &format!("/await{query}"))).await.expect(200);
            assert_eq!(message, asked);
            started.elapsed()
        };
        let second = Duration::from_millis(900)..Duration::from_secs(8);
        // However busy the machine is, one of a few comes at once.
        let fastest = async |client: &Client, query: &str| {
            let mut times = Vec::new();
            for _ in 0..3 {
                times.push(waits(client, query).await);
            }
            times.into_iter().min().expect("three")
        };
        assert!(fastest(&agent, "?timeout=0").await < Duration::from_millis(900));
        let waited = waits(&agent, "?timeout=1").await;
        assert!(second.contains(&waited), "{waited:?}");
        let waited = waits(&agent.with("prefer", "wait=1"), "").await;
        assert!(second.contains(&waited), "{waited:?}");
        let waited = waits(&agent.with("prefer", "respond-async, wait=1"), "").await;
        assert!(second.contains(&waited), "{waited:?}");
        assert!(fastest(&agent.with("prefer", "wait=0"), "").await < Duration::from_millis(900));
        for query in ["?timeout=56", "?timeout=-1", "?timeout=x", "?timeout=1.5", "?timeout="] {
            let error = agent.get(&at_message(&session, &asked, &format!("/await{query}"))).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, "timeout");
        }
        agent.get(&at_agent(&session, &format!("/messages/{UNKNOWN}/await"))).await.expect_error(404, "NOT_FOUND");
    }

    async fn a_client_that_goes_away_frees_its_waiter(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let path = at_message(&session, &asked, "/await?timeout=55");
        let waiters: Vec<_> = (0..5).map(|_| {
            let (agent, path) = (agent.clone(), path.clone());
            tokio::spawn(async move { agent.get(&path).await })
        }).collect();
        watched(&hub, &session, true).await;
        for waiter in waiters {
            waiter.abort();
        }
        watched(&hub, &session, false).await;
    }

    async fn an_agent_takes_back_what_it_asked(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        hub.clock.advance(1000);
        let cancelled = agent.post(&at_message(&session, &asked, "/cancel"), json!({})).await.expect(200);
        is_message(&cancelled);
        assert_eq!((&cancelled["id"], &cancelled["status"]), (&asked["id"], &json!("Cancelled")));
        assert!(cancelled["response"].is_null() && text(&cancelled["updatedAt"]) > text(&asked["updatedAt"]));
        let again = agent.post(&at_message(&session, &asked, "/cancel"), json!({})).await;
        again.expect_error(409, "ALREADY_SETTLED");
        let late = json!({ "encryptedContent": "!", "inReplyTo": asked["id"] });
        let late = human.post(&at_human(&session, "/messages"), late).await;
        assert_eq!(late.status, 409, "{}", late.body);
        let answered = ask(&agent, &session).await;
        let answer = json!({ "encryptedContent": "!", "inReplyTo": answered["id"] });
        human.post(&at_human(&session, "/messages"), answer).await.expect(201);
        agent.post(&at_message(&session, &answered, "/cancel"), json!({})).await.expect_error(409, "ALREADY_SETTLED");
        let plain = say(&agent, &session, "x").await;
        agent.post(&at_message(&session, &plain, "/cancel"), json!({})).await.expect_error(409, "ALREADY_SETTLED");
        agent.post(&at_agent(&session, &format!("/messages/{UNKNOWN}/cancel")), json!({})).await.expect_error(404, "NOT_FOUND");
        let events = agent.get(&at_agent(&session, "/timeline")).await.expect(200);
        let gone = events["data"].as_array().expect("a list").iter().find(|e| e["type"] == "message.cancelled").expect("one");
        assert_eq!(gone["data"], json!({ "messageId": asked["id"] }));
    }

    async fn a_closed_session_takes_no_more(hub: Hub) {
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
        // Again, and nothing happens; not even to its time.
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
        // Straight to the archive: what is pending is cancelled all the same.
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let archived = agent.post(&at_agent(&session, "/archive"), json!({})).await.expect(200);
        assert_eq!((&archived["status"], &archived["pendingCount"]), (&json!("Archived"), &json!(0)));
        assert_eq!(agent.get(&at_message(&session, &asked, "")).await.expect(200)["status"], "Cancelled");

        // A human closes as well; a guest does not.
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        guest.post(&at_human(&session, "/close"), json!({})).await.expect_error(403, "FORBIDDEN");
        let closed = human.post(&at_human(&session, "/close"), json!({})).await.expect(200);
        assert_eq!(closed["status"], "Closed");
        assert_eq!(human.post(&at_human(&session, "/close"), json!({})).await.expect(200), closed);
    }

    async fn participants_come_and_go(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = text(&open(&agent, json!({ "participants": [] })).await["id"]).to_owned();
        let human = hub.human().await;
        let person = human.get("/v1/human/me").await.expect(200);
        let second = hub.agent("agent").await;
        let other = second.get("/v1/agent/me").await.expect(200);
        let path = at_agent(&session, "/participants");
        human.get(&at_human(&session, "")).await.expect_error(404, "NOT_FOUND");
        let body = json!({ "type": "Human", "email": person["email"], "role": "approver" });
        let added = agent.post(&path, body.clone()).await.expect(201);
        is_participant(&added);
        assert_eq!((&added["humanId"], &added["name"], &added["role"]), (&person["id"], &person["name"], &json!("approver")));
        assert_eq!((&added["sessionId"], &added["lastReadSeq"], &added["online"]), (&json!(session), &json!(0), &json!(false)));
        human.get(&at_human(&session, "")).await.expect(200);
        // Who is one already stays as they are.
        let again = agent.post(&path, json!({ "type": "Human", "humanId": person["id"], "role": "other" })).await.expect(200);
        assert_eq!(again, added);
        let by_name = agent.post(&path, json!({ "type": "Agent", "name": other["name"] })).await.expect(201);
        assert_eq!(by_name["agentId"], other["id"]);
        agent.post(&path, json!({ "type": "Agent", "agentId": other["id"] })).await.expect(200);
        assert_eq!(types(&agent, &session).await, ["session.created", "participant.added", "participant.added"]);
        let events = agent.get(&at_agent(&session, "/timeline?after=1&limit=1")).await.expect(200);
        assert_eq!(events["data"][0]["data"], json!({ "participant": added }));
        assert_eq!(events["hasMore"], true);

        let page = agent.get(&format!("{path}?page=2&pageSize=2")).await.expect(200);
        is_page(&page);
        assert_eq!((&page["total"], &page["data"]), (&json!(3), &json!([by_name])));
        assert_eq!(human.get(&at_human(&session, "/participants")).await.expect(200)["total"], 3);
        for (body, status, code) in [
            (json!({}), 400, "VALIDATION_ERROR"),
            (json!({ "type": "Human" }), 400, "VALIDATION_ERROR"),
            (json!({ "type": "Guest", "name": "x" }), 400, "VALIDATION_ERROR"),
            (json!({ "type": "Human", "humanId": UNKNOWN }), 404, "NOT_FOUND"),
            (json!({ "type": "Human", "email": "nobody@example.org" }), 404, "NOT_FOUND"),
            (json!({ "type": "Agent", "name": "nobody" }), 404, "NOT_FOUND"),
        ] {
            agent.post(&path, body).await.expect_error(status, code);
        }

        // Gone, they see nothing any more, and their live subscription ends.
        let mut socket = hub.socket(&human).await;
        socket.subscribe(&session, None).await;
        let gone = format!("{path}/{}", text(&added["id"]));
        agent.delete(&gone).await.expect(204);
        let ended = timeout(Duration::from_secs(2), socket.find("unsubscribed")).await.expect("within two seconds");
        assert_eq!(ended["sessionId"], json!(session));
        human.get(&at_human(&session, "")).await.expect_error(404, "NOT_FOUND");
        agent.delete(&gone).await.expect_error(404, "NOT_FOUND");
        agent.delete(&format!("{path}/{UNKNOWN}")).await.expect_error(404, "NOT_FOUND");
        let events = agent.get(&at_agent(&session, "/timeline?after=3")).await.expect(200);
        assert_eq!(events["data"][0]["type"], "participant.removed");
        assert_eq!(events["data"][0]["data"]["participantId"], added["id"]);
        // And may come back, as somebody new on the list.
        let back = agent.post(&path, body).await.expect(201);
        assert_ne!(back["id"], added["id"]);
        human.get(&at_human(&session, "")).await.expect(200);
        // An agent that takes itself out sees no more either.
        second.delete(&format!("{path}/{}", text(&by_name["id"]))).await.expect(204);
        second.get(&at_agent(&session, "")).await.expect_error(404, "NOT_FOUND");
    }

    async fn a_guest_token_opens_one_session(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let path = at_agent(&session, "/guest-tokens");
        let before = hub.context().clock.now();
        let made = agent.post(&path, json!({ "name": "Visitor" })).await.expect(201);
        has_keys(&made, "id token url expiresAt participant");
        is_id(&made["id"]);
        is_participant(&made["participant"]);
        assert_eq!((&made["participant"]["guestId"], &made["participant"]["name"]), (&made["id"], &json!("Visitor")));
        let token = text(&made["token"]);
        assert!(token.len() == 68 && token.starts_with("hlg_"), "{token}");
        assert!(token[4..].bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{token}");
        let (address, fragment) = text(&made["url"]).split_once('#').expect("a fragment");
        assert!(fragment.contains(token) && !address.contains(token) && address.starts_with(&hub.base), "{}", made["url"]);
        is_time(&made["expiresAt"]);
        let expires = Timestamp::parse(text(&made["expiresAt"])).expect("a time");
        let day = expires.millis_since(before);
        assert!((86_400_000..86_460_000).contains(&day), "{day}");

        let guest = hub.anonymous().with("authorization", &format!("Bearer {token}"));
        let me = guest.get("/v1/human/me").await.expect(200);
        assert_eq!((&me["type"], &me["id"], &me["name"]), (&json!("Guest"), &made["id"], &json!("Visitor")));
        let listed = guest.get("/v1/human/sessions").await.expect(200);
        assert_eq!(column(&listed, "id"), [session.as_str()]);
        assert_eq!(guest.get("/v1/human/feed").await.expect(200)["total"], 1);
        guest.post("/v1/human/sessions", json!({ "participants": [] })).await.expect_error(403, "FORBIDDEN");
        guest.get("/v1/human/agents").await.expect_error(403, "FORBIDDEN");
        let said = guest.post(&at_human(&session, "/messages"), json!({ "encryptedContent": "hi" })).await.expect(201);
        assert_eq!((&said["senderGuestId"], &said["senderName"]), (&made["id"], &json!("Visitor")));
        guest.get(SESSIONS).await.expect_error(401, "UNAUTHORIZED");

        for (body, field) in [
            (json!({ "expiresInSeconds": 59 }), "expiresInSeconds"),
            (json!({ "expiresInSeconds": 2_592_001 }), "expiresInSeconds"),
            (json!({ "expiresInSeconds": "60" }), "expiresInSeconds"),
            (json!({ "name": "a\u{0}b" }), "name"),
            (json!({ "name": 1 }), "name"),
        ] {
            let error = agent.post(&path, body).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, &format!("'{field}'"));
        }
        agent.post(&path, json!({ "expiresInSeconds": 2_592_000 })).await.expect(201);
        let short = agent.post(&path, json!({ "expiresInSeconds": 60 })).await.expect(201);
        let brief = hub.anonymous().with("authorization", &format!("Bearer {}", text(&short["token"])));
        brief.get(&at_human(&session, "")).await.expect(200);
        hub.clock.advance(59_000);
        brief.get(&at_human(&session, "")).await.expect(200);
        hub.clock.advance(1_001);
        brief.get(&at_human(&session, "")).await.expect_error(401, "UNAUTHORIZED");

        // Revoked, it is good for nothing, and the guest is no participant any more.
        let mut socket = hub.socket(&guest).await;
        socket.subscribe(&session, None).await;
        let own = format!("{path}/{}", text(&made["id"]));
        hub.agent("agent").await.delete(&own).await.expect_error(404, "NOT_FOUND");
        let elsewhere = hub.session(&agent).await;
        agent.delete(&at_agent(&elsewhere, &format!("/guest-tokens/{}", text(&made["id"])))).await.expect_error(404, "NOT_FOUND");
        // Nobody but a guest goes by this way.
        let people = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        for person in people["data"].as_array().expect("participants") {
            for id in [&person["agentId"], &person["humanId"], &person["id"]].into_iter().filter_map(|id| id.as_str()) {
                agent.delete(&format!("{path}/{id}")).await.expect_error(404, "NOT_FOUND");
            }
        }
        guest.get("/v1/human/me").await.expect(200);
        agent.delete(&own).await.expect(204);
        timeout(Duration::from_secs(2), socket.end()).await.expect("within two seconds");
        guest.get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
        agent.delete(&own).await.expect_error(404, "NOT_FOUND");
        let people = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        assert!(people["data"].as_array().expect("a list").iter().all(|p| p["guestId"] != made["id"]));
    }

    async fn typing_and_reading_are_told(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        for _ in 0..3 {
            say(&agent, &session, "x").await;
        }
        let mut watcher = hub.socket(&agent).await;
        watcher.subscribe(&session, None).await;
        human.post(&at_human(&session, "/typing"), json!({})).await.expect(204);
        assert_eq!(watcher.find("typing").await["typing"], true);
        human.post(&at_human(&session, "/typing"), json!({ "typing": false })).await.expect(204);
        assert_eq!(watcher.find("typing").await["typing"], false);
        human.post(&at_human(&session, "/typing"), json!({ "typing": "yes" })).await.expect_error(400, "VALIDATION_ERROR");
        agent.post(&at_agent(&session, "/typing"), json!({ "typing": true })).await.expect(204);

        let last_read = async || {
            let people = agent.get(&at_agent(&session, "/participants")).await.expect(200);
            let person = people["data"].as_array().expect("a list").iter().find(|p| p["type"] == "Human").expect("one");
            person["lastReadSeq"].as_i64().expect("a number")
        };
        for (seq, reads) in [(2, 2), (1, 2), (4, 4), (1000, 4), (0, 4)] {
            human.post(&at_human(&session, "/read"), json!({ "seq": seq })).await.expect(204);
            assert_eq!(last_read().await, reads, "after {seq}");
        }
        let seqs = [watcher.find("receipt").await["seq"].clone(), watcher.find("receipt").await["seq"].clone()];
        assert_eq!(seqs, [json!(2), json!(4)]);
        watcher.expect_none("receipt").await;
        for body in [json!({}), json!({ "seq": -1 }), json!({ "seq": "1" }), json!({ "seq": 1.5 })] {
            let error = human.post(&at_human(&session, "/read"), body).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, "seq");
        }
        // Who writes has read what was there.
        say(&agent, &session, "x").await;
        human.post(&at_human(&session, "/messages"), json!({ "encryptedContent": "y" })).await.expect(201);
        assert_eq!(last_read().await, 6);
    }

    async fn the_feed_says_what_needs_a_human(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let now = hub.context().clock.now();
        let asks = [
            ("quiet", json!([])),
            ("low", json!([{ "priority": "Low", "deadlineAt": now.plus_seconds(500) }])),
            ("high without end", json!([{ "priority": "High" }])),
            ("high late", json!([{ "priority": "High", "deadlineAt": now.plus_seconds(900) }])),
            ("high soon", json!([{ "priority": "High", "deadlineAt": now.plus_seconds(800) }, { "priority": "Low" }])),
            ("urgent", json!([{}, { "priority": "Urgent" }])),
            ("busy", json!([])),
        ];
        let mut ids = Vec::new();
        for (title, asks) in &asks {
            let session = open(&agent, json!({ "title": title })).await;
            let id = text(&session["id"]).to_owned();
            say(&agent, &id, "hello").await;
            for ask in asks.as_array().expect("a list") {
                let mut body = ask.clone();
                body["encryptedContent"] = json!("?");
                body["responseRequired"] = json!(true);
                agent.post(&at_agent(&id, "/messages"), body).await.expect(201);
            }
            ids.push(id);
            hub.clock.advance(1000);
        }
        let archived = hub.session(&agent).await;
        ask(&agent, &archived).await;
        agent.post(&at_agent(&archived, "/archive"), json!({})).await.expect(200);
        open(&agent, json!({ "title": "not theirs", "participants": [] })).await;

        let feed = human.get("/v1/human/feed").await.expect(200);
        is_page(&feed);
        let entries = feed["data"].as_array().expect("a list").clone();
        for entry in &entries {
            has_keys(entry, "session pendingCount unreadCount highestPriority nextDeadlineAt lastMessage");
            is_session(&entry["session"]);
            is_message(&entry["lastMessage"]);
        }
        let titles: Vec<_> = entries.iter().map(|entry| text(&entry["session"]["title"])).collect();
        assert_eq!(titles, ["urgent", "high soon", "high late", "high without end", "low", "busy", "quiet"]);
        let soon = &entries[1];
        assert_eq!((&soon["pendingCount"], &soon["unreadCount"]), (&json!(2), &json!(3)));
        assert_eq!((&soon["highestPriority"], &soon["nextDeadlineAt"]), (&json!("High"), &json!(now.plus_seconds(800))));
        assert_eq!(soon["lastMessage"]["seq"], 4);
        let quiet = &entries[6];
        assert_eq!((&quiet["pendingCount"], &quiet["unreadCount"]), (&json!(0), &json!(1)));
        assert!(quiet["highestPriority"].is_null() && quiet["nextDeadlineAt"].is_null());
        let second = human.get("/v1/human/feed?page=2&pageSize=5").await.expect(200);
        assert_eq!((&second["total"], second["data"].as_array().expect("a list").len()), (&json!(7), 2));

        // Unread sinks with reading, and rises with what others write, not with one's own words.
        let unread = async |title: &str| {
            let feed = human.get("/v1/human/feed").await.expect(200);
            let entries = feed["data"].as_array().expect("a list").clone();
            let entry = entries.into_iter().find(|entry| entry["session"]["title"] == title).expect("there");
            entry["unreadCount"].as_i64().expect("a number")
        };
        human.post(&at_human(&ids[4], "/read"), json!({ "seq": 2 })).await.expect(204);
        assert_eq!(unread("high soon").await, 2);
        human.post(&at_human(&ids[4], "/read"), json!({ "seq": 4 })).await.expect(204);
        assert_eq!(unread("high soon").await, 0);
        human.post(&at_human(&ids[4], "/messages"), json!({ "encryptedContent": "mine" })).await.expect(201);
        assert_eq!(unread("high soon").await, 0);
        say(&agent, &ids[4], "more").await;
        assert_eq!(unread("high soon").await, 1);
        // A session without a word has no last message.
        let empty = open(&agent, json!({ "title": "empty" })).await;
        let feed = human.get("/v1/human/feed").await.expect(200);
        let entry = feed["data"].as_array().expect("a list").iter().find(|e| e["session"]["id"] == empty["id"]).expect("there");
        assert_eq!((&entry["lastMessage"], &entry["unreadCount"]), (&Value::Null, &json!(0)));
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

        // A name means the agent of their own space, whatever another space has.
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

    async fn everyone_finds_whom_to_talk_to(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let guest_session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &guest_session).await;
        let foreign = hub.other_space().await;
        hub.human_of(&foreign).await;
        let (agent_keys, _) = publish(&agent).await;
        let (human_keys, human_id) = publish(&human).await;
        let (guest_keys, _) = publish(&guest).await;
        let person = human.get("/v1/human/me").await.expect(200);
        assert_eq!(person["key"]["keyId"], human_keys.id());
        let people = agent.get("/v1/agent/humans").await.expect(200);
        is_page(&people);
        assert_eq!(people["data"], json!([{ "id": person["id"], "name": person["name"], "key": person["key"] }]));
        let me = agent.get("/v1/agent/me").await.expect(200);
        assert_eq!(me["key"]["keyId"], agent_keys.id());
        let agents = human.get("/v1/human/agents").await.expect(200);
        is_page(&agents);
        let listed = agents["data"].as_array().expect("a list").iter().find(|a| a["id"] == me["id"]).expect("there");
        assert_eq!((&listed["name"], &listed["key"]), (&me["name"], &me["key"]));
        assert!(agents["data"].as_array().expect("a list").iter().all(|a| a["spaceId"] == me["spaceId"]));
        let colleagues = agent.get("/v1/agent/agents?pageSize=100").await.expect(200);
        let own = json!({ "id": me["id"], "name": me["name"], "key": me["key"] });
        assert!(colleagues["data"].as_array().expect("a list").contains(&own), "{colleagues}");

        let participants = agent.get(&at_agent(&guest_session, "/participants")).await.expect(200);
        for participant in participants["data"].as_array().expect("a list") {
            is_participant(participant);
            let keys = match text(&participant["type"]) {
                "Agent" => &agent_keys,
                "Human" => &human_keys,
                _ => &guest_keys,
            };
            assert_eq!(participant["key"]["keyId"], keys.id(), "{participant}");
        }
        // A new key stands in every list from then on.
        let next = Keys::new();
        human.put("/v1/human/public-key", next.entry_after(&human_keys, &human_id)).await.expect(200);
        let participants = human.get(&at_human(&guest_session, "/participants")).await.expect(200);
        let own = participants["data"].as_array().expect("a list").iter().find(|p| p["type"] == "Human").expect("there");
        assert_eq!(own["key"]["keyId"], next.id());
        // Pages.
        for _ in 0..2 {
            hub.human().await;
        }
        let page = agent.get("/v1/agent/humans?page=2&pageSize=2").await.expect(200);
        assert_eq!((&page["total"], page["data"].as_array().expect("a list").len()), (&json!(3), 1));
        agent.get("/v1/agent/humans?pageSize=0").await.expect_error(400, "VALIDATION_ERROR");
        human.get("/v1/human/agents?page=0").await.expect_error(400, "VALIDATION_ERROR");
    }

    async fn a_timeline_is_read_by_seq_or_by_page(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        for index in 0..5 {
            say(&agent, &session, &format!("{index}")).await;
        }
        let seqs = |reply: &Value| -> Vec<i64> {
            reply["data"].as_array().expect("a list").iter().map(|event| event["seq"].as_i64().expect("a seq")).collect()
        };
        for (client, at) in [(&agent, at_agent as fn(&str, &str) -> String), (&human, at_human)] {
            let all = client.get(&at(&session, "/timeline")).await.expect(200);
            all["data"].as_array().expect("a list").iter().for_each(is_event);
            assert_eq!((seqs(&all), &all["lastSeq"], &all["hasMore"]), ((1..=6).collect(), &json!(6), &json!(false)));
            let some = client.get(&at(&session, "/timeline?after=2&limit=3")).await.expect(200);
            assert_eq!((seqs(&some), &some["lastSeq"], &some["hasMore"]), (vec![3, 4, 5], &json!(6), &json!(true)));
            let beyond = client.get(&at(&session, "/timeline?after=6")).await.expect(200);
            assert_eq!((seqs(&beyond), &beyond["lastSeq"], &beyond["hasMore"]), (vec![], &json!(6), &json!(false)));
            let page = client.get(&at(&session, "/timeline?page=2&pageSize=4")).await.expect(200);
            is_page(&page);
            assert_eq!((seqs(&page), &page["total"]), (vec![5, 6], &json!(6)));
            for query in ["after=-1", "after=x", "limit=0", "limit=1001", "page=0", "pageSize=101"] {
                client.get(&at(&session, &format!("/timeline?{query}"))).await.expect_error(400, "VALIDATION_ERROR");
            }
        }
    }
}

on_both_engines! {
    async fn events_stream_and_resume(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        for index in 0..3 {
            say(&agent, &session, &format!("line\nfeed {index}")).await;
        }
        let path = at_agent(&session, "/events");
        let mut all = Events::open(&agent, &format!("{path}?after=0")).await;
        assert_eq!(all.seqs(4).await, [1, 2, 3, 4]);
        let mut resumed = Events::open(&agent.with("last-event-id", "2"), &path).await;
        assert_eq!(resumed.seqs(2).await, [3, 4]);
        // What the header says counts more than the URL, which a browser can't change as it reconnects.
        let mut both = Events::open(&agent.with("last-event-id", "3"), &format!("{path}?after=0")).await;
        assert_eq!(both.seqs(1).await, [4]);
        let mut live = Events::open(&human, &at_human(&session, "/events")).await;
        // Beyond the head there is nothing that the hub has sent: the store went back, and the stream begins anew.
        let mut ahead = Events::open(&agent, &format!("{path}?after=9000")).await;
        assert_eq!(ahead.seqs(4).await, [1, 2, 3, 4]);
        // An id of nothing is none.
        let mut unseen = Events::open(&agent.with("last-event-id", ""), &format!("{path}?after=3")).await;
        assert_eq!(unseen.seqs(1).await, [4]);
        let said = say(&agent, &session, "live").await;
        for stream in [&mut all, &mut resumed, &mut both, &mut live, &mut ahead, &mut unseen] {
            let event = stream.next().await.expect("an event");
            assert_eq!((&event["seq"], &event["data"]["message"]), (&json!(5), &said));
        }
        // The same as the timeline says, byte for byte.
        let timeline = agent.get(&at_agent(&session, "/timeline?after=4")).await.expect(200);
        let mut again = Events::open(&human, &at_human(&session, "/events?after=4")).await;
        assert_eq!(again.next().await.expect("an event").to_string(), timeline["data"][0].to_string());

        for (client, query) in [
            (agent.clone(), "?after=-1"),
            (agent.clone(), "?after=x"),
            (agent.with("last-event-id", "x"), ""),
            (agent.with("last-event-id", "-1"), ""),
        ] {
            client.get(&format!("{path}{query}")).await.expect_error(400, "VALIDATION_ERROR");
        }
        // Who is taken out is told nothing more.
        let people = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        let person = people["data"].as_array().expect("a list").iter().find(|p| p["type"] == "Human").expect("one");
        agent.delete(&at_agent(&session, &format!("/participants/{}", text(&person["id"])))).await.expect(204);
        say(&agent, &session, "secret").await;
        for stream in [&mut live, &mut again] {
            assert_eq!(stream.next().await.map(|event| event["type"].clone()), None);
        }
        drop((all, resumed, both, live, again, ahead, unseen));
        watched(&hub, &session, false).await;
    }

    async fn a_guest_s_stream_ends_with_their_token(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let made = agent.post(&at_agent(&session, "/guest-tokens"), json!({})).await.expect(201);
        let guest = hub.anonymous().with("authorization", &format!("Bearer {}", text(&made["token"])));
        let mut stream = Events::open(&guest, &at_human(&session, "/events?after=1")).await;
        assert_eq!(stream.seqs(1).await, [2]);
        agent.delete(&at_agent(&session, &format!("/guest-tokens/{}", text(&made["id"])))).await.expect(204);
        let ended = timeout(Duration::from_secs(5), stream.next()).await.expect("an end within five seconds");
        assert_eq!(ended, None);
    }
}

/// Sends the same POST three times under one key: the first reply comes again, marked, and a different body is
/// refused. Returns the first reply.
pub async fn repeated(client: &Client, path: &str, body: Value, other: Value, status: u16) -> Value {
    let keyed = client.with("idempotency-key", &format!("key-of-{}", path.len()));
    let first = keyed.post(path, body.clone()).await;
    assert_eq!(first.header("idempotent-replayed"), None, "{path}");
    let first = first.expect(status);
    for _ in 0..2 {
        let again = keyed.post(path, body.clone()).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{path}");
        assert_eq!(again.expect(status), first, "{path}");
    }
    keyed.post(path, other).await.expect_error(422, "IDEMPOTENCY_MISMATCH");
    first
}

on_both_engines! {
    async fn a_retry_gets_the_first_reply(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        let newcomer = hub.agent("agent").await.get("/v1/agent/me").await.expect(200);
        let (x, y) = (json!({ "title": "x" }), json!({ "title": "y" }));
        let session = repeated(&agent, SESSIONS, x, y, 201).await;
        let named = json!({ "participants": [{ "type": "Agent", "agentId": me["id"] }] });
        let titled = json!({ "title": "t", "participants": [{ "type": "Agent", "agentId": me["id"] }] });
        repeated(&human, "/v1/human/sessions", named, titled, 201).await;
        assert_eq!(agent.get(SESSIONS).await.expect(200)["total"], 2);
        let session = text(&session["id"]);

        let (x, y) = (json!({ "encryptedContent": "x" }), json!({ "encryptedContent": "y" }));
        repeated(&agent, &at_agent(session, "/messages"), x.clone(), y.clone(), 201).await;
        repeated(&human, &at_human(session, "/messages"), x, y, 201).await;
        let asked = ask(&agent, session).await;
        let answer = json!({ "encryptedContent": "!", "inReplyTo": asked["id"] });
        let keyed = human.with("idempotency-key", "answer");
        let first = keyed.post(&at_human(session, "/messages"), answer.clone()).await.expect(201);
        let again = keyed.post(&at_human(session, "/messages"), answer).await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.expect(201), first);
        let asked = ask(&agent, session).await;
        repeated(&agent, &at_message(session, &asked, "/cancel"), json!({}), json!({ "x": 1 }), 200).await;
        assert_eq!(agent.get(&at_agent(session, "/messages")).await.expect(200)["total"], 5);

        let body = json!({ "type": "Agent", "agentId": newcomer["id"] });
        let other = json!({ "type": "Agent", "agentId": me["id"] });
        repeated(&agent, &at_agent(session, "/participants"), body, other, 201).await;
        let guests = at_agent(session, "/guest-tokens");
        let guest = repeated(&agent, &guests, json!({ "name": "x" }), json!({ "name": "y" }), 201).await;
        let client = hub.anonymous().with("authorization", &format!("Bearer {}", text(&guest["token"])));
        client.get(&at_human(session, "")).await.expect(200);
        assert_eq!(agent.get(&at_agent(session, "/participants")).await.expect(200)["total"], 4);
        let before = types(&agent, session).await.len();
        let closed = repeated(&agent, &at_agent(session, "/close"), json!({}), json!({ "x": 1 }), 200).await;
        assert_eq!((&closed["status"], types(&agent, session).await.len()), (&json!("Closed"), before + 1));
        let archived = repeated(&agent, &at_agent(session, "/archive"), json!({}), json!({ "x": 1 }), 200).await;
        assert_eq!((&archived["status"], types(&agent, session).await.len()), (&json!("Archived"), before + 2));
        // The first reply, even where the truth has moved on.
        let replayed = agent.with("idempotency-key", &format!("key-of-{}", at_agent(session, "/close").len()));
        assert_eq!(replayed.post(&at_agent(session, "/close"), json!({})).await.expect(200), closed);
    }

    async fn an_idempotency_key_belongs_to_credential_and_route(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let other = hub.agent("space").await;
        let human = hub.human().await;
        let body = json!({ "encryptedContent": "x" });
        let path = at_agent(&session, "/messages");
        let first = agent.with("idempotency-key", "k").post(&path, body.clone()).await.expect(201);
        let second = other.with("idempotency-key", "k").post(&path, body.clone()).await;
        assert_eq!(second.header("idempotent-replayed"), None);
        assert_ne!(second.expect(201)["id"], first["id"]);
        agent.with("idempotency-key", "k").post(SESSIONS, json!({})).await.expect(201);
        let guest_body = json!({ "name": "g" });
        agent.with("idempotency-key", "k").post(&at_agent(&session, "/guest-tokens"), guest_body).await.expect(201);
        let strangers = human.with("idempotency-key", "k").post(&at_human(&session, "/messages"), body.clone()).await;
        assert!([201, 404].contains(&strangers.status), "{}", strangers.body);
        // Case and every visible character count.
        let visible: String = (b'!'..=b'~').map(char::from).collect();
        for key in ["K", visible.as_str(), &"k".repeat(255)] {
            let reply = agent.with("idempotency-key", key).post(&path, body.clone()).await;
            assert_ne!(reply.expect(201)["id"], first["id"]);
        }
        for key in ["", "a b", &"k".repeat(256)] {
            let reply = agent.with("idempotency-key", key).post(&path, body.clone()).await;
            let error = reply.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, "Idempotency-Key");
        }
        // What was refused is no first reply: put right, it goes through under the same key.
        let keyed = agent.with("idempotency-key", "retry");
        keyed.post(&path, json!({})).await.expect_error(400, "VALIDATION_ERROR");
        keyed.post(&path, body.clone()).await.expect(201);
        // After a day it is a new request.
        hub.clock.advance(24 * 60 * 60 * 1000 + 1000);
        let later = agent.with("idempotency-key", "k").post(&path, body).await;
        assert_eq!(later.header("idempotent-replayed"), None);
        assert_ne!(later.expect(201)["id"], first["id"]);
    }

    async fn a_guest_token_s_key_can_be_used_again_after_a_day(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let keyed = agent.with("idempotency-key", "daily");
        let path = at_agent(&session, "/guest-tokens");
        let first = keyed.post(&path, json!({})).await.expect(201);
        hub.clock.advance(24 * 60 * 60 * 1000 + 1000);
        let second = keyed.post(&path, json!({})).await;
        assert_eq!(second.header("idempotent-replayed"), None);
        let second = second.expect(201);
        assert_ne!((&second["token"], &second["id"]), (&first["token"], &first["id"]));
        let guest = hub.anonymous().with("authorization", &format!("Bearer {}", text(&second["token"])));
        guest.get(&at_human(&session, "")).await.expect(200);
    }

    async fn of_twenty_posts_with_one_key_one_happens(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let human = hub.human().await;
        let newcomer = human.get("/v1/human/me").await.expect(200);
        let (post, cancel) = (at_agent(&session, "/messages"), at_message(&session, &asked, "/cancel"));
        let (people, guests) = (at_agent(&session, "/participants"), at_agent(&session, "/guest-tokens"));
        let before = types(&agent, &session).await.len();
        for (path, body, status) in [
            (SESSIONS, json!({ "title": "once", "participants": [] }), 201),
            (post.as_str(), json!({ "encryptedContent": "once" }), 201),
            (&cancel, json!({}), 200),
            (&people, json!({ "type": "Human", "humanId": newcomer["id"] }), 201),
            (&guests, json!({ "name": "once" }), 201),
            (&at_agent(&session, "/close"), json!({}), 200),
        ] {
            let keyed = agent.with("idempotency-key", "once");
            let replies = join_all((0..20).map(|_| keyed.post(path, body.clone()))).await;
            let (mut first, mut replayed) = (0, 0);
            let mut bodies = Vec::new();
            for reply in replies {
                match (reply.status, reply.header("idempotent-replayed")) {
                    (409, None) => {
                        reply.expect_error(409, "IDEMPOTENCY_IN_FLIGHT");
                    }
                    (_, mark) => {
                        *(if mark.is_some() { &mut replayed } else { &mut first }) += 1;
                        bodies.push(reply.expect(status));
                    }
                }
            }
            assert_eq!(first, 1, "{path}: {replayed} replayed");
            assert!(bodies.iter().all(|body| *body == bodies[0]), "{path}: {bodies:?}");
        }
        assert_eq!(agent.get(SESSIONS).await.expect(200)["total"], 2);
        assert_eq!(types(&agent, &session).await.len(), before + 5);
    }

    async fn a_socket_and_a_post_tell_the_same_story(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let mut socket: Socket = hub.socket(&agent).await;
        socket.subscribe(&session, Some(0)).await;
        let said = say(&agent, &session, "x").await;
        let asked = ask(&agent, &session).await;
        agent.post(&at_message(&session, &asked, "/cancel"), json!({})).await.expect(200);
        agent.patch(&at_agent(&session, ""), json!({ "title": "t" })).await.expect(200);
        hub.guest(&agent, &session).await;
        agent.post(&at_agent(&session, "/archive"), json!({})).await.expect(200);
        let timeline = agent.get(&at_agent(&session, "/timeline")).await.expect(200);
        let mut events = Vec::new();
        while events.len() < timeline["data"].as_array().expect("a list").len() {
            events.push(socket.event().await);
        }
        assert_eq!(json!(events), timeline["data"]);
        assert_eq!(column(&timeline, "type"), [
            "session.created", "message.created", "message.created", "message.cancelled", "session.updated",
            "participant.added", "session.closed", "session.archived",
        ]);
        assert_eq!(events[1]["data"], json!({ "message": said }));
    }
}
