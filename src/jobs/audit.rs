//! Writes the counts of failed sign-ins to the audit log, and deletes its entries after 400 days.

use crate::context::Context;
use crate::metrics::During;
use crate::store::StoreError;
use std::sync::Arc;
use std::time::Duration;

const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// Ticks between two deletions of old entries.
const PRUNE_EVERY: u64 = 120;

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("audit", Arc::clone(context), |context| Box::pin(keep(context)));
}

async fn keep(context: &Context) {
    let mut ticks = tokio::time::interval(FLUSH_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut tick = 0_u64;
    loop {
        let is_last = tokio::select! {
            _ = ticks.tick() => false,
            () = context.draining.cancelled() => true,
        };
        let prunes = !is_last && tick.is_multiple_of(PRUNE_EVERY);
        tick = tick.wrapping_add(1);
        if let Err(error) = run(context, prunes).await {
            context.metrics.store_failed(During::Job, &error, "cannot update the audit log");
        }
        if is_last {
            return;
        }
    }
}

async fn run(context: &Context, prunes: bool) -> Result<(), StoreError> {
    context.audit.flush().await?;
    while prunes && !context.draining.is_cancelled() && !context.audit.prune().await? {}
    Ok(())
}
