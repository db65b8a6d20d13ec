//! Deletes what has served its time: saved replies and revocations after 24 hours, sign-ins and setup links past their
//! end. A piece at a time, so that writers wait for none of it for long; several nodes may do this at once, each passes
//! over the rows that another has in hand.

use crate::context::Context;
use crate::metrics::During;
use crate::store::{Passing, SavedReply, StoreError};
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(600);
/// Most rows of one transaction.
const PIECE: i64 = 500;
/// How long writers have for themselves between two pieces.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("prune", Arc::clone(context), |context| Box::pin(run(context)));
}

async fn run(context: &Context) {
    let mut turns = super::Turns::every(EVERY);
    while turns.next(context).await {
        match prune(context).await {
            Ok(rows) => tracing::debug!(rows, "deleted what had served its time"),
            Err(error) => context.metrics.store_failed(During::Job, &error, "cannot delete what has served its time"),
        }
    }
}

/// Deletes all that there is, until it is done or the hub drains.
async fn prune(context: &Context) -> Result<u64, StoreError> {
    let now = context.clock.now();
    let mut rows = 0;
    for what in Passing::ALL {
        let before = if what.is_kept_for_a_day() { SavedReply::kept_since(now) } else { now };
        while !context.draining.is_cancelled() {
            let gone = context.store.prune(*what, before, PIECE).await?;
            rows += gone;
            if gone < PIECE.unsigned_abs() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(rows)
}
