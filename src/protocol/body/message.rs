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

/// Checks the list by itself. The rules of the session check that each of them takes part.
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

/// `{exclusive?}`
#[derive(Default, Deserialize, ToSchema)]
#[schema(examples(json!({ "exclusive": true })))]
pub struct AcknowledgementDraft {
    /// Refused with `ALREADY_ACKNOWLEDGED` unless it is the first; `false` unless given.
    pub exclusive: Option<bool>,
}

/// What people have said in a session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Heard {
    /// The first message of a human or guest after `after`; null where the time was up before there was one.
    #[schema(required = true)]
    pub message: Option<Message>,
    /// The newest event that had been looked at.
    #[schema(minimum = 0)]
    pub last_seq: i64,
}
