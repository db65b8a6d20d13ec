//! Section 3: encrypted content, which is opaque to the hub, and the directory of public keys.

use crate::support::hub::{SESSIONS, at_agent, at_human, open, say, text};
use crate::support::keys::{Keys, publish};
use crate::support::shapes::{has_keys, is_key_entry};
use crate::support::{Deployment, on_every_deployment};
use serde_json::{Value, json};

on_every_deployment! {
    async fn an_object_is_returned_unchanged(hub: Deployment) {
        let agent = hub.agent("agent").await;
        // Any Unicode, NUL included; further keys, in their order.
        let envelope = json!({
            "scheme": "x", "ciphertext": "\u{0}\u{1f600}\u{fffd}e\u{301}\"\\/\r\n", "wrappings": [{ "b": 1, "a": [null] }], "z": null, "a": 0.5,
        });
        let session = open(&agent, json!({ "encryptedTitle": envelope })).await;
        let id = text(&session["id"]);
        let body = json!({ "encryptedContent": envelope, "encryptedComponents": envelope });
        let message = agent.post(&at_agent(id, "/messages"), body).await.expect(201);
        let stored = agent.get(&at_agent(id, &format!("/messages/{}", text(&message["id"])))).await.expect(200);
        let title = agent.get(&at_agent(id, "")).await.expect(200)["encryptedTitle"].clone();
        for field in [&session["encryptedTitle"], &title, &stored["encryptedContent"], &stored["encryptedComponents"]] {
            assert_eq!(field.to_string(), envelope.to_string());
        }
    }

    async fn a_string_is_json_of_an_envelope_or_a_ciphertext(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let id = text(&open(&agent, json!({})).await["id"]).to_owned();
        let inner = json!({ "ciphertext": "c", "wrappings": [{}], "scheme": "s" });
        assert_eq!(say(&agent, &id, &inner.to_string()).await["encryptedContent"], inner);
        for plain in ["words", "", "{\"ciphertext\":1}", "[]", "{\"ciphertext\":\"c\"}"] {
            let said = say(&agent, &id, plain).await;
            assert_eq!(said["encryptedContent"], json!({ "ciphertext": plain, "wrappings": [] }));
        }
        for bad in [json!(1), json!(true), json!([]), json!({}), json!({ "ciphertext": 1, "wrappings": [] }), json!({ "ciphertext": "c", "wrappings": [1] })] {
            agent.post(&at_agent(&id, "/messages"), json!({ "encryptedContent": bad })).await.expect_error(400, "VALIDATION_ERROR");
            agent.post(SESSIONS, json!({ "encryptedTitle": bad })).await.expect_error(400, "VALIDATION_ERROR");
        }
    }

    async fn a_field_may_have_256_kib(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let id = text(&open(&agent, json!({})).await["id"]).to_owned();
        // The bound is that of what is sent: a string's own bytes, or an object's JSON.
        let most = 256 * 1024;
        let object = |length: usize| json!({ "ciphertext": "x".repeat(length), "wrappings": [] });
        let around = object(0).to_string().len();
        for (length, status) in [(most - around, 201), (most - around + 1, 413)] {
            let body = json!({ "encryptedContent": object(length) });
            assert_eq!(agent.post(&at_agent(&id, "/messages"), body).await.status, status);
        }
        let said = say(&agent, &id, &"x".repeat(most)).await;
        assert_eq!(text(&said["encryptedContent"]["ciphertext"]).len(), most);
        for field in ["encryptedContent", "encryptedComponents"] {
            let mut body = json!({});
            body[field] = json!("x".repeat(most + 1));
            agent.post(&at_agent(&id, "/messages"), body).await.expect_error(413, "PAYLOAD_TOO_LARGE");
        }
        agent.patch(&at_agent(&id, ""), json!({ "encryptedTitle": "x".repeat(most + 1) })).await.expect_error(413, "PAYLOAD_TOO_LARGE");
    }

    async fn schemes_plain_and_hpke_are_the_clients_own(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let id = text(&open(&agent, json!({})).await["id"]).to_owned();
        for envelope in [
            json!({ "scheme": "plain", "ciphertext": "eyJ0ZXh0IjoiaGkifQ==", "wrappings": [] }),
            json!({
                "scheme": "hpke", "ciphertext": "AAAA",
                "wrappings": [{ "recipientId": "r", "recipientKeyId": "k", "senderKeyId": "s", "enc": "AA==", "wrappedKey": "AA==" }],
            }),
            json!({ "scheme": "unknown scheme", "ciphertext": "not base64", "wrappings": [{}] }),
        ] {
            let said = agent.post(&at_agent(&id, "/messages"), json!({ "encryptedContent": envelope })).await.expect(201);
            let seen = human.get(&at_human(&id, &format!("/messages/{}", text(&said["id"])))).await.expect(200);
            assert_eq!(seen["encryptedContent"], envelope);
        }
    }

    async fn public_keys_are_a_directory(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        let before = say(&agent, &session, "sealed for the old key").await;
        let mut published = Vec::new();
        for client in [&agent, &human, &guest] {
            published.push(publish(client).await);
        }
        let people = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        let people = people["data"].as_array().expect("a list").clone();
        assert_eq!(people.len(), 3);
        for (keys, id) in &published {
            let is_theirs = |one: &&Value| ["agentId", "humanId", "guestId"].iter().any(|field| one[*field] == **id);
            let one = people.iter().find(is_theirs).expect("there");
            is_key_entry(&one["key"]);
            assert_eq!(one["key"]["keyId"], keys.id());
        }
        let humans = agent.get("/v1/agent/humans").await.expect(200);
        has_keys(&humans["data"][0], "id name key");
        assert_eq!(humans["data"][0]["key"]["keyId"], published[1].0.id());
        // A new key does not rewrite old envelopes.
        let (keys, id) = &published[1];
        let next = Keys::generate();
        human.put("/v1/human/public-key", next.entry_after(keys, id)).await.expect(200);
        let after = agent.get(&at_agent(&session, &format!("/messages/{}", text(&before["id"])))).await.expect(200);
        assert_eq!(after, before);
        assert_eq!(human.get("/v1/human/me").await.expect(200)["key"]["keyId"], next.id());
    }
}
