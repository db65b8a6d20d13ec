//! Hints between nodes that something happened.
//!
//! The only guarantee: a signal that is published *may* reach the other nodes that have declared interest, once, several
//! times, late, or out of order. Correctness must not depend on it; where a hint is missing, the hub reads the store.

mod local;
pub mod redis;

use crate::domain::{Actor, CommittedEvent, EventHint, ParticipantId, PrincipalId, SessionId, SpaceId};
use crate::metrics::SignalCounts;
use async_trait::async_trait;
pub use local::LocalBroker;
pub use redis::RedisBroker;
use std::sync::Arc;
use uuid::Uuid;

/// A hint from one node to the others.
#[derive(Clone, Debug)]
pub enum Signal {
    /// Events that were committed, in commit order.
    Events(Vec<CommittedEvent>),
    /// The same, only for nodes with readers of the sessions: feeds get `Hints`.
    SessionEvents(Vec<CommittedEvent>),
    /// Events that were committed, without their text, for the feeds of the space.
    Hints(Vec<EventHint>),
    /// A session's timeline reaches to `seq`, by an event that is too large to be sent along.
    Reach { space: SpaceId, session: SessionId, seq: i64 },
    /// Ephemeral state, which is never stored.
    Ephemeral(Ephemeral),
    /// Ids of credentials, agents, humans, guests and spaces that were revoked.
    Revoked(Vec<Uuid>),
    /// The node is now subscribed to these sessions: read the store for what was published before.
    Subscribed(Vec<SessionId>),
    /// Signals may have been lost: compare with the store.
    Resync,
}

/// State that is shown live and never stored.
#[derive(Clone, Debug)]
pub enum Ephemeral {
    Typing {
        session: SessionId,
        actor: Actor,
        typing: bool,
    },
    /// When published: whether the participant has a subscribed socket on this node. When received: whether they have one
    /// on any other node, sent when that changes.
    Presence {
        session: SessionId,
        participant: ParticipantId,
        principal: PrincipalId,
        online: bool,
    },
    Receipt {
        session: SessionId,
        participant: ParticipantId,
        seq: i64,
    },
}

impl Ephemeral {
    pub fn session(&self) -> SessionId {
        match self {
            Self::Typing { session, .. } | Self::Presence { session, .. } | Self::Receipt { session, .. } => *session,
        }
    }
}

/// Handles the signals of other nodes. Called from the broker's tasks; must not block.
pub type SignalHandler = Arc<dyn Fn(Signal) + Send + Sync>;

/// Whether a node is connected to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connectivity {
    /// There are no other nodes.
    SingleNode,
    Connected,
    /// Changes of other nodes are found in the store, at the next reconcile tick at the latest.
    Disconnected,
}

/// The connection to the other nodes. No method blocks.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Starts to pass the signals of other nodes to `handler`. Called once, by the hub.
    fn listen(&self, _handler: SignalHandler) {}
    /// Sends a signal to the other nodes.
    fn publish(&self, signal: Signal);
    /// Declares whether this node has readers of a session's timeline.
    fn set_interest(&self, session: SessionId, interested: bool);
    /// Declares whether this node has feed subscriptions to a space.
    fn set_space_interest(&self, space: SpaceId, interested: bool);
    /// Whether signals can't get lost, because there is only one node: then the reconcile tick need not query the store.
    fn is_lossless(&self) -> bool;
    fn connectivity(&self) -> Connectivity {
        Connectivity::SingleNode
    }
    /// Signals sent, received and lost so far; none for a single node.
    fn counters(&self) -> Option<Arc<SignalCounts>> {
        None
    }
    /// Whether a principal has a subscribed socket for a session on another node, by the messages received so far. Only for
    /// sessions that this node has readers of.
    fn is_present_elsewhere(&self, _session: SessionId, _principal: PrincipalId) -> bool {
        false
    }
    /// The principals with a subscribed socket for this session on another node; `None` if that is unknown now.
    async fn present_elsewhere(&self, _session: SessionId) -> Option<Vec<PrincipalId>> {
        None
    }
    /// Withdraws this node's presence and disconnects.
    async fn close(&self) {}
}
