//! Envelopes: any text, and how deep they may be nested.

use super::forms::nested;
use super::{DEEP, KIB};
use crate::support::hub::{at_agent, at_human, text};
use crate::support::on_both_engines;
use serde_json::{Value, json};

/// All Unicode scalar values, in strings of at most `max` bytes.
fn all_of_unicode(max: usize) -> Vec<String> {
    let mut texts = vec![String::new()];
    for c in '\0'..=char::MAX {
        let text = texts.last_mut().expect("one");
        // A control character is written with six.
        if text.len() + 6 > max {
            texts.push(c.to_string());
        } else {
            text.push(c);
        }
    }
    texts
}

on_both_engines! {
    async fn envelopes_accept_all_of_unicode(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let mut sent = Vec::new();
        for (index, ciphertext) in all_of_unicode(200 * KIB).into_iter().enumerate() {
            let envelope = json!({ "scheme": "plain", "ciphertext": ciphertext, "wrappings": [], "\0key\u{10ffff}": ciphertext.chars().rev().take(9).collect::<String>() });
            // As an object, as the JSON of one, and as a text of its own.
            let (given, kept) = match index % 3 {
                0 => (envelope.clone(), envelope),
                1 => (json!(envelope.to_string()), envelope),
                _ => (json!(ciphertext), json!({ "ciphertext": ciphertext, "wrappings": [] })),
            };
            let (client, path) = if index % 2 == 0 { (&agent, at_agent(&session, "/messages")) } else { (&human, at_human(&session, "/messages")) };
            let message = client.post(&path, json!({ "encryptedContent": given })).await.expect(201);
            assert!(message["encryptedContent"] == kept, "string {index} comes back as it was sent");
            let again = agent.get(&at_agent(&session, &format!("/messages/{}", text(&message["id"])))).await.expect(200);
            assert!(again["encryptedContent"] == kept, "string {index} was kept as it was sent");
            sent.push(kept);
        }
        let count: usize = sent.iter().map(|kept| text(&kept["ciphertext"]).chars().count()).sum();
        assert_eq!(count, 0x11_0000 - 0x800, "all of Unicode but the surrogates");
        let (mut received, mut after) = (Vec::new(), 1);
        while received.len() < sent.len() {
            let page = agent.get(&at_agent(&session, &format!("/timeline?after={after}"))).await.expect(200);
            let events = page["data"].as_array().expect("events");
            received.extend(events.iter().map(|event| event["data"]["message"]["encryptedContent"].clone()));
            after = events.last().expect("more").get("seq").and_then(Value::as_i64).expect("a seq");
        }
        assert!(received == sent, "the timeline has the sent content");
        let mut socket = hub.socket(&human).await;
        socket.subscribe(&session, Some(1)).await;
        for kept in &sent {
            assert!(socket.event().await["data"]["message"]["encryptedContent"] == *kept);
        }

        // Escapes are decoded; unusual but complete objects stay unchanged.
        for (given, ciphertext) in [
            (r#""\ud83d\ude00\u0000\u00e9\/""#, "😀\0é/"),
            (r#""""#, ""),
            (r#""null""#, "null"),
            (r#""{\"ciphertext\":1}""#, "{\"ciphertext\":1}"),
            (r#""{\"ciphertext\":\"a\",\"wrappings\":[]} x""#, "{\"ciphertext\":\"a\",\"wrappings\":[]} x"),
            (r#"{"ciphertext":"\uD83D\uDE00\u0000","wrappings":[{}]}"#, "😀\0"),
        ] {
            let body = format!("{{\"encryptedContent\":{given}}}");
            let reply = agent.raw("POST", &at_agent(&session, "/messages"), Some("application/json"), body.into_bytes()).await;
            assert_eq!(reply.expect(201)["encryptedContent"]["ciphertext"], ciphertext);
        }
        // A string that is not an envelope is stored as the ciphertext.
        let deep = nested(DEEP, "[", "]");
        let message = agent.post(&at_agent(&session, "/messages"), json!({ "encryptedContent": deep })).await.expect(201);
        assert_eq!(message["encryptedContent"]["ciphertext"], json!(deep));
        // Titles, metadata and components too.
        let odd = json!({ "ciphertext": "\0\u{1}\u{fffe}\u{ffff}\u{202e}", "wrappings": [] });
        let body = json!({ "encryptedTitle": odd, "metadata": { "\0": "\0\u{1f}" } });
        let made = agent.post("/v1/agent/sessions", body).await.expect(201);
        let kept = agent.get(&at_agent(text(&made["id"]), "")).await.expect(200);
        assert_eq!((&kept["encryptedTitle"], &kept["metadata"]), (&odd, &json!({ "\0": "\0\u{1f}" })));
        let changed = agent.patch(&at_agent(&session, ""), json!({ "encryptedTitle": odd })).await.expect(200);
        assert_eq!(changed["encryptedTitle"], odd);
        let message = json!({ "encryptedComponents": odd });
        let message = agent.post(&at_agent(&session, "/messages"), message).await.expect(201);
        assert_eq!((&message["encryptedComponents"], &message["encryptedContent"]), (&odd, &Value::Null));
    }

    async fn every_accepted_nesting_depth_of_envelopes_is_readable(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let question = json!({ "encryptedContent": "?", "responseRequired": true });
        let question = agent.post(&at_agent(&session, "/messages"), question).await.expect(201);
        let mut taken = 0;
        for levels in [10, 60, 110, 118, 120, 122, 124, 125, 126, 127, 128, 200, DEEP] {
            let envelope = format!("{{\"ciphertext\":\"x\",\"wrappings\":[],\"deep\":{}}}", nested(levels, "[", "]"));
            for given in [envelope.clone(), Value::from(envelope).to_string()] {
                let body = format!("{{\"encryptedContent\":{given}}}").into_bytes();
                let reply = human.raw("POST", &at_human(&session, "/messages"), Some("application/json"), body).await;
                assert!(matches!(reply.status, 201 | 400), "{levels} levels: {}", reply.status);
                taken += i64::from(reply.status == 201);
            }
        }
        let answer = format!("{{\"ciphertext\":\"x\",\"wrappings\":[],\"deep\":{}}}", nested(120, "[", "]"));
        let answer = json!({ "encryptedContent": answer, "inReplyTo": question["id"] });
        human.post(&at_human(&session, "/messages"), answer).await.expect(201);
        // Everything that was accepted is readable on every route.
        for path in [at_agent(&session, "/messages?pageSize=100"), at_agent(&session, "/timeline"), "/v1/agent/sessions".to_owned()] {
            let reply = agent.raw("GET", &path, None, Vec::new()).await;
            assert_eq!(reply.status, 200, "{path}");
        }
        assert_eq!(human.raw("GET", "/v1/human/feed", None, Vec::new()).await.status, 200);
        let message = agent.raw("GET", &at_agent(&session, &format!("/messages/{}", text(&question["id"]))), None, Vec::new()).await;
        assert_eq!(message.status, 200);
        let head = agent.get(&at_agent(&session, "")).await.expect(200);
        assert_eq!(head["lastSeq"], 4 + taken, "the session, the question, the accepted messages, and the answer with its settlement");
    }
}
