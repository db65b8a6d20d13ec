//! One example for each type and shape of frame. Tests send the examples of client frames to a hub.

use serde_json::{Value, json};

const SESSION: &str = "0198f7b2-5a10-7c3e-9d2f-3f1c8a6b7d01";
const MESSAGE: &str = "0198f7b2-7c42-7d15-8b3a-91e0f4c25a02";
const AGENT: &str = "0198f7b1-02d4-7a6c-a1b7-5d2e9f803c03";
const HUMAN: &str = "0198f7b1-1e9f-7b80-b4c6-0a7d1f524e04";
const PARTICIPANT: &str = "0198f7b2-5a11-7e01-8c55-c3d2b1a09f05";
const CONNECTION: &str = "0198f7b3-00aa-7f4d-9e6b-7a8b9c0d1e06";
const AT: &str = "2026-03-25T10:30:00.000Z";
const KEY: &str = "hlp_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The examples of a message: `side` is `client` or `hub`.
pub(super) fn of(side: &str, kind: &str) -> Vec<Value> {
    let payloads = if side == "client" { client(kind) } else { hub(kind) };
    payloads.into_iter().map(|payload| json!({ "payload": payload })).collect()
}

fn client(kind: &str) -> Vec<Value> {
    match kind {
        "auth" => vec![
            json!({ "type": "auth", "id": 1, "token": KEY, "agent": "deploy-bot" }),
            json!({ "type": "auth", "id": 1, "token": KEY }),
        ],
        "refresh" => vec![json!({ "type": "refresh", "id": 2, "token": KEY })],
        "subscribe" => vec![
            json!({ "type": "subscribe", "id": 3, "sessionId": SESSION, "after": 0 }),
            json!({ "type": "subscribe", "id": "live", "sessionId": SESSION }),
            json!({ "type": "subscribe", "id": 4, "feed": true }),
        ],
        "unsubscribe" => vec![
            json!({ "type": "unsubscribe", "id": 5, "sessionId": SESSION }),
            json!({ "type": "unsubscribe", "id": 6, "feed": true }),
        ],
        "send" => vec![
            json!({
                "type": "send",
                "id": 7,
                "sessionId": SESSION,
                "encryptedContent": envelope(),
                "responseRequired": true,
                "priority": "High",
                "answerers": [HUMAN],
                "idempotencyKey": "deploy-4.2",
            }),
            json!({
                "type": "send",
                "id": 8,
                "sessionId": SESSION,
                "encryptedContent": envelope(),
                "inReplyTo": MESSAGE,
                "settles": true,
                "outcome": "Approved",
            }),
        ],
        "typing" => vec![json!({ "type": "typing", "sessionId": SESSION, "typing": true })],
        "read" => vec![json!({ "type": "read", "sessionId": SESSION, "seq": 1 })],
        "ping" => vec![json!({ "type": "ping", "id": 8 }), json!({ "type": "ping" })],
        _ => Vec::new(),
    }
}

fn hub(kind: &str) -> Vec<Value> {
    match kind {
        "hello" => {
            let hello = json!({
                "type": "hello",
                "principal": agent(),
                "connectionId": CONNECTION,
                "heartbeatSeconds": 25,
                "expiresAt": null,
            });
            let mut answer = hello.clone();
            answer["id"] = json!(1);
            vec![hello, answer]
        }
        "refreshed" => vec![json!({ "type": "refreshed", "id": 2, "expiresAt": AT })],
        "subscribed" => vec![
            json!({ "type": "subscribed", "id": 3, "sessionId": SESSION, "seq": 2, "replay": 2, "firstSeq": 1 }),
            json!({ "type": "subscribed", "id": 3, "sessionId": SESSION, "seq": 2, "replay": 2, "firstSeq": 1, "reset": true }),
            json!({ "type": "subscribed", "id": 4, "feed": true }),
        ],
        "unsubscribed" => vec![
            json!({ "type": "unsubscribed", "id": 5, "sessionId": SESSION }),
            json!({ "type": "unsubscribed", "id": 6, "feed": true }),
            json!({ "type": "unsubscribed", "sessionId": SESSION, "reason": "removed" }),
            json!({ "type": "unsubscribed", "sessionId": SESSION, "reason": "reset" }),
        ],
        "sent" => vec![json!({ "type": "sent", "id": 7, "message": message() })],
        "pong" => vec![json!({ "type": "pong", "id": 8 })],
        "error" => vec![json!({
            "type": "error",
            "id": 3,
            "error": { "code": "NOT_FOUND", "message": "Session not found" },
        })],
        "event" => vec![json!({ "type": "event", "event": {
            "sessionId": SESSION,
            "seq": 2,
            "type": "message.created",
            "at": AT,
            "actor": agent(),
            "data": { "message": message() },
        } })],
        "feed" => vec![json!({
            "type": "feed",
            "sessionId": SESSION,
            "seq": 2,
            "event": "message.created",
            "pendingCount": 1,
            "at": AT,
        })],
        "typing" => vec![
            json!({ "type": "typing", "sessionId": SESSION, "actor": human(), "typing": true, "expiresInMs": 6000 }),
            json!({ "type": "typing", "sessionId": SESSION, "actor": human(), "typing": false, "expiresInMs": 0 }),
        ],
        "presence" => vec![
            json!({ "type": "presence", "sessionId": SESSION, "participantId": PARTICIPANT, "online": true }),
            json!({ "type": "presence", "sessionId": SESSION, "changes": [
                { "participantId": PARTICIPANT, "online": true },
            ] }),
        ],
        "receipt" => vec![json!({ "type": "receipt", "sessionId": SESSION, "participantId": PARTICIPANT, "seq": 2 })],
        "goaway" => vec![json!({ "type": "goaway", "reconnectAfterMs": [200, 5000] })],
        _ => Vec::new(),
    }
}

fn agent() -> Value {
    json!({ "type": "Agent", "id": AGENT, "name": "deploy-bot" })
}

fn human() -> Value {
    json!({ "type": "Human", "id": HUMAN, "name": "Ada" })
}

fn envelope() -> Value {
    json!({ "scheme": "plain", "ciphertext": "eyJ0ZXh0IjoiRGVwbG95IDQuMj8ifQ==", "wrappings": [] })
}

fn message() -> Value {
    json!({
        "id": MESSAGE,
        "sessionId": SESSION,
        "seq": 2,
        "senderType": "Agent",
        "senderAgentId": AGENT,
        "senderHumanId": null,
        "senderGuestId": null,
        "senderName": "deploy-bot",
        "encryptedContent": envelope(),
        "encryptedComponents": null,
        "responseRequired": true,
        "status": "Pending",
        "priority": "High",
        "deadlineAt": null,
        "answerers": [HUMAN],
        "inReplyTo": null,
        "outcome": null,
        "response": null,
        "acknowledgedAt": null,
        "createdAt": AT,
        "updatedAt": AT,
    })
}
