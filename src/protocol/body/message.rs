//! The bodies of messages.

use super::envelope::{EnvelopeInput, envelope};
use crate::domain::answer::OUTCOME_WITHOUT_ANSWER;
use crate::domain::command::NewMessage;
use crate::domain::{AnswerOutcome, Message, MessageId, PrincipalId, Priority, Refusal, Timestamp, time};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashSet;
use utoipa::ToSchema;

/// Most answerers of a question.
pub const MAX_ANSWERERS: usize = 100;

/// A message to post. Content or components are required, except for an answer with an `outcome`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(examples(json!({ "encryptedContent": { "scheme": "plain", "ciphertext": "eyJ0ZXh0IjoiRGVwbG95IDQuMj8ifQ==", "wrappings": [] }, "responseRequired": true, "priority": "High" })))]
#[serde(rename_all = "camelCase")]
pub struct MessageDraft {
    #[schema(value_type = Option<EnvelopeInput>)]
    pub encrypted_content: Option<Box<RawValue>>,
    #[schema(value_type = Option<EnvelopeInput>)]
    pub encrypted_components: Option<Box<RawValue>>,
    /// Agents only: the message requires an answer. `false` unless given; ignored for people.
    pub response_required: Option<bool>,
    /// `Medium` unless given.
    pub priority: Option<Priority>,
    /// Agents only: when the message expires; must be in the future. Ignored for people.
    #[serde(default, deserialize_with = "time::sent")]
    pub deadline_at: Option<Timestamp>,
    /// Agents only, with `responseRequired`: the ids of the humans and guests of the session who may answer; every human
    /// participant unless given. Ignored for people.
    #[schema(min_items = 1, max_items = 100)]
    pub answerers: Option<Vec<PrincipalId>>,
    /// A message of the session. A person's reply to a pending message is its response, unless `settles` is `false`.
    pub in_reply_to: Option<MessageId>,
    /// People only: `false` for a reply that leaves the message pending, such as a remark or a question. `true` unless
    /// given; ignored for agents, whose replies never settle a message.
    pub settles: Option<bool>,
    /// People only: the outcome, not encrypted. `Answered` unless given; only with a reply that settles. Ignored for
    /// agents.
    pub outcome: Option<AnswerOutcome>,
}

impl MessageDraft {
    /// Checks the draft. Only an agent may require a response, with a deadline and answerers, and only a person may
    /// answer. The keys of the other kind are ignored like unknown keys.
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

/// Checks the list itself. The rules of the session check that each of them is a participant.
fn check_answerers(answerers: &[PrincipalId], response_required: bool) -> Result<(), Refusal> {
    let refuse = |problem: &str| Err(Refusal::invalid("answerers", problem));
    if !response_required {
        return refuse("requires 'responseRequired'");
    }
    if answerers.is_empty() || answerers.len() > MAX_ANSWERERS {
        return refuse(&format!("must have 1 to {MAX_ANSWERERS} entries"));
    }
    let distinct: HashSet<_> = answerers.iter().collect();
    if distinct.len() < answerers.len() {
        return refuse("must not contain duplicates");
    }
    Ok(())
}

/// `{exclusive?}`
#[derive(Default, Deserialize, ToSchema)]
#[schema(examples(json!({ "exclusive": true })))]
pub struct AcknowledgementDraft {
    /// Fail with `ALREADY_ACKNOWLEDGED` unless this is the first acknowledgement; `false` unless given.
    pub exclusive: Option<bool>,
}

/// The reply of the long-poll on a session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwaitedMessage {
    /// The first message of a human or guest after `after`; null if the timeout expired.
    #[schema(required = true)]
    pub message: Option<Message>,
    /// The `seq` of the newest event when the reply was made.
    #[schema(minimum = 0)]
    pub last_seq: i64,
}
