//! Lets pending messages expire at their deadline: one indexed query four times a second, whatever the history.

use crate::context::Context;
use crate::domain::Refusal;
use crate::domain::decide::Command;
use crate::metrics::During;
use crate::timeline::{Action, By, Request};
use futures::future::join_all;
use std::sync::Arc;
use std::time::Duration;

/// The contract allows 1 s.
const TICK: Duration = Duration::from_millis(250);
/// Most messages that expire together; more follow at once.
const BATCH: i64 = 256;

pub(super) fn start(context: &Arc<Context>) {
    let context = Arc::clone(context);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = context.draining.cancelled() => return,
            }
            while expire_due(&context).await {}
        }
    });
}

/// Expires what is due; `true` if there may be more.
async fn expire_due(context: &Context) -> bool {
    let due = match context.store.due_messages(context.clock.now(), BATCH).await {
        Ok(due) => due,
        Err(error) => {
            context.metrics.store_failed(During::Job, &error, "cannot look for deadlines");
            return false;
        }
    };
    let full = i64::try_from(due.len()).is_ok_and(|count| count == BATCH);
    let outcomes = join_all(due.into_iter().map(|due| {
        context.timeline.submit(Request {
            space: due.space,
            session: due.session,
            by: By::System,
            action: Action::Command(Command::Expire(due.message)),
            idempotency: None,
        })
    }))
    .await;
    // Settled a moment before by somebody else is fine; with the store gone, the next tick tries again.
    let failed = outcomes.iter().any(|outcome| matches!(outcome, Err(Refusal::Unavailable | Refusal::Internal)));
    full && !failed
}
