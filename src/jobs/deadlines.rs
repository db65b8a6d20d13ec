//! Expires pending messages at their deadline, with one indexed query four times a second.

use crate::context::Context;
use crate::domain::{MessageId, Refusal};
use crate::metrics::During;
use crate::service::messages;
use crate::store::DueMessage;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// The contract allows a delay of 1 s.
const TICK: Duration = Duration::from_millis(250);
/// Most messages found by one query; more follow at once.
const BATCH: usize = 256;
/// Most messages being expired at a time. Those of a session that is locked wait, and must not delay the others.
const MAX_IN_FLIGHT: usize = 2048;

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("deadlines", Arc::clone(context), |context| Box::pin(run(context)));
}

async fn run(context: &Context) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut expiring = FuturesUnordered::new();
    let mut in_flight = HashSet::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Some((message, succeeded)) = expiring.next() => {
                in_flight.remove(&message);
                // There may be more than one query returned, which follow when these are done. If the database is
                // unavailable, the next tick retries.
                if !(succeeded && in_flight.is_empty()) {
                    continue;
                }
            }
            () = context.draining.cancelled() => return,
        }
        for due in find_due(context, &in_flight).await {
            in_flight.insert(due.message);
            expiring.push(expire(context, due));
        }
    }
}

/// The messages that are due and not in flight.
async fn find_due(context: &Context, in_flight: &HashSet<MessageId>) -> Vec<DueMessage> {
    if in_flight.len() >= MAX_IN_FLIGHT {
        return Vec::new();
    }
    let limit = i64::try_from(BATCH + in_flight.len()).unwrap_or(i64::MAX);
    match context.store.due_messages(context.clock.now(), limit).await {
        Ok(due) => due.into_iter().filter(|due| !in_flight.contains(&due.message)).collect(),
        Err(error) => {
            context.metrics.store_failed(During::Job, &error, "cannot query deadlines");
            Vec::new()
        }
    }
}

/// Expires one message. It may have been settled meanwhile.
async fn expire(context: &Context, due: DueMessage) -> (MessageId, bool) {
    let expired = messages::expire(context, &due).await;
    (due.message, !matches!(expired, Err(Refusal::Unavailable | Refusal::Internal)))
}
