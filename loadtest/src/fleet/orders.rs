//! What all sockets of a fleet are told to do.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The current orders; each socket follows them as soon as it can.
#[derive(Debug, Clone, Default)]
pub(crate) struct Orders {
    /// The latest storm.
    pub(crate) storm: Option<Storm>,
    /// The sockets of [`super::Group::Disturbed`] do not read.
    pub(crate) stalled: bool,
    /// What they must have read, once they read again, to have caught up.
    pub(crate) resumed: Option<Resumed>,
    /// Read what is left, then close: the last `seq` of each session, where it is known.
    pub(crate) finish: Option<Arc<[u64]>>,
}

/// Every socket of [`super::Group::Disturbed`] drops its connection and returns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Storm {
    /// 1, 2, 3 …
    pub(crate) number: u64,
    pub(crate) at: Instant,
    /// Close with a close frame instead of a reset.
    pub(crate) polite: bool,
    /// The first attempts are spread over this time.
    pub(crate) spread: Duration,
    /// After this time, and `spread`, a socket gives up.
    pub(crate) patience: Duration,
}

/// The end of a stall.
#[derive(Debug, Clone)]
pub(crate) struct Resumed {
    pub(crate) at: Instant,
    /// The last acknowledged `seq` of each session.
    pub(crate) heads: Arc<[u64]>,
    pub(crate) patience: Duration,
}
