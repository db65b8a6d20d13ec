//! Writes the last use of keys and guest tokens.

use crate::context::Context;
use crate::metrics::During;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(2);

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("usage", Arc::clone(context), |context| Box::pin(write(context)));
}

async fn write(context: &Context) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let is_last = tokio::select! {
            _ = ticks.tick() => false,
            () = context.draining.cancelled() => true,
        };
        if let Err(error) = context.authenticator.usage().flush().await {
            context.metrics.store_failed(During::Job, &error, "cannot record the use of keys");
        }
        if is_last {
            return;
        }
    }
}
