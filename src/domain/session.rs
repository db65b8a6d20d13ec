//! Sessions: one conversation, one timeline.

use super::words::words;
use super::{AgentId, Envelope, HumanId, Priority, Refusal, SessionId, SpaceId, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

words! {
    SessionStatus { Active, Closed, Archived }
}

/// A session: one conversation on one timeline. Of the two creators one is set.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    pub id: SessionId,
    pub space_id: SpaceId,
    pub created_by_agent_id: Option<AgentId>,
    pub created_by_human_id: Option<HumanId>,
    #[schema(max_length = 200)]
    pub title: Option<String>,
    pub encrypted_title: Option<Envelope>,
    pub status: SessionStatus,
    pub priority: Priority,
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Box<RawValue>>,
    /// The `seq` of the newest event; 0 before the first.
    #[schema(minimum = 0)]
    pub last_seq: i64,
    /// How many of its messages wait for an answer.
    #[schema(minimum = 0)]
    pub pending_count: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    pub archived_at: Option<Timestamp>,
    /// The `seq` of the oldest event that retention has kept.
    #[serde(skip)]
    pub first_seq: i64,
    /// How many messages the timeline holds: the `total` of their list.
    #[serde(skip)]
    pub message_count: i64,
}

/// Changes of a PATCH: the outer `Option` says whether the field was given, the inner one whether it was null.
#[derive(Clone, Debug, Default)]
pub struct SessionPatch {
    pub title: Option<Option<String>>,
    pub encrypted_title: Option<Option<Envelope>>,
    pub priority: Option<Priority>,
    pub metadata: Option<Option<Box<RawValue>>>,
}

impl SessionId {
    /// How far the time of an id that a client chose may be from the hub's, in milliseconds.
    const CHOSEN_WITHIN: u64 = 24 * 60 * 60 * 1000;

    /// Checks an id that a client chose: a version 7 UUID of about `now`, so that ids go on sorting by time, and that of
    /// a session which retention has deleted does not come back.
    pub fn check_chosen(self, now: Timestamp) -> Result<Self, Refusal> {
        if self.0.get_version_num() != 7 || self.0.get_variant() != uuid::Variant::RFC4122 {
            return Err(Refusal::invalid("id", "must be a UUID of version 7"));
        }
        let (high, _) = self.0.as_u64_pair();
        let millis = i64::try_from(high >> 16).unwrap_or(i64::MAX);
        if millis.abs_diff(now.0) > Self::CHOSEN_WITHIN {
            return Err(Refusal::invalid("id", "must have a time within a day of the hub's"));
        }
        Ok(self)
    }
}
