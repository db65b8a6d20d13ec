//! Two timeouts: of an idle connection, and of a request head that has begun to arrive.
//!
//! hyper has one timeout for both. An idle connection must stay open longer than a load balancer keeps it, or the balancer
//! sends a request into a connection that is being closed; a head that has begun must not take that long.

use hyper::rt::{Sleep, Timer};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// How long a client may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(20);

/// When the first bytes of a request head arrived. The stream of a connection notes it, and the timer of hyper reads it.
#[derive(Clone, Debug)]
pub struct HeadTimer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    opened: Instant,
    /// Milliseconds since `opened`, plus one; 0 while no bytes have arrived.
    first: AtomicU64,
    head_within: Duration,
}

impl Default for HeadTimer {
    fn default() -> Self {
        Self::within(HEAD_WITHIN)
    }
}

impl HeadTimer {
    fn within(head_within: Duration) -> Self {
        Self(Arc::new(Shared { opened: Instant::now(), first: AtomicU64::new(0), head_within }))
    }

    /// Notes that bytes have arrived.
    pub(super) fn note(&self) {
        if self.0.first.load(Ordering::Relaxed) == 0 {
            let millis = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.0.first.store(millis.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// The deadline of the head, if it has begun to arrive.
    fn head_until(&self) -> Option<Instant> {
        let first = self.0.first.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.0.opened + Duration::from_millis(first) + self.0.head_within)
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    /// Called by hyper when it begins to wait for a request.
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.first.store(0, Ordering::Relaxed);
        let next = deadline.min(Instant::now() + self.0.head_within);
        Box::pin(Waiting {
            head_timer: self.clone(),
            idle_until: deadline,
            next: Box::pin(tokio::time::sleep_until(next.into())),
        })
    }
}

/// Completes at the timeout of the idle connection or of the head.
struct Waiting {
    head_timer: HeadTimer,
    idle_until: Instant,
    next: Pin<Box<tokio::time::Sleep>>,
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.next.as_mut().poll(context));
            let now = tokio::time::Instant::now().into_std();
            let until = self.head_timer.head_until().unwrap_or(self.idle_until);
            if until <= now {
                return Poll::Ready(());
            }
            let next = until.min(now + self.head_timer.0.head_within);
            self.next.as_mut().reset(next.into());
        }
    }
}

impl Sleep for Waiting {}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_millis(300);
    const HEAD: Duration = Duration::from_millis(30);

    #[tokio::test]
    async fn an_idle_connection_outlasts_the_head_timeout() {
        let head_timer = HeadTimer::within(HEAD);
        let begun = Instant::now();
        head_timer.note();
        // Bytes before the wait do not count.
        head_timer.sleep_until(begun + IDLE).await;
        assert!(begun.elapsed() >= IDLE);
    }

    #[tokio::test]
    async fn a_started_head_must_arrive_within_its_own_timeout() {
        let head_timer = HeadTimer::within(HEAD);
        let begun = Instant::now();
        let waiting = head_timer.sleep_until(begun + Duration::from_secs(3600));
        head_timer.note();
        // The timer completes.
        waiting.await;
        assert!(begun.elapsed() >= HEAD);
    }
}
