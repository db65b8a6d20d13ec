//! Entries of the live feed.

use super::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Something happened in a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FeedEntry {
    /// The session.
    pub session_id: Uuid,
    /// The place of its newest event.
    pub seq: i64,
    /// The type of the event, such as `message.created`; none where several events may have happened while there was no
    /// live connection.
    #[serde(default)]
    pub event: Option<String>,
    /// How many questions of the session wait for an answer.
    pub pending_count: i64,
    /// When it happened.
    pub at: Timestamp,
}
