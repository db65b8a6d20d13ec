//! The bodies of interactions.

use super::envelope::{EnvelopeInput, envelope};
use super::message::MessageDraft;
use super::participant::{ParticipantDraft, participants};
use super::session::SessionDraft;
use crate::domain::interaction::{DEFAULT_KIND, NewInteraction};
use crate::domain::text::check_name;
use crate::domain::{AnswerOutcome, Envelope, MessageId, PrincipalId, Priority, Refusal, SessionId, Timestamp, time};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

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
