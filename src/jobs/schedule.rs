//! When a periodic job runs.

use crate::context::Context;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The runs of a periodic job, the first one at once.
pub(super) struct Schedule(Interval);

impl Schedule {
    pub(super) fn every(period: Duration) -> Self {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(ticks)
    }

    /// Waits for the next run; `false` once the node drains.
    pub(super) async fn next(&mut self, context: &Context) -> bool {
        tokio::select! {
            _ = self.0.tick() => true,
            () = context.draining.cancelled() => false,
        }
    }
}
