//! Writes the list entries of sessions that have changed (`store/listing.rs`), once nothing more happens in them: a
//! session that is being talked in costs its writers none of this. Several nodes may do it at once: each passes over the
//! sessions that another has in hand.

use crate::context::Context;
use crate::metrics::During;
use crate::store::StoreError;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(1);
/// For how long nothing must have happened in a session.
const QUIET_MILLIS: i64 = 30_000;
/// The same where more than [`MANY`] sessions wait, which every page then has to look at. A session in which something
/// happens more often than that is never written: its entries would be wrong again at once.
const BRIEFLY_QUIET_MILLIS: i64 = 10_000;
const MANY: i64 = 500;
/// Most sessions of one transaction, so that writers wait for none of them for long.
const PIECE: i64 = 64;
/// How long writers have for themselves between two pieces.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("lists", Arc::clone(context), |context| Box::pin(work(context)));
}

async fn work(context: &Context) {
    let mut turns = super::Turns::every(EVERY);
    while turns.next(context).await {
        if let Err(error) = run(context).await {
            context.metrics.store_failed(During::Job, &error, "cannot write the entries of lists");
        }
    }
}

/// Lists everything that is quiet, until it is done or the hub drains. Each piece begins with the space after that of
/// the one before, so that no space waits until another has nothing left.
async fn run(context: &Context) -> Result<(), StoreError> {
    let mut after = None;
    while !context.draining.is_cancelled() {
        let waiting = context.store.unlisted(MANY + 1).await?;
        if waiting == 0 {
            break;
        }
        let quiet = if waiting > MANY { BRIEFLY_QUIET_MILLIS } else { QUIET_MILLIS };
        let quiet_since = context.clock.now().plus_millis(-quiet);
        match context.store.list_sessions(quiet_since, after, PIECE).await? {
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
