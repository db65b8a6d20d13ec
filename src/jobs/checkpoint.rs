//! Truncates SQLite's write-ahead log. SQLite reuses the log from its start once all of it is checkpointed, which a long
//! read prevents. The log then grows, and on an idle hub only this job shrinks it again.

use crate::context::Context;
use crate::metrics::During;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(10);

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("checkpoint", Arc::clone(context), |context| Box::pin(run(context)));
}

async fn run(context: &Context) {
    let mut schedule = super::Schedule::every(EVERY);
    while schedule.next(context).await {
        if let Err(error) = context.store.shrink_log().await {
            context.metrics.store_failed(During::Job, &error, "cannot truncate the write-ahead log");
        }
    }
}
