//! Periodic jobs: deadlines, announcements and deletion of old data.

mod announcements;
mod audit;
mod checkpoint;
mod deadlines;
mod lists;
mod memory;
mod prune;
mod retention;
mod store_clock;
mod usage;

use crate::context::Context;
use std::sync::Arc;
use std::time::Duration;
pub use store_clock::StoreClock;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The runs of a periodic job, the first one at once.
struct Schedule(Interval);

impl Schedule {
    fn every(period: Duration) -> Self {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(ticks)
    }

    /// Waits for the next run; `false` once the node drains.
    async fn next(&mut self, context: &Context) -> bool {
        tokio::select! {
            _ = self.0.tick() => true,
            () = context.draining.cancelled() => false,
        }
    }
}

/// Starts every job; they end when the context begins to drain.
///
/// `clock` is the comparison of this node's clock with the store's, which goes on if the store has one.
pub fn start(context: &Arc<Context>, clock: Option<StoreClock>) {
    if let Some(clock) = clock {
        clock.start(context);
    }
    checkpoint::start(context);
    announcements::start(context);
    deadlines::start(context);
    lists::start(context);
    memory::start(context);
    audit::start(context);
    prune::start(context);
    retention::start(context);
    usage::start(context);
}
