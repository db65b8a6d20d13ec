//! Interactions: a session with one message that requires a response, under the older names (contract section 4).
//!
//! They are sessions and messages in every other respect: the same timeline, deadlines and settling.

use super::command::NewMessage;
use super::message::Response;
use super::{AgentId, Envelope, Message, MessageId, MessageStatus, Priority, SessionId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// The default `type` of an interaction (contract section 5).
pub const DEFAULT_KIND: &str = "approval";

/// One question of an agent and its answer. Its id is that of its session.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Interaction {
    pub id: SessionId,
    pub session_id: SessionId,
    /// The message that asks.
    pub message_id: MessageId,
    /// The agent that asks.
    pub agent_id: Option<AgentId>,
    #[serde(rename = "type")]
    pub kind: String,
    /// The session's title.
    pub title: Option<String>,
    pub status: MessageStatus,
    pub priority: Priority,
    pub encrypted_content: Option<Envelope>,
    pub encrypted_components: Option<Envelope>,
    /// The blocks that the agent has pushed since, in order.
    pub blocks: Vec<Envelope>,
    pub deadline_at: Option<Timestamp>,
    pub acknowledged_at: Option<Timestamp>,
    pub response: Option<Response>,
    pub created_at: Timestamp,
    /// When anything last happened in its session.
    pub updated_at: Timestamp,
}

impl Interaction {
    /// Combines its message, its session and its own record.
    pub fn new(message: Message, kind: String, title: Option<String>, updated_at: Timestamp) -> Self {
        Self {
            id: message.session_id,
            session_id: message.session_id,
            message_id: message.id,
            agent_id: message.sender_agent_id,
            kind,
            title,
            status: message.status,
            priority: message.priority,
            encrypted_content: message.encrypted_content,
            encrypted_components: message.encrypted_components,
            blocks: Vec::new(),
            deadline_at: message.deadline_at,
            acknowledged_at: message.acknowledged_at,
            response: message.response,
            created_at: message.created_at,
            updated_at,
        }
    }
}

/// The interaction of a new session.
#[derive(Clone, Debug)]
pub struct NewInteraction {
    pub kind: String,
    /// The message that asks; it requires a response.
    pub message: NewMessage,
}

/// The fields of a stored interaction for rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InteractionState {
    pub message: MessageId,
    /// How many blocks it has, and how many bytes their events have together.
    pub blocks: i64,
    pub block_bytes: i64,
}
