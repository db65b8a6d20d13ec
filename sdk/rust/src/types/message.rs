//! Messages, questions among them.

use super::actor::Actor;
use super::envelope::{Content, Envelope};
use super::opened::OpenedMessage;
use super::outcome::Outcome;
use super::timestamp::Timestamp;
use super::words::words;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

words! {
    /// The state of a message. A question settles once.
    MessageStatus {
        /// A question without an answer yet.
        Pending,
        /// A question that was answered, or any other message.
        Completed,
        /// A question that was taken back, or whose session was closed.
        Cancelled,
        /// A question whose deadline has passed.
        Expired,
    }
}

words! {
    /// How urgent a message or session is.
    Priority {
        /// Can wait.
        Low,
        /// The default.
        Medium,
        /// Before others.
        High,
        /// At once.
        Urgent,
    }
}

/// A message of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Message {
    /// The message's id.
    pub id: Uuid,
    /// The session's id.
    pub session_id: Uuid,
    /// The place on the session's timeline.
    pub seq: i64,
    /// `Agent`, `Human` (a guest too) or `System`.
    pub sender_type: String,
    /// The agent that sent the message, if one did.
    pub sender_agent_id: Option<Uuid>,
    /// The human who sent it.
    pub sender_human_id: Option<Uuid>,
    /// The guest who sent it.
    pub sender_guest_id: Option<Uuid>,
    /// The sender's name.
    pub sender_name: String,
    /// The sealed [`Content`].
    pub encrypted_content: Option<Envelope>,
    /// The sealed components.
    pub encrypted_components: Option<Envelope>,
    /// Whether the message is a question.
    pub response_required: bool,
    /// The state of a question; `Completed` for other messages.
    pub status: MessageStatus,
    /// How urgent it is.
    pub priority: Priority,
    /// When a question expires.
    pub deadline_at: Option<Timestamp>,
    /// The people who may answer; every human who takes part where there is none.
    pub answerers: Option<Vec<Uuid>>,
    /// The message that this one replies to.
    pub in_reply_to: Option<Uuid>,
    /// What the answer of a question says in clear text.
    pub outcome: Option<Outcome>,
    /// The answer of a question.
    pub response: Option<Response>,
    /// When the asking agent took the outcome.
    pub acknowledged_at: Option<Timestamp>,
    /// When it was sent.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The message as this client can read it, where the client has opened it.
    #[serde(skip)]
    pub opened: Option<Box<OpenedMessage>>,
}

impl Message {
    /// The content; `None` where there is none, it can't be read, or it is not authentic.
    #[must_use]
    pub fn content(&self) -> Option<Content> {
        match &self.opened {
            Some(opened) if opened.is_authentic() => opened.content.clone(),
            Some(_) => None,
            None => self.encrypted_content.as_ref().and_then(Envelope::content),
        }
    }

    /// The id of the agent, human or guest who sent it.
    #[must_use]
    pub fn sender_id(&self) -> Option<Uuid> {
        self.sender_agent_id.or(self.sender_human_id).or(self.sender_guest_id)
    }
}

/// The answer to a question.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Response {
    /// The message that carries the answer.
    pub message_id: Uuid,
    /// The person who answered.
    pub responded_by: Responder,
    /// When.
    pub responded_at: Timestamp,
    /// What the answer says in clear text.
    pub outcome: Option<Outcome>,
    /// The sealed [`Content`] of the answer.
    pub encrypted_content: Option<Envelope>,
    /// The sealed components of the answer.
    pub encrypted_components: Option<Envelope>,
}

impl Response {
    /// The content; `None` where there is none or it can't be read.
    #[must_use]
    pub fn content(&self) -> Option<Content> {
        self.encrypted_content.as_ref().and_then(Envelope::content)
    }
}

/// The person who answered a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Responder {
    /// `Human` or `Guest`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The person's id.
    pub id: Option<Uuid>,
    /// The person's name.
    pub name: String,
    /// Who invited a guest, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<Actor>,
}
