//! Sessions and pages of lists.

use super::envelope::Envelope;
use super::message::Priority;
use super::timestamp::Timestamp;
use super::words::words;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

words! {
    /// The state of a session.
    SessionStatus {
        /// Messages can be sent.
        Active,
        /// No messages can be sent any more.
        Closed,
        /// Closed, and left out of lists.
        Archived,
    }
}

impl SessionStatus {
    /// The status as the hub spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Closed => "Closed",
            Self::Archived => "Archived",
            Self::Unknown => "Unknown",
        }
    }
}

/// A session: one conversation with one timeline.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Session {
    /// The session's id.
    pub id: Uuid,
    /// The space that it belongs to.
    pub space_id: Uuid,
    /// The agent that opened it, if one did.
    pub created_by_agent_id: Option<Uuid>,
    /// The human who opened it.
    pub created_by_human_id: Option<Uuid>,
    /// A title in clear text.
    pub title: Option<String>,
    /// A sealed title.
    pub encrypted_title: Option<Envelope>,
    /// The state.
    pub status: SessionStatus,
    /// How urgent it is.
    pub priority: Priority,
    /// An object of the application, in clear text.
    pub metadata: Option<Value>,
    /// The `seq` of the newest event.
    pub last_seq: i64,
    /// How many of its questions wait for an answer.
    pub pending_count: i64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When anything last happened in it.
    pub updated_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Page<T> {
    /// The entries of this page.
    pub data: Vec<T>,
    /// How many entries the whole list has.
    pub total: u64,
    /// The number of this page, from 1.
    pub page: u32,
    /// How many entries a page has at most.
    pub page_size: u32,
}
