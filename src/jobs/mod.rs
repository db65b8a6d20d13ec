//! What the hub does on its own: deadlines and tidying up.

mod deadlines;
mod prune;
mod retention;
mod store_clock;

use crate::context::Context;
use std::sync::Arc;

/// Starts every job; they end when the context begins to drain.
pub async fn start(context: &Arc<Context>) {
    store_clock::start(context).await;
    deadlines::start(context);
    prune::start(context);
    retention::start(context);
}
