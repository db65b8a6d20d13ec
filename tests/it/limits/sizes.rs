//! Open questions of a session, and the size of one reply.

use crate::support::hub::{SESSIONS, answer, ask, at_agent, at_human, say, text};
use crate::support::on_both_engines;
use futures::future::join_all;
use serde_json::json;

on_both_engines! {
    async fn a_session_has_at_most_1000_pending_questions(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let session = hub.session(&agent).await;
        let mut asked = Vec::new();
        for _ in 0..20 {
            asked.extend(join_all((0..50).map(|_| ask(&agent, &session))).await);
        }
        let one_more = json!({ "encryptedContent": "?", "responseRequired": true });
        let refused = agent.post(&at_agent(&session, "/messages"), one_more.clone()).await.expect_error(409, "CONFLICT");
        assert!(text(&refused["message"]).contains("1000"), "{refused}");
        let mut socket = hub.socket(&agent).await;
        let mut frame = one_more.clone();
        frame["type"] = json!("send");
        frame["sessionId"] = json!(session);
        assert_eq!(socket.ask(frame).await["error"]["code"], "CONFLICT");
        // Other messages and other sessions are not affected; each answer makes room for a question.
        say(&agent, &session, "no question").await;
        answer(&human, &session, &asked[500]).await;
        ask(&agent, &session).await;
        agent.post(&at_agent(&session, "/messages"), one_more).await.expect_error(409, "CONFLICT");
        // Closing settles all of them.
        let closed = agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        assert_eq!((&closed["status"], &closed["pendingCount"]), (&json!("Closed"), &json!(0)));
        let last = asked.last().expect("many");
        let settled = agent.get(&at_agent(&session, &format!("/messages/{}", text(&last["id"])))).await.expect(200);
        assert_eq!(settled["status"], "Cancelled");
    }

    async fn a_large_page_is_streamed_completely(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let large = "x".repeat(200 * 1024);
        let session = hub.session(&agent).await;
        for number in 0..24 {
            say(&agent, &session, &format!("{number} {large}")).await;
        }
        for number in 0..12 {
            let asked = json!({ "encryptedContent": format!("{number} {large}") });
            let interaction = agent.post("/v1/agent/interactions", asked).await.expect(201);
            let blocks = format!("/v1/agent/interactions/{}/blocks", text(&interaction["id"]));
            agent.post(&blocks, json!({ "encryptedBlocks": large })).await.expect(201);
        }
        hub.session(&agent).await;
        for (client, path, total) in [
            (&agent, at_agent(&session, "/messages"), 24),
            (&human, at_human(&session, "/timeline"), 25),
            (&agent, "/v1/agent/interactions".to_owned(), 12),
            (&human, "/v1/human/feed".to_owned(), 14),
        ] {
            let whole = client.get(&format!("{path}?page=1&pageSize=100")).await;
            // A streamed reply has no `Content-Length`.
            assert_eq!(whole.header("content-length"), None, "{path}");
            assert_eq!(whole.header("content-type"), Some("application/json"));
            let whole = whole.expect(200);
            assert_eq!((&whole["total"], &whole["page"], &whole["pageSize"]), (&json!(total), &json!(1), &json!(100)));
            let mut entries = Vec::new();
            for page in 1..=total {
                let one = client.get(&format!("{path}?page={page}&pageSize=1")).await;
                assert!(one.header("content-length").is_some(), "{path}");
                entries.extend(one.expect(200)["data"].as_array().expect("a list").clone());
            }
            assert_eq!(whole["data"], json!(entries), "{path}");
            let after = client.get(&format!("{path}?page=3&pageSize=20")).await.expect(200);
            assert_eq!((&after["data"], &after["total"]), (&json!([]), &json!(total)), "{path}");
        }
        let sessions = agent.get(SESSIONS).await.expect(200);
        assert_eq!(sessions["total"], 14);
    }

    async fn a_page_of_sessions_with_large_titles_is_streamed_completely(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        for number in 0..16 {
            // Some small, some large, and some with none.
            let title = (number % 5 > 0).then(|| format!("{number} {}", "x".repeat(number % 4 * 80 * 1024)));
            let body = json!({ "title": format!("{number}"), "encryptedTitle": title, "metadata": { "n": number } });
            let session = text(&agent.post(SESSIONS, body).await.expect(201)["id"]).to_owned();
            if number % 2 == 0 {
                say(&agent, &session, &"x".repeat(200 * 1024)).await;
            }
        }
        for (client, path) in [(&agent, SESSIONS), (&human, "/v1/human/sessions"), (&human, "/v1/human/feed")] {
            let whole = client.get(&format!("{path}?page=1&pageSize=100")).await;
            assert_eq!(whole.header("content-length"), None, "{path}");
            let whole = whole.expect(200);
            assert_eq!((&whole["total"], &whole["page"], &whole["pageSize"]), (&json!(16), &json!(1), &json!(100)));
            let mut entries = Vec::new();
            for page in 1..=16 {
                let one = client.get(&format!("{path}?page={page}&pageSize=1")).await;
                assert!(one.header("content-length").is_some(), "{path}");
                entries.extend(one.expect(200)["data"].as_array().expect("a list").clone());
            }
            assert_eq!(whole["data"], json!(entries), "{path}");
            for entry in &entries {
                let session = if path.ends_with("feed") { &entry["session"] } else { entry };
                let one = agent.get(&at_agent(text(&session["id"]), "")).await.expect(200);
                assert_eq!(session, &one, "{path}");
            }
        }
    }
}
