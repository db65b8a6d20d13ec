//! Time, injected so that tests can move it.

use crate::domain::Timestamp;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

/// The source of time for the hub's rules. Timers that only pace work use tokio's clock instead.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
    /// The machine's time, without the correction.
    fn machine(&self) -> Timestamp {
        self.now()
    }
    /// Sets the correction that is added to the machine's time, in milliseconds. Clocks without a correction ignore it.
    fn correct(&self, _millis: i64) {}
}

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that may
    fn now(&self) -> Timestamp {
        Timestamp(chrono::Utc::now().timestamp_millis())
    }
}

/// The machine's clock, corrected to the database's, which all nodes share.
#[derive(Debug, Default)]
pub struct CorrectedClock {
    correction_millis: AtomicI64,
}

impl Clock for CorrectedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_millis(self.correction_millis.load(Ordering::Relaxed))
    }

    fn machine(&self) -> Timestamp {
        SystemClock.now()
    }

    fn correct(&self, millis: i64) {
        self.correction_millis.store(millis, Ordering::Relaxed);
    }
}

/// A clock for tests: that of a machine which may be wrong, with an offset that the test sets.
#[derive(Debug, Default)]
pub struct ShiftedClock {
    wrong_by_millis: i64,
    corrected: CorrectedClock,
    offset_millis: AtomicI64,
    stands_at: OnceLock<Timestamp>,
}

impl ShiftedClock {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The clock of a machine that is ahead of the true time by `millis`.
    pub fn wrong_by(millis: i64) -> Arc<Self> {
        Arc::new(Self { wrong_by_millis: millis, ..Self::default() })
    }

    /// Stops the clock: from now on only `advance` moves it, so that the result does not depend on the duration of the test.
    pub fn stand_still(&self) {
        self.stands_at.get_or_init(|| self.corrected.now());
    }

    /// Moves the clock forward, or back if negative.
    pub fn advance(&self, millis: i64) {
        self.offset_millis.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        let moved = self.offset_millis.load(Ordering::SeqCst);
        let now = self.stands_at.get().copied().unwrap_or_else(|| self.corrected.now());
        now.plus_millis(self.wrong_by_millis + moved)
    }

    fn machine(&self) -> Timestamp {
        self.corrected.machine().plus_millis(self.wrong_by_millis)
    }

    fn correct(&self, millis: i64) {
        self.corrected.correct(millis);
    }
}
