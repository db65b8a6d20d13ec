//! The interfaces of connections and subscribers, as the hub calls them.

use super::event_batch::EventBatch;
use crate::domain::{ConnectionId, Principal, SessionId};
use bytes::Bytes;
use std::collections::HashSet;
use std::ops::AddAssign;
use std::sync::Arc;
use uuid::Uuid;

/// An open connection that outlives a single reply: a socket, an event stream or a long-poll.
pub trait Connection: Send + Sync {
    fn id(&self) -> ConnectionId;
    /// `None` before authentication.
    fn principal(&self) -> Option<Arc<Principal>>;
    /// Ends the connection: its credential was revoked.
    fn revoke(&self);
    /// Asks the client to reconnect: the node is draining.
    fn go_away(&self);
}

/// Why the hub ends a subscription (contract section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Access to the session was taken away.
    Removed,
    /// The session was deleted.
    Retired,
    /// The store was restored to a state before the events that were sent.
    Reset,
}

impl EndReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Retired => "retired",
            Self::Reset => "reset",
        }
    }
}

/// Number of events that subscribers accepted, and of those they dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCount {
    pub delivered: u64,
    /// Events for which there was no room, or which were not next: they are read from the store.
    pub dropped: u64,
}

impl AddAssign for DeliveryCount {
    fn add_assign(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.dropped += other.dropped;
    }
}

/// A subscriber to sessions and feeds. None of these calls may block: an event for which there is no room is read from
/// the store later.
pub trait Subscriber: Connection {
    /// Delivers events of a session, in order.
    fn deliver(&self, session: SessionId, batch: &EventBatch) -> DeliveryCount;
    /// Raises the high-water mark of a session's timeline to `seq`.
    fn note_high_water_mark(&self, session: SessionId, seq: i64);
    /// Sends an ephemeral frame; `false` if it was dropped.
    fn send_ephemeral(&self, frame: &Bytes) -> bool;
    /// Delivers the `feed` frame of an event within the subscriber's scope; `false` if it has to be read from the
    /// store.
    fn deliver_feed(&self, session: SessionId, seq: i64, frame: &Bytes) -> bool;
    /// Ends the subscription to a session.
    fn evict(&self, session: SessionId, reason: EndReason);
}

/// Whether revoking `ids` ends the connections of a principal.
pub fn is_revoked_by(principal: &Principal, ids: &HashSet<Uuid>) -> bool {
    principal.revocable().iter().flatten().any(|id| ids.contains(id))
}
