//! Keeps SQLite's log of writes small. It is written from its beginning again once all of it is in the database, which a
//! reader that stays long prevents; it then grows, and nothing but this would make it small again on a quiet hub.

use crate::context::Context;
use crate::metrics::During;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(10);

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("checkpoint", Arc::clone(context), |context| Box::pin(run(context)));
}

async fn run(context: &Context) {
    let mut turns = super::Turns::every(EVERY);
    while turns.next(context).await {
        if let Err(error) = context.store.shrink_log().await {
            context.metrics.store_failed(During::Job, &error, "cannot shrink the log of writes");
        }
    }
}
