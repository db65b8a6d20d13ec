//! Counters of signals that a broker has sent, received and lost, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the node started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages that the broker has accepted.
    pub published: Count,
    /// Signals that were not sent: no connection, a full queue, or the connection broke. The other nodes find the changes
    /// at their reconcile tick.
    pub dropped: Count,
    /// Messages of other nodes.
    pub received: Count,
    /// Messages that could not be decoded.
    pub rejected: Count,
    /// Connections that were lost, and attempts to connect that failed.
    pub disconnects: Count,
    /// Channels that this node is subscribed to now.
    pub channels: Count,
}

/// One number.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(super) fn set(&self, count: usize) {
        self.0.store(count as u64, Ordering::Relaxed);
    }
}
