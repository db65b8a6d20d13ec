//! Between the nodes: hints that something happened.
//!
//! The guarantee, and all of it: a signal that is published *may* reach the other nodes that have shown interest,
//! once, several times, late, or out of order. Nothing that matters may rest on it; the hub reads the store where a
//! hint is missing.

pub mod local;

use crate::domain::{Actor, CommittedEvent, EventHint, ParticipantId, PrincipalId, SessionId, SpaceId};
pub use local::LocalBroker;
use uuid::Uuid;

/// What one node tells the others.
#[derive(Clone, Debug)]
pub enum Signal {
    /// Events that were committed, in commit order.
    Events(Vec<CommittedEvent>),
    /// Events that were committed, for those who only follow the space's feed.
    Hints(Vec<EventHint>),
    /// Something that lives only while it is sent.
    Ephemeral(Ephemeral),
    /// A credential, agent, human, guest or space is no longer good.
    Revoked(Uuid),
    /// Signals may have been lost: compare with the store.
    Resync,
}

/// What is shown live and never stored.
#[derive(Clone, Debug)]
pub enum Ephemeral {
    Typing { session: SessionId, actor: Actor, typing: bool },
    Presence { session: SessionId, participant: ParticipantId, principal: PrincipalId, online: bool },
    Receipt { session: SessionId, participant: ParticipantId, seq: i64 },
}

impl Ephemeral {
    pub fn session(&self) -> SessionId {
        match self {
            Self::Typing { session, .. } | Self::Presence { session, .. } | Self::Receipt { session, .. } => *session,
        }
    }
}

/// A way to reach the other nodes. Nothing here blocks.
pub trait Broker: Send + Sync {
    /// Tells the other nodes.
    fn publish(&self, signal: Signal);
    /// Says whether this node has readers of a session's timeline.
    fn set_interest(&self, session: SessionId, interested: bool);
    /// Says whether somebody on this node follows the sessions of a space through a feed.
    fn set_space_interest(&self, space: SpaceId, interested: bool);
    /// Whether what is published can't get lost between nodes (because there is only one): then the reconcile tick
    /// need not ask the store.
    fn is_lossless(&self) -> bool;
}
