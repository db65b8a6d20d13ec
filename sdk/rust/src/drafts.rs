//! What a call creates: sessions, messages, and who is to take part.

use crate::types::{Envelope, Priority, Timestamp};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// An agent or human who is to take part in a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[must_use]
pub struct NewParticipant {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    human_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
}

impl NewParticipant {
    const NONE: Self = Self { kind: "Human", agent_id: None, human_id: None, email: None, name: None, role: None };

    /// The human with this e-mail address.
    pub fn human(email: impl Into<String>) -> Self {
        Self { email: Some(email.into()), ..Self::NONE }
    }

    /// The human with this id.
    pub fn human_id(id: Uuid) -> Self {
        Self { human_id: Some(id), ..Self::NONE }
    }

    /// The agent with this name.
    pub fn agent(name: impl Into<String>) -> Self {
        Self { kind: "Agent", name: Some(name.into()), ..Self::NONE }
    }

    /// The agent with this id.
    pub fn agent_id(id: Uuid) -> Self {
        Self { kind: "Agent", agent_id: Some(id), ..Self::NONE }
    }

    /// The id of a human who is named by it.
    pub(crate) fn human_by_id(&self) -> Option<Uuid> {
        self.human_id
    }

    /// The id by which the participant is named.
    pub(crate) fn id(&self) -> Option<Uuid> {
        self.agent_id.or(self.human_id)
    }

    /// What else names the participant: an e-mail address, or the name of an agent.
    pub(crate) fn address(&self) -> Option<String> {
        self.email.clone().or_else(|| Some(format!("agent {}", self.name.as_ref()?)))
    }

    /// A role of the application; `member` unless given.
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }
}

/// A session to open: with every human of the space, unless participants are named.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct NewSession {
    pub(crate) title: Option<String>,
    pub(crate) body: Map<String, Value>,
    pub(crate) idempotency_key: Option<String>,
}

impl NewSession {
    /// A session without a title.
    pub fn new() -> Self {
        Self::default()
    }

    /// A session with a title, which is sealed unless the encryption is off.
    pub fn titled(title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..Self::new() }
    }

    /// The id, a version 7 UUID; a new one unless given.
    pub fn id(self, id: Uuid) -> Self {
        self.with("id", json!(id))
    }

    /// How urgent it is; `Medium` unless given.
    pub fn priority(self, priority: Priority) -> Self {
        self.with("priority", json!(priority))
    }

    /// An object of the application, which the hub can read; at most 4 KiB of JSON.
    pub fn metadata(self, metadata: impl Into<Value>) -> Self {
        self.with("metadata", metadata)
    }

    /// Who takes part.
    pub fn participants(self, participants: impl IntoIterator<Item = NewParticipant>) -> Self {
        let participants: Vec<NewParticipant> = participants.into_iter().collect();
        self.with("participants", json!(participants))
    }

    /// Names the session, so that it is opened once within 24 hours, however often the call is made.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.body.insert(key.to_owned(), value.into());
        self
    }
}

/// A message to send. A string is its text.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct NewMessage {
    pub(crate) text: Option<String>,
    pub(crate) components: Option<Value>,
    pub(crate) fields: Map<String, Value>,
    pub(crate) idempotency_key: Option<String>,
}

impl NewMessage {
    /// A message of Markdown text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// A message of components: one component node as JSON, which may be a `group`.
    pub fn of_components(components: impl Into<Value>) -> Self {
        Self::default().components(components)
    }

    /// Adds components: one component node as JSON, which may be a `group`.
    pub fn components(mut self, components: impl Into<Value>) -> Self {
        self.components = Some(components.into());
        self
    }

    /// How urgent it is; `Medium` unless given.
    pub fn priority(self, priority: Priority) -> Self {
        self.with("priority", json!(priority))
    }

    /// The message that this one refers to.
    pub fn in_reply_to(self, message: Uuid) -> Self {
        self.with("inReplyTo", json!(message))
    }

    /// Makes it a question, which [`Client::await_response`](crate::Client::await_response) waits for.
    pub fn response_required(self) -> Self {
        self.with("responseRequired", true)
    }

    /// When a question expires; in the future.
    pub fn deadline_at(self, deadline: impl Into<Timestamp>) -> Self {
        self.with("deadlineAt", json!(deadline.into()))
    }

    /// The ids of the humans and guests who may answer a question; every human who takes part unless given.
    pub fn answerers(self, answerers: impl IntoIterator<Item = Uuid>) -> Self {
        self.with("answerers", json!(answerers.into_iter().collect::<Vec<_>>()))
    }

    /// Names the message, so that it is sent once within 24 hours, however often the call is made.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(key.to_owned(), value.into());
        self
    }

    /// What is sealed: `mark` goes into the content, for the agent to find its own question again.
    pub(crate) fn content(&self, mark: Option<&str>) -> Map<String, Value> {
        let mut content = Map::new();
        if let Some(text) = &self.text {
            content.insert("text".to_owned(), json!(text));
        }
        if let Some(mark) = mark {
            content.insert(MARK.to_owned(), json!(mark));
        }
        content
    }

    /// The plaintext of an envelope end to end.
    pub(crate) fn plaintext(&self, mark: Option<&str>) -> Value {
        let content = self.content(mark);
        let mut plaintext = Map::new();
        if !content.is_empty() || self.components.is_none() {
            plaintext.insert("content".to_owned(), Value::Object(content));
        }
        if let Some(components) = &self.components {
            plaintext.insert("components".to_owned(), components.clone());
        }
        Value::Object(plaintext)
    }

    /// The body for a hub that is trusted with the content.
    pub(crate) fn body(&self, mark: Option<&str>) -> Map<String, Value> {
        let content = self.content(mark);
        let mut body = Map::new();
        let seal = |value: &Value| json!(Envelope::plain(value));
        if !content.is_empty() {
            body.insert(CONTENT.to_owned(), seal(&Value::Object(content)));
        }
        if let Some(components) = &self.components {
            body.insert("encryptedComponents".to_owned(), seal(components));
        }
        body.extend(self.fields.clone());
        body
    }
}

/// The body that the hub gets where the encryption is off.
impl Serialize for NewMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.body(None).serialize(serializer)
    }
}

impl<T: Into<String>> From<T> for NewMessage {
    fn from(text: T) -> Self {
        Self::text(text)
    }
}

/// The field of a message's content.
pub(crate) const CONTENT: &str = "encryptedContent";
/// The member of a question's content that holds its mark. Clients ignore members that they do not know.
pub(crate) const MARK: &str = "questionKey";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_sealed() {
        let body = NewMessage::text("Done").priority(Priority::High).body(None);
        let envelope: Envelope = serde_json::from_value(body["encryptedContent"].clone()).expect("an envelope");
        assert_eq!(envelope.content().and_then(|content| content.text).as_deref(), Some("Done"));
        assert_eq!((body.get("priority"), body.get("encryptedComponents")), (Some(&json!("High")), None));
    }

    #[test]
    fn participants_have_the_fields_of_the_hub() {
        let body = NewSession::titled("Deploy")
            .participants([NewParticipant::human("ada@example.org"), NewParticipant::agent("bot").role("reviewer")])
            .body;
        assert_eq!(
            body["participants"],
            json!([{ "type": "Human", "email": "ada@example.org" }, { "type": "Agent", "name": "bot", "role": "reviewer" }])
        );
    }
}
