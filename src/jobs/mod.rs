//! What the hub does on its own: deadlines and tidying up.

mod deadlines;
mod prune;
mod retention;

use crate::context::Context;
use std::sync::Arc;

/// Starts every job; they end when the context begins to drain.
pub fn start(context: &Arc<Context>) {
    deadlines::start(context);
    prune::start(context);
    retention::start(context);
}
