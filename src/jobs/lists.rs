//! Writes the list entries of sessions that have changed (`store/listing.rs`), once they are idle, so that messages in an
//! active session don't cost this. Several nodes may run it at once: each skips sessions that another has locked.

use crate::context::Context;
use crate::metrics::During;
use crate::store::StoreError;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(1);
/// How long a session must be idle.
const QUIET_MILLIS: i64 = 30_000;
/// The same if more than [`MANY`] sessions wait, since every page has to rank them. A session with more frequent activity is
/// never written, since its entries would be outdated again at once.
const BRIEFLY_QUIET_MILLIS: i64 = 10_000;
const MANY: i64 = 200;
/// Most sessions in one transaction, so that writers never wait for long.
const CHUNK: i64 = 64;
/// Pause between two chunks, for other writers.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("lists", Arc::clone(context), |context| Box::pin(work(context)));
}

async fn work(context: &Context) {
    let mut schedule = super::Schedule::every(EVERY);
    while schedule.next(context).await {
        if let Err(error) = run(context).await {
            context.metrics.store_failed(During::Job, &error, "cannot write list entries");
        }
    }
}

/// Writes the entries of all idle sessions, until it is done or the node drains. Each chunk starts with the next space, so
/// that no space waits for another to be finished.
async fn run(context: &Context) -> Result<(), StoreError> {
    let mut after = None;
    while !context.draining.is_cancelled() {
        let waiting = context.store.unlisted(MANY + 1).await?;
        if waiting == 0 {
            break;
        }
        let quiet = if waiting > MANY { BRIEFLY_QUIET_MILLIS } else { QUIET_MILLIS };
        let quiet_since = context.clock.now().plus_millis(-quiet);
        match context.store.list_sessions(quiet_since, after, CHUNK).await? {
            Some(space) => {
                after = Some(space);
                tokio::time::sleep(PAUSE).await;
            }
            None if after.is_some() => after = None,
            None => break,
        }
    }
    Ok(())
}
