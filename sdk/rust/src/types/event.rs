//! Entries of a session's timeline.

use super::actor::Actor;
use super::message::Message;
use super::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// An entry of a session's timeline. `seq` counts 1, 2, 3 … in each session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Event {
    /// The session's id.
    pub session_id: Uuid,
    /// The place on the timeline.
    pub seq: i64,
    /// The type, such as `message.created`. Ignore those that you do not know.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// What the type says.
    pub data: Value,
    /// The message of a `message.created`, opened as far as it can be.
    #[serde(skip)]
    pub message: Option<Box<Message>>,
}

/// Events after a `seq`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TimelinePage {
    /// The events, in order.
    pub data: Vec<Event>,
    /// The `seq` of the newest event of the timeline.
    pub last_seq: i64,
    /// Whether there are events after the last one of `data`.
    pub has_more: bool,
}
