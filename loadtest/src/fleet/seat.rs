//! The sockets that a fleet is to open.

use std::sync::Arc;

use super::{habits::Habits, link::LinkKind};
use crate::{
    client::{Credential, Session, SocketOptions, Target},
    live::Live,
};

/// A group of sockets whose latencies are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// Sockets that a storm disconnects, or a stall leaves alone: the ones that a scenario is about.
    Main,
    /// The others: witnesses of a storm, or stalled readers.
    Other,
}

/// One socket to open.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) number: usize,
    /// The index of its session.
    pub(crate) session: usize,
    pub(crate) group: Group,
    pub(crate) target: Arc<Target>,
    pub(crate) credential: Credential,
    pub(crate) socket: SocketOptions,
    pub(crate) link: LinkKind,
    pub(crate) habits: Option<Arc<Habits>>,
}

/// The sockets to open.
pub(crate) struct FleetPlan {
    pub(crate) sessions: Arc<[Session]>,
    pub(crate) seats: Vec<Seat>,
    pub(crate) subscribe: bool,
    pub(crate) connecting: usize,
    pub(crate) live: Arc<Live>,
}
