//! Deletes what has served its time: saved replies after 24 hours, refresh tokens past their end.

use crate::context::Context;
use crate::metrics::During;
use crate::store::SavedReply;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(600);

pub(super) fn start(context: &Arc<Context>) {
    let context = Arc::clone(context);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = context.draining.cancelled() => return,
            }
            let now = context.clock.now();
            match context.store.prune(SavedReply::kept_since(now), now).await {
                Ok(rows) => tracing::debug!(rows, "deleted what had served its time"),
                Err(error) => context.metrics.store_failed(During::Job, &error, "cannot tidy up"),
            }
        }
    });
}
