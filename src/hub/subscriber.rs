//! What the hub asks of whoever listens, and the bundles of events that it hands to them.

use crate::domain::{CommittedEvent, ConnectionId, Principal, PrincipalId, SessionId};
use crate::protocol::frame::hub::event_frame;
use bytes::Bytes;
use std::collections::HashSet;
use std::ops::AddAssign;
use std::sync::Arc;
use uuid::Uuid;

/// Somebody who is connected for longer than a request, and may have to be sent away.
pub trait Endpoint: Send + Sync {
    fn id(&self) -> ConnectionId;
    /// Who it is; none before authentication.
    fn principal(&self) -> Option<Arc<Principal>>;
    /// Its credential was revoked.
    fn revoke(&self);
    /// The node is draining.
    fn go_away(&self);
}

/// Why a subscription ends without being asked to (contract section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Access to the session was taken away.
    Removed,
    /// The session is no more.
    Retired,
    /// The store went back behind what was sent.
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

/// What became of events that were offered to readers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    pub taken: u64,
    /// Those that a reader could not take, or not yet, and has to read back.
    pub dropped: u64,
}

impl AddAssign for Offered {
    fn add_assign(&mut self, other: Self) {
        self.taken += other.taken;
        self.dropped += other.dropped;
    }
}

/// A live reader. None of these may block: what can't be taken now is read back from the store.
pub trait Subscriber: Endpoint {
    /// Events of a session, in order.
    fn deliver(&self, session: SessionId, run: &Run) -> Offered;
    /// A rumour that a session's timeline reaches to `seq`.
    fn hear(&self, session: SessionId, seq: i64);
    /// Something ephemeral, as a frame; `false` if it was dropped.
    fn show(&self, frame: &Bytes) -> bool;
    /// An event of some session that the principal takes part in, with its `feed` frame; `false` if it has to be
    /// read back.
    fn feed(&self, session: SessionId, seq: i64, frame: &Bytes) -> bool;
    /// Its subscription to the session ends.
    fn evict(&self, session: SessionId, reason: EndReason);
}

/// Whether revoking `ids` ends a principal's sockets.
pub fn is_revoked_by(principal: &Principal, ids: &HashSet<Uuid>) -> bool {
    principal.revocable().iter().flatten().any(|id| ids.contains(id))
}

/// Consecutive events of one session as frames.
#[derive(Debug)]
pub struct Run {
    /// The `seq` of the first event.
    pub first: i64,
    /// One frame an event.
    pub frames: Vec<Bytes>,
    /// All frames in one piece, so that a burst costs a socket one write.
    pub joined: Bytes,
    /// Who was removed, with the `seq` of the event that says so.
    pub removes: Vec<(i64, PrincipalId)>,
}

impl Run {
    /// `events` must be consecutive and not empty.
    pub fn new(events: &[CommittedEvent]) -> Self {
        let frames: Vec<_> = events.iter().map(event_frame).collect();
        Self {
            first: events.first().map_or(0, |event| event.seq),
            joined: join(&frames),
            frames,
            removes: events.iter().filter_map(|event| Some((event.seq, event.removes?))).collect(),
        }
    }

    /// One run out of several that follow each other.
    pub fn merge(runs: &[Arc<Self>]) -> Self {
        let frames: Vec<_> = runs.iter().flat_map(|run| run.frames.iter().cloned()).collect();
        Self {
            first: runs.first().map_or(0, |run| run.first),
            joined: join(&frames),
            frames,
            removes: runs.iter().flat_map(|run| run.removes.iter().copied()).collect(),
        }
    }

    /// The `seq` after the last event.
    pub fn end(&self) -> i64 {
        self.first + i64::try_from(self.frames.len()).unwrap_or(i64::MAX)
    }
}

fn join(frames: &[Bytes]) -> Bytes {
    match frames {
        [one] => one.clone(),
        many => Bytes::from(many.concat()),
    }
}
