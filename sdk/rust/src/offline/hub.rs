//! The hub of the offline mode: the calls that a client makes, on a store in memory.

use super::person::{Answers, OfflinePerson};
use super::store::{Session, Store, page};
use crate::call::{Call, Exchange, Failure};
use crate::e2e::entry::Entry;
use crate::error::Error;
use crate::types::envelope::Envelope;
use crate::types::timestamp::Timestamp;
use futures::future::BoxFuture;
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use uuid::Uuid;

/// Changes the reply to a call.
#[cfg(test)]
pub(super) type Lie = Box<dyn FnMut(&Call, &mut Value) + Send>;

type Reply = Result<Value, (u16, &'static str)>;

const NOT_FOUND: (u16, &str) = (404, "NOT_FOUND");

pub(super) struct OfflineHub {
    pub(super) agent: Uuid,
    space: Uuid,
    pub(super) person: OfflinePerson,
    store: Mutex<Store>,
    settled: Notify,
    /// Changes replies, as a hub that lies would.
    #[cfg(test)]
    pub(super) lie: Mutex<Option<Lie>>,
}

impl Exchange for OfflineHub {
    fn attempt<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<u8>, Failure>> {
        Box::pin(async move {
            #[allow(unused_mut)]
            let mut reply = self.reply(call).await;
            #[cfg(test)]
            if let (Ok(reply), Some(lie)) = (&mut reply, self.lie.lock().expect("no panic").as_mut()) {
                lie(call, reply);
            }
            match reply {
                Ok(reply) => Ok(reply.to_string().into_bytes()),
                Err((status, code)) => {
                    let body = json!({ "error": { "code": code, "message": "offline" } }).to_string();
                    let error = Error::refused(&call.what(), status, None, body.as_bytes());
                    Err(Failure { error, pause: None })
                }
            }
        })
    }
}

impl OfflineHub {
    pub(super) fn new(answers: Answers) -> Self {
        Self {
            agent: Uuid::now_v7(),
            space: Uuid::now_v7(),
            person: OfflinePerson::new(answers),
            store: Mutex::default(),
            settled: Notify::new(),
            #[cfg(test)]
            lie: Mutex::default(),
        }
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn reply(&self, call: &Call) -> Reply {
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let body = call.body.clone().unwrap_or_default();
        match (call.method.as_str(), parts.as_slice()) {
            ("GET", ["livez"]) => Ok(json!({})),
            ("GET", ["v1", "agent", "me"]) => Ok(json!({
                "id": self.agent, "spaceId": self.space, "name": "offline", "permission": "agent", "expiresAt": null,
                "key": self.store().agent_key,
            })),
            ("PUT", ["v1", "agent", "public-key"]) => {
                self.store().agent_key = body.clone();
                Ok(body)
            }
            ("GET", ["v1", "agent", "humans"]) => {
                let key = self.person.identity.entry();
                Ok(page(&[json!({ "id": self.person.id, "name": "offline", "key": key })], query))
            }
            ("GET", ["v1", "agent", "answers"]) => Ok(page(&self.unacknowledged(), query)),
            ("GET", ["v1", "agent", "sessions"]) => {
                Ok(page(&self.store().sessions.values().map(Session::json).collect::<Vec<_>>(), query))
            }
            ("POST", ["v1", "agent", "sessions"]) => self.open(&body),
            (method, ["v1", "agent", "sessions", session, rest @ ..]) => {
                let session = session.parse().map_err(|_| NOT_FOUND)?;
                if !self.store().sessions.contains_key(&session) {
                    return Err(NOT_FOUND);
                }
                self.in_session((method, rest), session, call, &body, query).await
            }
            _ => Err(NOT_FOUND),
        }
    }

    fn unacknowledged(&self) -> Vec<Value> {
        let store = self.store();
        let messages = store.sessions.values().flat_map(|session| &session.messages);
        let open = |message: &&Value| {
            message["responseRequired"] == true && message["status"] != "Pending" && message["acknowledgedAt"].is_null()
        };
        messages.filter(open).cloned().collect()
    }

    fn open(&self, body: &Value) -> Reply {
        let id = body["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_else(Uuid::now_v7);
        let mut store = self.store();
        if store.sessions.contains_key(&id) {
            return Err((409, "CONFLICT"));
        }
        let session = Session::new(id, self.space, self.agent, body);
        let reply = session.json();
        store.sessions.insert(id, session);
        Ok(reply)
    }

    async fn in_session(&self, route: (&str, &[&str]), id: Uuid, call: &Call, body: &Value, query: &str) -> Reply {
        if let ("GET", ["messages", message, "await"]) = route {
            return self.settled(id, message.parse().map_err(|_| NOT_FOUND)?, call).await;
        }
        let mut store = self.store();
        let agent_key = store.agent_key.clone();
        let session = store.sessions.get_mut(&id).ok_or(NOT_FOUND)?;
        match route {
            ("GET", []) => Ok(session.json()),
            ("PATCH", []) => {
                session.fields.extend(body.as_object().cloned().unwrap_or_default());
                Ok(session.json())
            }
            ("POST", ["close" | "archive"]) => {
                session.fields.insert("status".to_owned(), json!("Closed"));
                Ok(session.json())
            }
            ("POST", ["typing"]) => Ok(Value::Null),
            ("GET", ["participants"]) => Ok(page(&self.participants(id, &agent_key), query)),
            ("POST", ["participants"]) => Ok(self.participants(id, &agent_key)[1].clone()),
            ("GET", ["keys"]) => Ok(page(&[], query)),
            ("GET", ["messages"]) => Ok(page(&session.messages, query)),
            ("GET", ["timeline"]) => {
                let after = query.split('&').find_map(|pair| pair.strip_prefix("after=")?.parse().ok()).unwrap_or(0);
                let events: Vec<&Value> = session.events.iter().skip(after).collect();
                Ok(json!({ "data": events, "lastSeq": session.events.len(), "hasMore": false }))
            }
            ("POST", ["messages"]) => {
                drop(store);
                self.post(id, body, call.idempotency_key.as_deref().unwrap_or_default(), &agent_key)
            }
            ("GET" | "POST", ["messages", message, rest @ ..]) => {
                let message = session.message(message.parse().map_err(|_| NOT_FOUND)?).ok_or(NOT_FOUND)?;
                match rest {
                    ["acknowledge"] if message["acknowledgedAt"].is_null() => {
                        message["acknowledgedAt"] = json!(Timestamp::now());
                    }
                    ["acknowledge"] if body["exclusive"] == true => return Err((409, "ALREADY_ACKNOWLEDGED")),
                    ["cancel"] if message["status"] != "Pending" => return Err((409, "ALREADY_SETTLED")),
                    ["cancel"] => message["status"] = json!("Cancelled"),
                    _ => {}
                }
                Ok(message.clone())
            }
            _ => Err(NOT_FOUND),
        }
    }

    fn participants(&self, session: Uuid, agent_key: &Value) -> Vec<Value> {
        let participant = |kind: &str, id: Uuid, key: Value| {
            let of = |wanted: &str| if wanted == kind { json!(id) } else { Value::Null };
            json!({
                "id": id, "sessionId": session, "type": kind, "agentId": of("Agent"), "humanId": of("Human"),
                "guestId": null, "name": "offline", "role": "member", "key": key, "invitedBy": null, "lastReadSeq": 0,
                "online": true, "addedAt": Timestamp::now(),
            })
        };
        vec![
            participant("Agent", self.agent, agent_key.clone()),
            participant("Human", self.person.id, json!(self.person.identity.entry())),
        ]
    }

    /// Stores a message; the person answers a question at once.
    fn post(&self, session_id: Uuid, body: &Value, key: &str, agent_key: &Value) -> Reply {
        let mut store = self.store();
        if let Some((session, message)) = store.sent.get(key).copied() {
            let message = store.sessions.get_mut(&session).and_then(|session| session.message(message).cloned());
            // The same request again, or another one under the same key.
            return match message {
                Some(message) if message["encryptedContent"] == body["encryptedContent"] => Ok(message),
                _ => Err((422, "IDEMPOTENCY_MISMATCH")),
            };
        }
        let session = store.sessions.get_mut(&session_id).ok_or(NOT_FOUND)?;
        let id = session.add(("Agent", self.agent), body);
        let posted = session.message(id).cloned().ok_or(NOT_FOUND)?;
        if body["responseRequired"] == true {
            let question = Envelope::deserialize(&body["encryptedContent"]).ok();
            let entry = Entry::deserialize(agent_key).ok();
            let carrier = (session_id, id, posted["seq"].as_i64().unwrap_or(0));
            let reply = question
                .zip(entry)
                .and_then(|(question, entry)| self.person.answer(&question, (self.agent, &entry), carrier));
            match reply {
                Some(reply) => self.settle(session, id, &json!(reply.envelope), &json!(reply.outcome)),
                None => {
                    if let Some(message) = session.message(id) {
                        message["status"] = json!("Expired");
                    }
                    session.event(
                        "message.expired",
                        &json!({ "type": "System", "id": null, "name": "" }),
                        &json!({ "messageId": id }),
                    );
                }
            }
            self.settled.notify_waiters();
        }
        store.sent.insert(key.to_owned(), (session_id, id));
        Ok(posted)
    }

    /// Stores the answer to a question.
    pub(super) fn settle(&self, session: &mut Session, question: Uuid, content: &Value, outcome: &Value) {
        let body = json!({ "encryptedContent": content, "inReplyTo": question });
        let answer = session.add(("Human", self.person.id), &body);
        let by = json!({ "type": "Human", "id": self.person.id, "name": "offline" });
        let response = json!({
            "messageId": answer, "respondedBy": by, "respondedAt": Timestamp::now(), "outcome": outcome,
            "encryptedContent": content, "encryptedComponents": null,
        });
        if let Some(message) = session.message(question) {
            message["status"] = json!("Completed");
            message["outcome"] = outcome.clone();
            message["response"] = response.clone();
        }
        session.event("message.completed", &by, &json!({ "messageId": question, "response": response }));
    }

    /// A long-poll.
    async fn settled(&self, session: Uuid, message: Uuid, call: &Call) -> Reply {
        let is_settled = || {
            let mut store = self.store();
            let message = store.sessions.get_mut(&session)?.message(message)?.clone();
            Some(message)
        };
        let changed = self.settled.notified();
        let message = is_settled().ok_or(NOT_FOUND)?;
        if message["status"] != "Pending" {
            return Ok(message);
        }
        let _ = tokio::time::timeout(call.wait, changed).await;
        is_settled().ok_or(NOT_FOUND)
    }
}
