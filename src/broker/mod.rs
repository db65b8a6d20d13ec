//! Between the nodes: hints that something happened.
//!
//! The guarantee, and all of it: a signal that is published *may* reach the other nodes that have shown interest,
//! once, several times, late, or out of order. Nothing that matters may rest on it; the hub reads the store where a
//! hint is missing.

pub mod counters;
pub mod local;
pub mod redis;

use crate::domain::{Actor, CommittedEvent, EventHint, ParticipantId, PrincipalId, SessionId, SpaceId};
use async_trait::async_trait;
pub use counters::Counters;
pub use local::LocalBroker;
pub use redis::RedisBroker;
use std::sync::Arc;
use uuid::Uuid;

/// What one node tells the others.
#[derive(Clone, Debug)]
pub enum Signal {
    /// Events that were committed, in commit order.
    Events(Vec<CommittedEvent>),
    /// The same for those alone who read the sessions: feeds get `Hints`.
    SessionEvents(Vec<CommittedEvent>),
    /// Events that were committed, for those who only follow the space's feed.
    Hints(Vec<EventHint>),
    /// A session's timeline reaches to `seq`, by an event that is too large to be sent along.
    Reach { space: SpaceId, session: SessionId, seq: i64 },
    /// Something that lives only while it is sent.
    Ephemeral(Ephemeral),
    /// Credentials, agents, humans, guests or spaces that are no longer good.
    Revoked(Vec<Uuid>),
    /// From now on signals of these sessions come: what was published before is to be found in the store.
    Listening(Vec<SessionId>),
    /// Signals may have been lost: compare with the store.
    Resync,
}

/// What is shown live and never stored.
#[derive(Clone, Debug)]
pub enum Ephemeral {
    Typing {
        session: SessionId,
        actor: Actor,
        typing: bool,
    },
    /// Published: whether the participant has a subscribed socket on this node. Heard: whether they have one on any
    /// other node, as far as that has changed.
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

/// Takes what other nodes say. Called from the broker's own tasks; must not block.
pub type Ear = Arc<dyn Fn(Signal) + Send + Sync>;

/// How a node stands with the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connectivity {
    /// There are no others.
    SingleNode,
    Connected,
    /// What the others do is found in the store alone, later by at most the reconcile tick.
    Disconnected,
}

/// A way to reach the other nodes. Nothing here blocks.
#[async_trait]
pub trait Broker: Send + Sync {
    /// Hands everything that other nodes say to `ear` from now on. Called once, by the hub.
    fn listen(&self, _ear: Ear) {}
    /// Tells the other nodes.
    fn publish(&self, signal: Signal);
    /// Says whether this node has readers of a session's timeline.
    fn set_interest(&self, session: SessionId, interested: bool);
    /// Says whether somebody on this node follows the sessions of a space through a feed.
    fn set_space_interest(&self, space: SpaceId, interested: bool);
    /// Whether what is published can't get lost between nodes (because there is only one): then the reconcile tick
    /// need not ask the store.
    fn is_lossless(&self) -> bool;
    fn connectivity(&self) -> Connectivity {
        Connectivity::SingleNode
    }
    /// What was sent, received and lost so far; none where there is nobody to send to.
    fn counters(&self) -> Option<Arc<Counters>> {
        None
    }
    /// Whether somebody has a subscribed socket for a session on another node, as far as this node, which has readers
    /// of the session, has heard.
    fn is_present_elsewhere(&self, _session: SessionId, _principal: PrincipalId) -> bool {
        false
    }
    /// Who has a subscribed socket for this session on another node; `None` if that can't be told now.
    async fn present_elsewhere(&self, _session: SessionId) -> Option<Vec<PrincipalId>> {
        None
    }
    /// Takes leave of the other nodes.
    async fn close(&self) {}
}
