//! The bodies of sessions and of the feed.

use super::envelope::EnvelopeInput;
use super::participant::{ParticipantDraft, participants};
use crate::domain::json::{Unfit, on_one_line};
use crate::domain::session::SessionPatch;
use crate::domain::text::{MAX_METADATA, MAX_TITLE, check_text};
use crate::domain::{Envelope, Message, Priority, Refusal, Session, SessionId, Timestamp};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

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
    /// Checks the fields that need no look-up, before participants are looked up.
    pub fn check_plain_fields(&self, max_field: usize) -> Result<(), Refusal> {
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

/// A session of the feed, with what waits in it for this person.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeedItem {
    #[schema(minimum = 0)]
    pub pending_count: i64,
    #[schema(minimum = 0)]
    pub unread_count: i64,
    pub highest_priority: Option<Priority>,
    pub next_deadline_at: Option<Timestamp>,
    pub last_message: Option<Message>,
    pub session: Session,
}

/// Tells a key that is null (`Some(None)`) from one that is absent (`None`).
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads `metadata`, and stops where it is too large.
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
