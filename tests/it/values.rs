//! The representation of values in replies: numbers, text, times.

use crate::support::deployment::{Deployment, Kind, token};
use crate::support::hub::{SESSIONS, ask, at_agent, at_human, text};
use crate::support::sql::Database;
use crate::support::{Client, on_both_engines};
use serde_json::{Value, json};

/// Numbers that change if they are parsed as floating point.
const NUMBERS: &str = r#"{"a":18446744073709551616,"b":1796488340.0062907,"c":123456789012345678901234567890,"d":-0,"e":1E5,"f":0.1000,"g":1e-400}"#;

/// The text of the reply.
async fn text_of_reply(client: &Client, path: &str) -> String {
    client.stream(path).await.text().await.expect("text")
}

async fn sent(client: &Client, path: &str, body: String) -> Value {
    let reply = client.raw("POST", path, Some("application/json"), body.into_bytes()).await;
    assert!((200..300).contains(&reply.status), "{}", reply.body);
    reply.body
}

on_both_engines! {
    async fn numbers_keep_their_original_text(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let envelope = format!(r#"{{"z":{NUMBERS},"ciphertext":"a\u0000b","wrappings":[{NUMBERS}]}}"#);
        // Whitespace between tokens is not significant.
        let spaced = envelope.replace(',', " ,\n").replace(":{", ": {");
        let session = sent(&agent, SESSIONS, format!(r#"{{"metadata":{NUMBERS},"encryptedTitle":{spaced}}}"#)).await;
        let id = text(&session["id"]);
        let said = sent(&agent, &at_agent(id, "/messages"), format!(r#"{{"encryptedContent":{spaced}}}"#)).await;
        for path in [
            at_agent(id, ""),
            "/v1/agent/sessions".to_owned(),
            at_agent(id, "/timeline?after=0"),
        ] {
            let reply = text_of_reply(&agent, &path).await;
            assert!(reply.contains(&format!(r#""metadata":{NUMBERS}"#)), "{path}: {reply}");
            assert!(reply.contains(&format!(r#""encryptedTitle":{envelope}"#)), "{path}: {reply}");
        }
        let at = format!("/messages/{}", text(&said["id"]));
        for (client, path) in [
            (&agent, at_agent(id, &at)),
            (&agent, at_agent(id, "/messages")),
            (&agent, at_agent(id, "/timeline?after=1")),
            (&human, at_human(id, "/messages")),
            (&human, "/v1/human/feed".to_owned()),
        ] {
            let reply = text_of_reply(client, &path).await;
            assert!(reply.contains(&format!(r#""encryptedContent":{envelope}"#)), "{path}: {reply}");
        }
        let asked = sent(&agent, "/v1/agent/interactions", format!(r#"{{"encryptedContent":{spaced}}}"#)).await;
        let interaction = format!("/v1/agent/interactions/{}", text(&asked["id"]));
        sent(&agent, &format!("{interaction}/blocks"), format!(r#"{{"encryptedBlocks":{spaced}}}"#)).await;
        let reply = text_of_reply(&agent, &interaction).await;
        assert!(reply.contains(&format!(r#""blocks":[{envelope}]"#)), "{reply}");
    }

    async fn plain_text_accepts_emoji_and_every_script(hub: Hub) {
        let agent = hub.agent("agent").await;
        for title in ["👩🏽‍💻 deploys", "❤️‍🔥", "1️⃣ of 2️⃣", "🏳️‍🌈", "नमस्ते", "שלום עולם", "e\u{301}", "漢字 😀"] {
            let session = agent.post(SESSIONS, json!({ "title": title })).await.expect(201);
            assert_eq!(session["title"], title);
            assert_eq!(agent.get(&at_agent(text(&session["id"]), "")).await.expect(200)["title"], title);
        }
    }

    async fn an_unrepresentable_time_is_refused_by_field(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        for time in ["9999-12-31T23:59:60Z", "9999-12-31T23:59:59.999-00:01", "2130-01-01T10:00:60Z", "+10000-01-01T00:00:00Z"] {
            for (path, body) in [
                (at_agent(&session, "/messages"), json!({ "encryptedContent": "?", "responseRequired": true, "deadlineAt": time })),
                ("/v1/agent/interactions".to_owned(), json!({ "encryptedContent": "?", "deadlineAt": time })),
            ] {
                let error = agent.post(&path, body).await.expect_error(400, "VALIDATION_ERROR");
                assert!(text(&error["message"]).contains("'deadlineAt'"), "{time}: {error}");
            }
        }
        let last = json!({ "encryptedContent": "?", "responseRequired": true, "deadlineAt": "9999-12-31T23:59:59.999Z" });
        let asked = agent.post(&at_agent(&session, "/messages"), last).await.expect(201);
        assert_eq!(asked["deadlineAt"], "9999-12-31T23:59:59.999Z");
    }

    async fn a_time_stored_by_an_earlier_release_is_readable(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let database = Database::open(&hub.database_url).await;
        let id = database.id(&session);
        database.execute(&format!("UPDATE messages SET deadline_at = 253402300800000 WHERE session_id = {id}")).await;
        let written = r#"replace(body, '"deadlineAt":null', '"deadlineAt":"+10000-01-01T00:00:00.000Z"')"#;
        database.execute(&format!("UPDATE events SET body = {written} WHERE session_id = {id}")).await;
        let message = agent.get(&at_agent(&session, &format!("/messages/{}", text(&asked["id"])))).await.expect(200);
        assert_eq!(message["deadlineAt"], "9999-12-31T23:59:59.999Z");
        for (client, path) in [
            (&agent, at_agent(&session, "/messages")),
            (&agent, at_agent(&session, "/timeline?after=0")),
            (&agent, at_agent(&session, &format!("/messages/{}/await?timeout=0", text(&asked["id"])))),
            (&human, "/v1/human/feed".to_owned()),
            (&human, at_human(&session, "/messages")),
        ] {
            client.get(&path).await.expect(200);
        }
    }
}

/// The expiry of a token beyond the year 9999 is shown as the last time of RFC 3339.
#[test]
fn a_token_with_a_huge_exp_shows_a_valid_time() {
    crate::support::deployment::run(async {
        let hub = Deployment::given(Kind::Sqlite).await;
        let email = format!("{}@example.org", crate::support::deployment::name("human"));
        let human = hub.manager.post("/v1/manage/humans", json!({ "email": email, "name": "Ann" })).await.expect(201);
        for seconds in [1_000_000_000_000, 1 << 55] {
            let ann = hub.with_token(&token(&human, seconds));
            assert_eq!(ann.get("/v1/human/me").await.expect(200)["expiresAt"], "9999-12-31T23:59:59.999Z");
        }
    });
}
