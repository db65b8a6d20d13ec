//! Periodic jobs: deadlines, announcements and deletion of old data.

mod announcements;
mod audit;
mod checkpoint;
mod deadlines;
mod lists;
mod memory;
mod prune;
mod retention;
mod schedule;
mod store_clock;
mod usage;

use crate::context::Context;
use schedule::Schedule;
use std::sync::Arc;
pub use store_clock::StoreClock;

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
