//! Messages, questions, answers and long-polls.

use super::watched;
use crate::support::hub::{UNKNOWN, ask, at_agent, at_human, at_message, say, text};
use crate::support::shapes::{column, has_keys, is_id, is_message, is_page, is_time, names_field};
use crate::support::{Client, PATIENCE, Stopwatch, on_both_engines, timeout};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

on_both_engines! {
    async fn messages_are_stored_and_listed(hub: Hub) {
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
        // Another offset and microseconds: stored as the same time in UTC.
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
        assert_eq!(agent.get(&path).await.expect(200)["total"], 4, "a refused message is not stored");
    }

    async fn an_answer_settles_a_message(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let person = human.get("/v1/human/me").await.expect(200);
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        assert_eq!(agent.get(&at_agent(&session, "")).await.expect(200)["pendingCount"], 1);
        // A reply of an agent is not an answer.
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

    async fn a_long_poll_ends_when_the_message_settles(hub: Hub) {
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
            // A long-poll on a settled message returns immediately.
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

    async fn a_long_poll_waits_for_the_requested_time(hub: Hub) {
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
        // On a busy machine, at least one of a few is immediate.
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

    async fn an_agent_cancels_its_question(hub: Hub) {
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
}
