//! Saved replies to requests with an `Idempotency-Key`.

use crate::domain::{MessageId, SessionId, Timestamp};
use crate::store::SecretHash;

/// The first reply to a request with an Idempotency-Key.
#[derive(Clone, Debug)]
pub struct SavedReply {
    pub scope: String,
    pub key: String,
    pub request_hash: SecretHash,
    /// The HTTP status of the reply.
    pub status: u16,
    pub kind: SavedReplyKind,
    pub created_at: Timestamp,
}

impl SavedReply {
    /// How long a first reply is kept (contract section 1): 24 hours.
    pub const KEPT_MILLIS: i64 = 24 * 60 * 60 * 1000;

    /// A reply that was saved before this has expired.
    pub fn kept_since(now: Timestamp) -> Timestamp {
        now.plus_millis(-Self::KEPT_MILLIS)
    }
}

/// How to repeat a saved reply. Messages are read from the timeline, so that their content is stored once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SavedReplyKind {
    /// The message as it was created.
    Posted(SessionId, MessageId),
    /// The message since it settled.
    Settled(SessionId, MessageId),
    /// The message since it was acknowledged.
    Acknowledged(SessionId, MessageId),
    /// The interaction as of this `seq`.
    Interaction(SessionId, i64),
    /// The JSON of the reply.
    Body(String),
}
