//! Deletes expired rows: saved replies and revocations after 24 hours, sign-ins and setup links after their end. In chunks,
//! so that writers never wait for long. Several nodes may run it at once: each skips rows that another has locked.

use crate::context::Context;
use crate::metrics::During;
use crate::store::{ExpiredRows, SavedReply, StoreError};
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(600);
/// Most rows in one transaction.
const CHUNK: i64 = 500;
/// Pause between two chunks, for other writers.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("prune", Arc::clone(context), |context| Box::pin(run(context)));
}

async fn run(context: &Context) {
    let mut schedule = super::Schedule::every(EVERY);
    while schedule.next(context).await {
        match prune(context).await {
            Ok(rows) => tracing::debug!(rows, "deleted expired rows"),
            Err(error) => context.metrics.store_failed(During::Job, &error, "cannot delete expired rows"),
        }
    }
}

/// Deletes all expired rows, until it is done or the node drains.
async fn prune(context: &Context) -> Result<u64, StoreError> {
    let now = context.clock.now();
    let mut rows = 0;
    for what in ExpiredRows::ALL {
        let before = if what.is_kept_for_a_day() { SavedReply::kept_since(now) } else { now };
        while !context.draining.is_cancelled() {
            let gone = context.store.prune(*what, before, CHUNK).await?;
            rows += gone;
            if gone < CHUNK.unsigned_abs() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(rows)
}
