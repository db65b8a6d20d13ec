//! Participants, guests, typing and read marks.

use super::types;
use crate::support::hub::{SESSIONS, UNKNOWN, at_agent, at_human, open, say, text};
use crate::support::shapes::{column, has_keys, is_id, is_page, is_participant, is_time, names_field};
use crate::support::{on_both_engines, timeout};
use hiloop::domain::Timestamp;
use serde_json::json;
use std::time::Duration;

on_both_engines! {
    async fn participants_are_added_and_removed(hub: Hub) {
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
        // An existing participant is unchanged.
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

        // A removed participant has no access, and its live subscription ends.
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
        // It may be added again, as a new participant.
        let back = agent.post(&path, body).await.expect(201);
        assert_ne!(back["id"], added["id"]);
        human.get(&at_human(&session, "")).await.expect(200);
        // An agent that removes itself has no access either.
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

        // A revoked token is refused, and the guest is no longer a participant.
        let mut socket = hub.socket(&guest).await;
        socket.subscribe(&session, None).await;
        let own = format!("{path}/{}", text(&made["id"]));
        hub.agent("agent").await.delete(&own).await.expect_error(404, "NOT_FOUND");
        let elsewhere = hub.session(&agent).await;
        agent.delete(&at_agent(&elsewhere, &format!("/guest-tokens/{}", text(&made["id"])))).await.expect_error(404, "NOT_FOUND");
        // Other participants can't be removed by this route.
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

    async fn typing_and_read_marks_are_announced(hub: Hub) {
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
        // Posting moves the read mark.
        say(&agent, &session, "x").await;
        human.post(&at_human(&session, "/messages"), json!({ "encryptedContent": "y" })).await.expect(201);
        assert_eq!(last_read().await, 6);
    }
}
