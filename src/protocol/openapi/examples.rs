//! Examples of replies: an agent asks whether to deploy, and a person approves.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::openapi::{RefOr, Schema};

const SPACE: &str = "019d2490-3c00-7a10-9c4e-5d2f8b7a6c01";
const SESSION: &str = "019d2496-ba40-7b31-8e15-0c9d4a7f2e11";
const AGENT: &str = "019d2490-4ba0-7c52-a3d8-91e6f4b0c721";
const HUMAN: &str = "019d2490-5b40-7d73-b1f9-26a7c8e3d531";
const GUEST: &str = "019d2496-c9e0-7e94-8a2b-3b58d9f4e641";
const QUESTION: &str = "019d2496-cdc8-7fb5-9b3c-4c69ea05f751";
const ANSWER: &str = "019d2497-2d00-70d6-ac4d-5d7afb160861";
const BEGAN: &str = "2026-03-25T10:30:00.000Z";
const ASKED: &str = "2026-03-25T10:30:05.000Z";
const ANSWERED: &str = "2026-03-25T10:30:29.376Z";

/// Gives each schema that has an example here its example.
pub fn add(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    for (name, example) in all() {
        match schemas.get_mut(name) {
            Some(RefOr::T(Schema::Object(object))) => object.examples = vec![example],
            Some(RefOr::T(Schema::AllOf(all))) => all.examples = vec![example],
            _ => {}
        }
    }
}

fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("Session", session()),
        ("Message", message()),
        ("Response", response()),
        (
            "Event",
            json!({ "sessionId": SESSION, "seq": 2, "type": "message.created", "at": ASKED, "actor": agent_actor(), "data": { "message": message() } }),
        ),
        ("Actor", ada()),
        ("Responder", ada()),
        ("AlreadyResponded", json!({ "responseMessageId": ANSWER, "respondedBy": ada(), "respondedAt": ANSWERED })),
        ("LimitReached", json!({ "limit": 1000 })),
        ("Participant", participant("Human", HUMAN, "Ada")),
        ("KeyEntry", key_entry()),
        ("Interaction", interaction()),
        ("Agent", agent()),
        ("Human", human()),
        ("Space", json!({ "id": SPACE, "name": "default", "createdAt": BEGAN })),
        ("GuestToken", guest_token()),
        (
            "Tokens",
            json!({ "accessToken": "a JWT", "tokenType": "Bearer", "expiresAt": "2026-03-25T11:30:00.000Z", "refreshToken": "an opaque text, to be used once" }),
        ),
    ]
}

/// An envelope of the scheme `plain`, which the chat page reads.
fn plain(ciphertext: &str) -> Value {
    json!({ "scheme": "plain", "ciphertext": ciphertext, "wrappings": [] })
}

fn question() -> Value {
    plain("eyJ0ZXh0IjoiRGVwbG95IDQuMj8ifQ==")
}

fn agent_actor() -> Value {
    json!({ "type": "Agent", "id": AGENT, "name": "deployer" })
}

fn ada() -> Value {
    json!({ "type": "Human", "id": HUMAN, "name": "Ada" })
}

fn session() -> Value {
    json!({
        "id": SESSION, "spaceId": SPACE, "createdByAgentId": AGENT, "createdByHumanId": null,
        "title": "Deploy 4.2", "encryptedTitle": null, "status": "Active", "priority": "Medium",
        "metadata": { "build": 412 }, "lastSeq": 4, "pendingCount": 0,
        "createdAt": BEGAN, "updatedAt": ANSWERED, "closedAt": null, "archivedAt": null,
    })
}

fn message() -> Value {
    json!({
        "id": QUESTION, "sessionId": SESSION, "seq": 2, "senderType": "Agent", "senderAgentId": AGENT,
        "senderHumanId": null, "senderGuestId": null, "senderName": "deployer",
        "encryptedContent": question(), "encryptedComponents": null, "responseRequired": true, "status": "Pending",
        "priority": "High", "deadlineAt": null, "answerers": null, "inReplyTo": null, "outcome": null, "response": null,
        "acknowledgedAt": null, "createdAt": ASKED, "updatedAt": ASKED,
    })
}

/// Its content is `{"action":"approve"}`.
fn response() -> Value {
    json!({
        "messageId": ANSWER, "respondedBy": ada(), "respondedAt": ANSWERED, "outcome": "Approved",
        "encryptedContent": plain("eyJhY3Rpb24iOiJhcHByb3ZlIn0="), "encryptedComponents": null,
    })
}

fn participant(kind: &str, id: &str, name: &str) -> Value {
    let id_of = |wanted: &str| (kind == wanted).then_some(id);
    json!({
        "id": "019d2496-ba40-71f7-9d5e-6e8b0c271971", "sessionId": SESSION, "type": kind,
        "agentId": id_of("Agent"), "humanId": id_of("Human"), "guestId": id_of("Guest"), "name": name,
        "role": "member", "key": null, "invitedBy": agent_actor(), "lastReadSeq": 0,
        "online": false, "addedAt": BEGAN,
    })
}

fn key_entry() -> Value {
    json!({
        "publicKey": "rzjEeExQbKcq0SjxSD-PugZjiso0Jgt7zFVmzPuvsTs",
        "signingKey": "ANe1eUWHygkDWi2syttqmqsTEtoXH6vmYl7jDFykdKw",
        "keyId": "9da0NdXb-Gdh4fYFZPEg4g",
        "proof": "MI2WwHKQYXuUzyyrZhuynk4dyjZIzM67v5ZXcbU7Au7RqnSmP9yo_d0-qgQlbWh7MGFMvBvpkfL_NqOspJf5DA",
        "previous": null, "attestation": null, "createdAt": BEGAN,
    })
}

fn interaction() -> Value {
    json!({
        "id": SESSION, "sessionId": SESSION, "messageId": QUESTION, "agentId": AGENT, "type": "approval",
        "title": "Deploy 4.2", "status": "Completed", "priority": "High", "encryptedContent": question(),
        "encryptedComponents": null, "blocks": [], "deadlineAt": null, "acknowledgedAt": null,
        "response": response(), "createdAt": ASKED, "updatedAt": ANSWERED,
    })
}

fn agent() -> Value {
    json!({
        "id": AGENT, "spaceId": SPACE, "name": "deployer", "description": "Deploys what people approve",
        "key": null, "createdAt": BEGAN,
    })
}

fn human() -> Value {
    json!({
        "id": HUMAN, "spaceId": SPACE, "email": "ada@example.org", "name": "Ada", "role": "Member",
        "key": null, "createdAt": BEGAN,
    })
}

fn guest_token() -> Value {
    let token = format!("hlg_{}", "0123456789abcdef".repeat(4));
    json!({
        "id": GUEST, "token": token, "url": format!("https://hub.example.org/#guest={token}"),
        "expiresAt": "2026-03-26T10:30:00.000Z", "participant": participant("Guest", GUEST, "Priya"),
    })
}
