//! Waits for something on behalf of a request: at most for a time, with progress notifications, until it is cancelled.

use rmcp::RoleServer;
use rmcp::model::ProgressNotificationParam;
use rmcp::service::RequestContext;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// Between two notifications.
const PROGRESS: Duration = Duration::from_secs(5);

/// The outcome of `done`; none if the time is up or the request was cancelled. Progress is counted in seconds from
/// `started`, the beginning of the request: it must grow over all that the request waits for.
pub(super) async fn held<T>(
    context: &RequestContext<RoleServer>,
    started: Instant,
    wait: Duration,
    message: &str,
    done: impl Future<Output = T>,
) -> Option<T> {
    let end = tokio::time::Instant::now() + wait;
    let total = started.elapsed() + wait;
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
                let progress = ProgressNotificationParam::new(token, started.elapsed().as_secs_f64())
                    .with_total(total.as_secs_f64())
                    .with_message(message);
                // A client that is gone gets no reply either.
                let _ = context.peer.notify_progress(progress).await;
            }
        }
    }
}
