//! Interactions: a session with one question, opened in one step.

use super::envelope::Envelope;
use super::message::{MessageStatus, Priority, Response};
use super::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A session with one question. Its id is that of the session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Interaction {
    /// The id, that of the session.
    pub id: Uuid,
    /// The session's id.
    pub session_id: Uuid,
    /// The question's id.
    pub message_id: Uuid,
    /// The agent that asks.
    pub agent_id: Option<Uuid>,
    /// `approval`, or a type of the application.
    #[serde(rename = "type")]
    pub kind: String,
    /// The session's title.
    pub title: Option<String>,
    /// The state of the question.
    pub status: MessageStatus,
    /// How urgent it is.
    pub priority: Priority,
    /// The sealed content of the question.
    pub encrypted_content: Option<Envelope>,
    /// The sealed components of the question.
    pub encrypted_components: Option<Envelope>,
    /// What the agent has added since.
    pub blocks: Vec<Envelope>,
    /// When the question expires.
    pub deadline_at: Option<Timestamp>,
    /// When the agent took the outcome.
    pub acknowledged_at: Option<Timestamp>,
    /// The answer.
    pub response: Option<Response>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When anything last happened in its session.
    pub updated_at: Timestamp,
}
