//! What the hub of the offline mode keeps, as the JSON of its replies.

use crate::types::timestamp::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use uuid::Uuid;

#[derive(Default)]
pub(super) struct Store {
    pub(super) agent_key: Value,
    pub(super) sessions: HashMap<Uuid, Session>,
    /// The message of each idempotency key.
    pub(super) sent: HashMap<String, (Uuid, Uuid)>,
}

#[derive(Default)]
pub(super) struct Session {
    pub(super) fields: Map<String, Value>,
    pub(super) messages: Vec<Value>,
    pub(super) events: Vec<Value>,
}

impl Session {
    pub(super) fn new(id: Uuid, space: Uuid, agent: Uuid, body: &Value) -> Self {
        let now = Timestamp::now();
        let fields = json!({
            "id": id, "spaceId": space, "createdByAgentId": agent, "createdByHumanId": null, "title": body["title"],
            "encryptedTitle": body["encryptedTitle"], "status": "Active",
            "priority": body["priority"].as_str().unwrap_or("Medium"), "metadata": body["metadata"], "createdAt": now,
            "updatedAt": now, "closedAt": null, "archivedAt": null,
        });
        let Value::Object(fields) = fields else { return Self::default() };
        let mut session = Self { fields, ..Self::default() };
        session.event("session.created", &json!({ "type": "Agent", "id": agent, "name": "offline" }), &json!({}));
        session
    }

    pub(super) fn json(&self) -> Value {
        let mut session = self.fields.clone();
        let pending = self.messages.iter().filter(|message| message["status"] == "Pending").count();
        session.insert("lastSeq".to_owned(), json!(self.events.len()));
        session.insert("pendingCount".to_owned(), json!(pending));
        Value::Object(session)
    }

    /// The `seq` of the next event.
    pub(super) fn next_seq(&self) -> i64 {
        i64::try_from(self.events.len()).unwrap_or(i64::MAX) + 1
    }

    pub(super) fn event(&mut self, kind: &str, actor: &Value, data: &Value) {
        let event = json!({
            "sessionId": self.fields["id"], "seq": self.next_seq(), "type": kind, "at": Timestamp::now(),
            "actor": actor, "data": data,
        });
        self.events.push(event);
    }

    /// Stores a message; its id.
    pub(super) fn add(&mut self, sender: (&str, Uuid), body: &Value) -> Uuid {
        let (id, now) = (Uuid::now_v7(), Timestamp::now());
        let is_question = body["responseRequired"] == true;
        let (kind, principal) = sender;
        let of = |wanted: &str| if wanted == kind { json!(principal) } else { Value::Null };
        let message = json!({
            "id": id, "sessionId": self.fields["id"], "seq": self.next_seq(), "senderType": kind,
            "senderAgentId": of("Agent"), "senderHumanId": of("Human"), "senderGuestId": null, "senderName": "offline",
            "encryptedContent": body["encryptedContent"], "encryptedComponents": body["encryptedComponents"],
            "responseRequired": is_question, "status": if is_question { "Pending" } else { "Completed" },
            "priority": body["priority"].as_str().unwrap_or("Medium"), "deadlineAt": body["deadlineAt"],
            "answerers": body["answerers"], "inReplyTo": body["inReplyTo"], "outcome": null, "response": null,
            "acknowledgedAt": null, "createdAt": now, "updatedAt": now,
        });
        let actor = json!({ "type": kind, "id": principal, "name": "offline" });
        self.event("message.created", &actor, &json!({ "message": message }));
        self.messages.push(message);
        id
    }

    pub(super) fn message(&mut self, id: Uuid) -> Option<&mut Value> {
        self.messages.iter_mut().find(|message| message["id"] == json!(id))
    }
}

/// A page of a list, as a query asks for it.
pub(super) fn page(data: &[Value], query: &str) -> Value {
    let number = |name: &str, unless: usize| {
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok()).unwrap_or(unless)
    };
    let (page, size) = (number("page", 1), number("pageSize", 20));
    let entries: Vec<&Value> = data.iter().skip((page - 1) * size).take(size).collect();
    json!({ "data": entries, "total": data.len(), "page": page, "pageSize": size })
}
