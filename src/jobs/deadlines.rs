//! Lets pending messages expire at their deadline: one indexed query four times a second, whatever the history.

use crate::context::Context;
use crate::domain::decide::Command;
use crate::domain::{MessageId, Refusal};
use crate::metrics::During;
use crate::store::DueMessage;
use crate::timeline::{Action, By, Request};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// The contract allows 1 s.
const TICK: Duration = Duration::from_millis(250);
/// Most messages that are found by one look; more follow at once.
const BATCH: usize = 256;
/// Most that are under way. Those of a session that somebody else holds wait; the others must not wait for them.
const MAX_UNDER_WAY: usize = 2048;

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("deadlines", Arc::clone(context), |context| Box::pin(run(context)));
}

async fn run(context: &Context) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut expiring = FuturesUnordered::new();
    let mut under_way = HashSet::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Some((message, went_well)) = expiring.next() => {
                under_way.remove(&message);
                // A full look may have left some, which follow once these are through; with the store gone, the
                // next tick tries again.
                if !(went_well && under_way.is_empty()) {
                    continue;
                }
            }
            () = context.draining.cancelled() => return,
        }
        for due in look(context, &under_way).await {
            under_way.insert(due.message);
            expiring.push(expire(context, due));
        }
    }
}

/// What is due and not under way.
async fn look(context: &Context, under_way: &HashSet<MessageId>) -> Vec<DueMessage> {
    if under_way.len() >= MAX_UNDER_WAY {
        return Vec::new();
    }
    let limit = i64::try_from(BATCH + under_way.len()).unwrap_or(i64::MAX);
    match context.store.due_messages(context.clock.now(), limit).await {
        Ok(due) => due.into_iter().filter(|due| !under_way.contains(&due.message)).collect(),
        Err(error) => {
            context.metrics.store_failed(During::Job, &error, "cannot look for deadlines");
            Vec::new()
        }
    }
}

/// Expires one message. Settled a moment before by somebody else is fine.
async fn expire(context: &Context, due: DueMessage) -> (MessageId, bool) {
    let request = Request {
        space: due.space,
        session: due.session,
        by: By::System,
        action: Action::Command(Command::Expire(due.message)),
        idempotency: None,
    };
    let outcome = context.timeline.submit(request).await;
    (due.message, !matches!(outcome, Err(Refusal::Unavailable | Refusal::Internal)))
}
