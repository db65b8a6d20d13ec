//! The sockets that a fleet is to open.

use std::{ops::Range, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{habits::Habits, link::LinkKind};
use crate::{
    client::{Credential, Session, SocketOptions, Target},
    live::Live,
};

/// A group of sockets whose latencies are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Group {
    /// Those that are left alone.
    Steady,
    /// Those that a storm disconnects, or that stall.
    Disturbed,
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
    /// The rest is opened by workers.
    pub(crate) division: Option<Division>,
}

/// How sockets are divided between processes: by the remainder of their numbers.
#[derive(Debug, Clone)]
pub(crate) struct Division {
    pub(crate) processes: usize,
    /// The sockets of all processes.
    pub(crate) groups: Vec<(Range<usize>, Group)>,
}
