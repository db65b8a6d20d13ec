//! What clients send, over HTTP or a socket, before it is checked: bodies in, domain values out.

use super::answer::OUTCOME_WITHOUT_ANSWER;
use super::decide::NewMessage;
use super::envelope::EnvelopeInput;
use super::interaction::{DEFAULT_KIND, NewInteraction};
use super::json::{Unfit, on_one_line};
use super::session::SessionPatch;
use super::text::{MAX_EMAIL, MAX_METADATA, MAX_TITLE, check_name, check_text};
use super::{
    AgentId, AnswerOutcome, Envelope, HumanId, MessageId, ParticipantType, PrincipalId, Priority, Refusal, SessionId,
    Timestamp, time,
};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt;
use utoipa::ToSchema;

/// Most answerers of a question.
pub const MAX_ANSWERERS: usize = 100;
/// Most participants that may be named at once: enough for everybody in a space where they must be named.
pub const MAX_NAMED: usize = 1000;

/// A message to post. One of content and components is required, except of an answer with an `outcome`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(examples(json!({ "encryptedContent": { "scheme": "plain", "ciphertext": "eyJ0ZXh0IjoiRGVwbG95IDQuMj8ifQ==", "wrappings": [] }, "responseRequired": true, "priority": "High" })))]
#[serde(rename_all = "camelCase")]
pub struct MessageDraft {
    #[schema(value_type = Option<EnvelopeInput>)]
    pub encrypted_content: Option<Box<RawValue>>,
    #[schema(value_type = Option<EnvelopeInput>)]
    pub encrypted_components: Option<Box<RawValue>>,
    /// Of an agent: the message waits for an answer. `false` unless given; ignored from people.
    pub response_required: Option<bool>,
    /// `Medium` unless given.
    pub priority: Option<Priority>,
    /// Of an agent: when the message expires; in the future. Ignored from people.
    #[serde(default, deserialize_with = "time::sent")]
    pub deadline_at: Option<Timestamp>,
    /// Of an agent, with `responseRequired`: the ids of the humans and guests of the session who may answer; without it,
    /// every human who takes part. Ignored from people.
    #[schema(min_items = 1, max_items = 100)]
    pub answerers: Option<Vec<PrincipalId>>,
    /// A message of the session. A person's reply to a pending one is its response, unless `settles` is `false`.
    pub in_reply_to: Option<MessageId>,
    /// Of a person: `false` for a remark or a question back, after which the message that it replies to stays pending.
    /// `true` unless given; ignored from agents, whose replies settle nothing.
    pub settles: Option<bool>,
    /// Of a person: what an answer says in clear. `Answered` unless given; only with a reply that settles. Ignored from
    /// agents.
    pub outcome: Option<AnswerOutcome>,
}

impl MessageDraft {
    /// Checks the draft. Only an agent may require a response, with a deadline and answerers, and only a person may
    /// answer; of the other those keys are ignored, as unknown ones are.
    pub fn check(self, by_person: bool, max_field: usize) -> Result<NewMessage, Refusal> {
        let outcome = self.outcome.filter(|_| by_person);
        let settles = by_person && self.settles.unwrap_or(true);
        if outcome.is_some() && !(settles && self.in_reply_to.is_some()) {
            return Err(Refusal::invalid("outcome", OUTCOME_WITHOUT_ANSWER));
        }
        if self.encrypted_content.is_none() && self.encrypted_components.is_none() && outcome.is_none() {
            return Err(Refusal::required("encryptedContent"));
        }
        let response_required = !by_person && self.response_required.unwrap_or(false);
        let answerers = self.answerers.filter(|_| !by_person);
        if let Some(answerers) = &answerers {
            check_answerers(answerers, response_required)?;
        }
        Ok(NewMessage {
            id: MessageId::new(),
            encrypted_content: envelope("encryptedContent", self.encrypted_content, max_field)?,
            encrypted_components: envelope("encryptedComponents", self.encrypted_components, max_field)?,
            response_required,
            priority: self.priority.unwrap_or(Priority::Medium),
            deadline_at: self.deadline_at.filter(|_| !by_person),
            answerers,
            in_reply_to: self.in_reply_to,
            settles,
            outcome,
        })
    }
}

/// Checks what can be seen without the session: that all of them take part is for its rules to say.
fn check_answerers(answerers: &[PrincipalId], response_required: bool) -> Result<(), Refusal> {
    let refuse = |problem: &str| Err(Refusal::invalid("answerers", problem));
    if !response_required {
        return refuse("stands only with 'responseRequired'");
    }
    if answerers.is_empty() || answerers.len() > MAX_ANSWERERS {
        return refuse(&format!("must have 1 to {MAX_ANSWERERS} entries"));
    }
    let distinct: HashSet<_> = answerers.iter().collect();
    if distinct.len() < answerers.len() {
        return refuse("must not name anybody twice");
    }
    Ok(())
}

fn envelope(field: &str, sent: Option<Box<RawValue>>, max: usize) -> Result<Option<Envelope>, Refusal> {
    sent.map(|sent| Envelope::from_sent(field, &sent, max)).transpose()
}

/// Tells a key that is null (`Some(None)`) from one that is absent (`None`).
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A session to open.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(examples(json!({ "title": "Deploy 4.2", "participants": [{ "type": "Human", "email": "ada@example.org" }] })))]
#[serde(rename_all = "camelCase")]
pub struct SessionDraft {
    /// A version 7 UUID of about now, chosen by the client; one by the hub unless given.
    pub id: Option<SessionId>,
    /// Plain text that the hub sees.
    #[schema(max_length = 200, pattern = "PLAIN_TEXT")]
    pub title: Option<String>,
    #[schema(value_type = Option<EnvelopeInput>)]
    pub encrypted_title: Option<Box<RawValue>>,
    pub priority: Option<Priority>,
    /// An object of at most 4,096 bytes of JSON, which the hub sees.
    #[serde(default, deserialize_with = "metadata")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Box<RawValue>>,
    /// Without them a session of an agent gets every human of the space; a person names at least one agent.
    #[serde(default, deserialize_with = "participants")]
    #[schema(max_items = 1000)]
    pub participants: Option<Vec<ParticipantDraft>>,
}

impl SessionDraft {
    /// Checks what can be seen of the fields at a glance, before anybody is looked up.
    pub fn look_over(&self, max_field: usize) -> Result<(), Refusal> {
        if let Some(title) = &self.title {
            check_text("title", title, MAX_TITLE)?;
        }
        self.encrypted_title
            .as_ref()
            .map_or(Ok(()), |sent| Envelope::from_sent("encryptedTitle", sent, max_field).map(drop))
    }

    /// Checks all but the participants.
    pub fn check(self, max_field: usize) -> Result<SessionPatch, Refusal> {
        let fields = SessionChange {
            title: self.title.map(Some),
            encrypted_title: self.encrypted_title.map(Some),
            priority: self.priority,
            metadata: self.metadata.map(Some),
        };
        fields.check(max_field)
    }
}

/// A change of a session: a field that is absent stays, null clears it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(examples(json!({ "title": "Deploy 4.2.1", "priority": "High" })))]
#[serde(rename_all = "camelCase")]
pub struct SessionChange {
    /// Plain text that the hub sees.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 200, pattern = "PLAIN_TEXT")]
    pub title: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<EnvelopeInput>)]
    pub encrypted_title: Option<Option<Box<RawValue>>>,
    pub priority: Option<Priority>,
    /// An object of at most 4,096 bytes of JSON, which the hub sees.
    #[serde(default, deserialize_with = "metadata_given")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Option<Box<RawValue>>>,
}

impl SessionChange {
    /// Checks the fields.
    pub fn check(self, max_field: usize) -> Result<SessionPatch, Refusal> {
        if let Some(Some(title)) = &self.title {
            check_text("title", title, MAX_TITLE)?;
        }
        let encrypted_title = match self.encrypted_title {
            Some(Some(sent)) => Some(Some(Envelope::from_sent("encryptedTitle", &sent, max_field)?)),
            other => other.map(|_| None),
        };
        Ok(SessionPatch { title: self.title, encrypted_title, priority: self.priority, metadata: self.metadata })
    }
}

/// `{id?, type?, title?, encryptedContent, encryptedComponents?, priority?, deadlineAt?, answerers?, participants?}`
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({ "title": "Deploy 4.2?", "encryptedContent": { "scheme": "plain", "ciphertext": "eyJ0ZXh0IjoiRGVwbG95IDQuMj8ifQ==", "wrappings": [] }, "participants": [{ "type": "Human", "email": "ada@example.org" }] })))]
pub struct InteractionDraft {
    /// A version 7 UUID of about now, chosen by the client; one by the hub unless given.
    pub id: Option<SessionId>,
    /// `approval` unless given.
    #[serde(rename = "type")]
    #[schema(max_length = 64, pattern = "PLAIN_NAME")]
    pub kind: Option<String>,
    /// Plain text that the hub sees.
    #[schema(max_length = 200, pattern = "PLAIN_TEXT")]
    pub title: Option<String>,
    #[schema(value_type = EnvelopeInput)]
    pub encrypted_content: Option<Box<RawValue>>,
    #[schema(value_type = Option<EnvelopeInput>)]
    pub encrypted_components: Option<Box<RawValue>>,
    pub priority: Option<Priority>,
    #[serde(default, deserialize_with = "time::sent")]
    pub deadline_at: Option<Timestamp>,
    /// The ids of the humans who may answer; without it, every human who takes part.
    #[schema(min_items = 1, max_items = 100)]
    pub answerers: Option<Vec<PrincipalId>>,
    #[serde(default, deserialize_with = "participants")]
    #[schema(max_items = 1000)]
    pub participants: Option<Vec<ParticipantDraft>>,
}

impl InteractionDraft {
    /// Checks the draft and parts it into the session and what is asked in it.
    pub fn check(self, max_field: usize) -> Result<(SessionDraft, NewInteraction), Refusal> {
        let kind = self.kind.unwrap_or_else(|| DEFAULT_KIND.to_owned());
        check_name("type", &kind)?;
        if self.encrypted_content.is_none() {
            return Err(Refusal::required("encryptedContent"));
        }
        let message = MessageDraft {
            encrypted_content: self.encrypted_content,
            encrypted_components: self.encrypted_components,
            response_required: Some(true),
            priority: self.priority,
            deadline_at: self.deadline_at,
            answerers: self.answerers,
            ..MessageDraft::default()
        };
        let session = SessionDraft {
            id: self.id,
            title: self.title,
            priority: self.priority,
            participants: self.participants,
            ..SessionDraft::default()
        };
        Ok((session, NewInteraction { kind, message: message.check(false, max_field)? }))
    }
}

/// `{encryptedContent?, encryptedComponents?, outcome?}`: the answer to an interaction. One of them is required.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({ "encryptedContent": { "scheme": "plain", "ciphertext": "eyJhY3Rpb24iOiJhcHByb3ZlIn0=", "wrappings": [] } })))]
pub struct AnswerDraft {
    #[schema(value_type = Option<EnvelopeInput>)]
    pub encrypted_content: Option<Box<RawValue>>,
    #[schema(value_type = Option<EnvelopeInput>)]
    pub encrypted_components: Option<Box<RawValue>>,
    /// What the answer says in clear: `Answered` unless given.
    pub outcome: Option<AnswerOutcome>,
}

impl AnswerDraft {
    /// The message that answers `asked`.
    pub fn to(self, asked: MessageId) -> MessageDraft {
        MessageDraft {
            encrypted_content: self.encrypted_content,
            encrypted_components: self.encrypted_components,
            in_reply_to: Some(asked),
            outcome: self.outcome,
            ..MessageDraft::default()
        }
    }
}

/// `{encryptedBlocks}`
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({ "encryptedBlocks": { "scheme": "plain", "ciphertext": "eyJ0ZXh0IjoiNDEyIHRlc3RzIHBhc3MifQ==", "wrappings": [] } })))]
pub struct BlocksDraft {
    #[schema(value_type = EnvelopeInput)]
    pub encrypted_blocks: Option<Box<RawValue>>,
}

impl BlocksDraft {
    pub fn check(self, max_field: usize) -> Result<Envelope, Refusal> {
        envelope("encryptedBlocks", self.encrypted_blocks, max_field)?
            .ok_or_else(|| Refusal::required("encryptedBlocks"))
    }
}

/// Reads `metadata`, of which no more than fits is kept while it is read.
fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    let Some(sent) = Option::<&RawValue>::deserialize(deserializer)? else { return Ok(None) };
    if !sent.get().starts_with('{') {
        return Err(D::Error::custom("must be an object"));
    }
    let line = on_one_line(sent, MAX_METADATA).map_err(|unfit| match unfit {
        Unfit::TooLarge => D::Error::custom(format_args!("must have at most {MAX_METADATA} bytes")),
        other => D::Error::custom(other.problem()),
    })?;
    RawValue::from_string(line).map(Some).map_err(D::Error::custom)
}

fn metadata_given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Box<RawValue>>>, D::Error> {
    metadata(deserializer).map(Some)
}

/// Reads who is named, and stops at the one who is too many.
fn participants<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<ParticipantDraft>>, D::Error> {
    Ok(Option::<AtMostNamed>::deserialize(deserializer)?.map(|named| named.0))
}

/// At most [`MAX_NAMED`] participants.
struct AtMostNamed(Vec<ParticipantDraft>);

impl<'de> Deserialize<'de> for AtMostNamed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = AtMostNamed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<AtMostNamed, A::Error> {
                let mut named = Vec::new();
                while let Some(draft) = array.next_element()? {
                    if named.len() == MAX_NAMED {
                        return Err(A::Error::custom(format_args!("must have at most {MAX_NAMED} entries")));
                    }
                    named.push(draft);
                }
                Ok(AtMostNamed(named))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

/// The types of participants that can be named.
#[derive(ToSchema)]
#[allow(dead_code)] // it is the form in the OpenAPI document; `ParticipantDraft::named` refuses a guest by name
pub enum Invited {
    Agent,
    Human,
}

/// Who is to take part: an agent by `agentId` or `name`, or a human by `humanId` or `email`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(examples(json!({ "type": "Human", "email": "ada@example.org" })))]
#[serde(rename_all = "camelCase")]
pub struct ParticipantDraft {
    /// `Agent` or `Human`; a guest comes with a guest token.
    #[serde(rename = "type")]
    #[schema(value_type = Invited)]
    pub kind: Option<ParticipantType>,
    pub agent_id: Option<AgentId>,
    pub human_id: Option<HumanId>,
    #[schema(max_length = 254, pattern = "PLAIN_TEXT")]
    pub email: Option<String>,
    #[schema(max_length = 254, pattern = "PLAIN_TEXT")]
    pub name: Option<String>,
    /// `member` unless given.
    #[schema(max_length = 64, pattern = "PLAIN_NAME")]
    pub role: Option<String>,
}

/// Who a [`ParticipantDraft`] names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    AgentId(AgentId),
    AgentName(String),
    HumanId(HumanId),
    HumanEmail(String),
}

impl ParticipantDraft {
    /// Checks who is named; `field` is the path of the draft in its body, for the error.
    pub fn named(&self, field: &str) -> Result<Named, Refusal> {
        let path = |key: &str| if field.is_empty() { key.to_owned() } else { format!("{field}.{key}") };
        for (key, text) in [("role", &self.role), ("name", &self.name), ("email", &self.email)] {
            if let Some(text) = text {
                check_text(&path(key), text, MAX_EMAIL)?;
            }
        }
        if let Some(role) = &self.role {
            check_name(&path("role"), role)?;
        }
        match self.kind {
            None => Err(Refusal::required(&path("type"))),
            Some(ParticipantType::Agent) => match (self.agent_id, &self.name) {
                (Some(id), _) => Ok(Named::AgentId(id)),
                (None, Some(name)) => Ok(Named::AgentName(name.clone())),
                (None, None) => Err(Refusal::invalid(&path("agentId"), "or 'name' is required")),
            },
            Some(ParticipantType::Human) => match (self.human_id, &self.email) {
                (Some(id), _) => Ok(Named::HumanId(id)),
                (None, Some(email)) => Ok(Named::HumanEmail(email.to_ascii_lowercase())),
                (None, None) => Err(Refusal::invalid(&path("humanId"), "or 'email' is required")),
            },
            Some(ParticipantType::Guest) => {
                Err(Refusal::invalid(&path("type"), "must be Agent or Human; a guest comes with a guest token"))
            }
        }
    }
}
