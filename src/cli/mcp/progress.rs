//! Waits for something on behalf of a request: at most for a time, with progress notifications, until it is cancelled.

use rmcp::RoleServer;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Between two notifications.
const PROGRESS: Duration = Duration::from_secs(5);

/// The outcome of `done`; none if the time is up or the request was cancelled.
pub(super) async fn held<T>(
    context: &RequestContext<RoleServer>,
    wait: Duration,
    message: &str,
    done: impl Future<Output = T>,
) -> Option<T> {
    let started = Instant::now();
    let end = started + wait;
    let token = context.meta.get_progress_token();
    let mut ticks = interval(PROGRESS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(done);
    loop {
        tokio::select! {
            biased;
            outcome = &mut done => return Some(outcome),
            () = context.ct.cancelled() => return None,
            () = tokio::time::sleep_until(end) => return None,
            _ = ticks.tick(), if token.is_some() => {
                let Some(token) = token.clone() else { continue };
                let progress = ProgressNotificationParam::new(token, started.elapsed().as_secs_f64().max(0.001))
                    .with_total(wait.as_secs_f64())
                    .with_message(message);
                // A client that is gone gets no reply either.
                let _ = context.peer.notify_progress(progress).await;
            }
        }
    }
}
