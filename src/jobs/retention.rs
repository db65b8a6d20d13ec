//! Deletes sessions that ended longer ago than the settings keep them (off unless they say so).
//!
//! A session goes in two steps. One transaction takes away all by which it can be found, so that it is there for
//! everyone or for no one; its events and messages, which may be millions, follow in pieces. Several nodes may do
//! this at once: each passes over what another has in hand. What a node that is killed leaves behind, any other one
//! finishes.

use crate::config::Retention;
use crate::context::Context;
use crate::metrics::During;
use crate::service::revocation;
use crate::store::StoreError;
use std::sync::Arc;

/// Most rows of a table in one transaction, so that writers wait for none of them for long.
const PIECE: i64 = 500;

pub(super) fn start(context: &Arc<Context>) {
    let Some(retention) = context.config.retention else { return };
    let state = (Arc::clone(context), retention);
    context.supervisor.spawn("retention", state, |(context, retention)| Box::pin(work(context, *retention)));
}

async fn work(context: &Context, retention: Retention) {
    let mut turns = super::Turns::every(retention.every);
    while turns.next(context).await {
        if let Err(error) = run(context, retention).await {
            context.metrics.store_failed(During::Job, &error, "cannot delete sessions that ended long ago");
        }
    }
}

/// Deletes everything that is due, until it is done or the hub drains.
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
    while !context.draining.is_cancelled() && context.store.sweep_retired(PIECE).await? {}
    if sessions > 0 {
        tracing::info!(sessions, "deleted sessions that ended long ago");
    }
    Ok(())
}
