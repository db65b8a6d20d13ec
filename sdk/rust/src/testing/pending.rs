//! Questions as a person sees them.

use crate::e2e::encoding::Digest;
use crate::types::opened::Authenticity;
use crate::types::{Content, Message, MessageStatus};
use serde_json::Value;
use uuid::Uuid;

/// A question that waits for an answer, opened and verified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pending {
    /// The question.
    pub message: Message,
    /// The title: of its approval, else of its session.
    pub title: Option<String>,
    /// The content.
    pub content: Content,
    /// The components; null where there are none.
    pub components: Value,
    pub(super) digest: Digest,
    agent: Uuid,
}

/// The message as a pending question, if it is one that was verified.
pub(super) fn question(message: Message, title: Option<String>) -> Option<Pending> {
    let opened = message.opened.clone()?;
    let is_pending = message.response_required && message.status == MessageStatus::Pending;
    if !is_pending || opened.authenticity != Authenticity::Verified {
        return None;
    }
    let components = opened.components.unwrap_or_default();
    let own = components["data"]["title"].as_str().map(str::to_owned);
    Some(Pending {
        title: own.or(title),
        content: opened.content.unwrap_or_default(),
        components,
        digest: opened.digest?,
        agent: message.sender_agent_id?,
        message,
    })
}

impl Pending {
    /// The agent that asks.
    #[must_use]
    pub fn agent(&self) -> Uuid {
        self.agent
    }
}
