//! Deletes sessions that ended longer ago than `HILOOP_RETENTION_DAYS`, if that is set.
//!
//! A session is deleted in two steps. One transaction removes everything by which it can be found, so that it disappears
//! for all readers at once. Its events and messages, possibly millions, follow in chunks. Several nodes may run this at
//! once: each skips rows that another has locked, and any node finishes what another one left.

use crate::config::Retention;
use crate::context::Context;
use crate::metrics::During;
use crate::service::revocation;
use crate::store::StoreError;
use std::sync::Arc;

/// Most rows of a table in one transaction, so that writers never wait for long.
const CHUNK: i64 = 500;

pub(super) fn start(context: &Arc<Context>) {
    let Some(retention) = context.config.retention else { return };
    let state = (Arc::clone(context), retention);
    context.supervisor.spawn("retention", state, |(context, retention)| Box::pin(work(context, *retention)));
}

async fn work(context: &Context, retention: Retention) {
    let mut schedule = super::Schedule::every(retention.every);
    while schedule.next(context).await {
        if let Err(error) = run(context, retention).await {
            context.metrics.store_failed(During::Job, &error, "cannot delete sessions that ended long ago");
        }
    }
}

/// Deletes all due sessions, until it is done or the node drains.
async fn run(context: &Context, retention: Retention) -> Result<(), StoreError> {
    let before = context.clock.now().plus_millis(-retention.keep_millis);
    let mut sessions = 0_u64;
    while !context.draining.is_cancelled()
        && let Some(retired) = context.store.retire_session(before, context.clock.now()).await?
    {
        sessions += 1;
        context.metrics.retired.inc();
        context.hub.retire(retired.session);
        revocation::take_effect(context, retired.guests.into_iter().map(|guest| guest.0));
    }
    while !context.draining.is_cancelled() && context.store.sweep_retired(CHUNK).await? {}
    if sessions > 0 {
        tracing::info!(sessions, "deleted sessions that ended long ago");
    }
    Ok(())
}
