//! Lists, the feed, the timeline, the directory.

use crate::support::hub::{SESSIONS, UNKNOWN, ask, at_agent, at_human, at_message, open, say, text};
use crate::support::keys::{Keys, publish};
use crate::support::on_both_engines;
use crate::support::shapes::{
    column, has_keys, is_event, is_message, is_page, is_participant, is_session, names_field,
};
use serde_json::{Value, json};

on_both_engines! {
    async fn sessions_are_listed_by_latest_activity(hub: Hub) {
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
        // An agent sees only sessions of which it is a participant; a key with `space` sees all.
        let outsider = hub.agent("agent").await;
        assert_eq!(outsider.get(SESSIONS).await.expect(200)["total"], 0);
        assert_eq!(hub.agent("space").await.get(SESSIONS).await.expect(200)["total"], 4);
        assert_eq!(hub.other_space().await.get(SESSIONS).await.expect(200)["total"], 0);
    }

    async fn sessions_without_access_are_not_found(hub: Hub) {
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
        // A key with `space` can change every session, without being a participant.
        let whole = hub.agent("space").await;
        let said = say(&whole, &session, "from above").await;
        assert_eq!(whole.get(&at_message(&session, &said, "")).await.expect(200), said);
        // Ids that are none.
        agent.get(&at_agent("not-an-id", "")).await.expect_error(400, "VALIDATION_ERROR");
        agent.get(&at_agent(&session, "/messages/x")).await.expect_error(400, "VALIDATION_ERROR");
        agent.get(&at_agent(UNKNOWN, "")).await.expect_error(404, "NOT_FOUND");
        // A message is not found under another session.
        agent.get(&at_message(&other, &message, "")).await.expect_error(404, "NOT_FOUND");
        agent.post(&at_message(&other, &message, "/cancel"), json!({})).await.expect_error(404, "NOT_FOUND");
    }

    async fn the_feed_is_sorted_by_pending_messages(hub: Hub) {
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

        // The unread count falls with reading, and rises with messages of others, not with own ones.
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
        // A session without messages has no last message.
        let empty = open(&agent, json!({ "title": "empty" })).await;
        let feed = human.get("/v1/human/feed").await.expect(200);
        let entry = feed["data"].as_array().expect("a list").iter().find(|e| e["session"]["id"] == empty["id"]).expect("there");
        assert_eq!((&entry["lastMessage"], &entry["unreadCount"]), (&Value::Null, &json!(0)));
    }

    async fn people_and_agents_of_the_space_are_listed(hub: Hub) {
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
        // Every list shows a new key from then on.
        let next = Keys::generate();
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
