//! Failures of connections, by which a pool decides which other connections to ping and which to discard.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long an idle connection counts as good without a ping, provided that no other connection has broken since.
pub(super) const GOOD_FOR: Duration = Duration::from_secs(1);

/// Recent failures of the connections to one database.
#[derive(Debug, Default)]
pub struct Faults {
    /// When a connection was last found to lead to a database that accepts no writes any more, as after a failover.
    demoted: Mutex<Option<Instant>>,
    /// When a connection was last found broken.
    broken: Mutex<Option<Instant>>,
    /// How many connections were found broken.
    broken_count: AtomicU64,
    /// Whether the last write transaction failed because of the database.
    writes_fail: AtomicBool,
}

impl Faults {
    /// Whether a connection that was opened before `since` may be used: one from before a failover leads to the wrong
    /// server, even if it can still be read from.
    pub fn is_usable(&self, since: Instant) -> bool {
        self.demoted.lock().is_none_or(|at| since > at)
    }

    /// Whether a connection that has been idle since then has to be pinged before use.
    pub fn needs_ping(&self, idle_since: Instant) -> bool {
        idle_since.elapsed() > GOOD_FOR || self.broken.lock().is_some_and(|at| at >= idle_since)
    }

    /// How many connections were found broken so far.
    pub fn broken_count(&self) -> u64 {
        self.broken_count.load(Ordering::Relaxed)
    }

    /// Whether the last write transaction failed because of the database.
    pub fn writes_fail(&self) -> bool {
        self.writes_fail.load(Ordering::Relaxed)
    }

    /// Records how a write transaction ended.
    pub fn record_write(&self, failed: bool) {
        // Read first: the flag is shared by all writers, and is written only when it changes.
        if self.writes_fail() != failed {
            self.writes_fail.store(failed, Ordering::Relaxed);
        }
    }

    /// Records an error that makes its connection unusable; `is_demoted` if its server rejects writes.
    pub fn record_broken(&self, is_demoted: bool) {
        self.broken_count.fetch_add(1, Ordering::Relaxed);
        let now = Some(Instant::now());
        *self.broken.lock() = now;
        if is_demoted {
            *self.demoted.lock() = now;
        }
    }
}
