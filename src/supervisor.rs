//! Long-lived tasks. Each has a name; a panic is logged and counted, and the task is restarted.
//!
//! The first restart is immediate. A task that panics again before it has run for [`STABLE_AFTER`] is restarted with an
//! increasing delay, and `/readyz` fails and names it until it is stable.

use crate::metrics::Metrics;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use hiloop_sdk::backoff::Backoff;
use parking_lot::Mutex;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a task has to run without a panic to count as stable.
const STABLE_AFTER: Duration = Duration::from_secs(5);

/// Starts the long-lived tasks of a node and watches them.
#[derive(Clone)]
pub struct Supervisor {
    metrics: Arc<Metrics>,
    /// The number of failing tasks of each name.
    failing: Arc<Mutex<BTreeMap<&'static str, usize>>>,
    stable_after: Duration,
}

impl Supervisor {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, failing: Arc::default(), stable_after: STABLE_AFTER }
    }

    /// Runs a task, whose `state` survives its panics, until `body` returns.
    pub fn spawn<S, F>(&self, name: &'static str, state: S, body: F)
    where
        S: Send + 'static,
        F: for<'s> FnMut(&'s mut S) -> BoxFuture<'s, ()> + Send + 'static,
    {
        #[allow(clippy::disallowed_methods)] // the one place where long-lived tasks begin
        drop(tokio::spawn(self.clone().watch(name, state, body)));
    }

    /// The same as a future, for callers that spawn it themselves.
    pub async fn watch<S, F>(self, name: &'static str, mut state: S, mut body: F)
    where
        S: Send + 'static,
        F: for<'s> FnMut(&'s mut S) -> BoxFuture<'s, ()> + Send + 'static,
    {
        self.metrics.task_starts(name);
        let mut backoff = Backoff::new();
        let mut failing: Option<Failing> = None;
        let mut last_panic: Option<Instant> = None;
        loop {
            let run = AssertUnwindSafe(body(&mut state)).catch_unwind();
            tokio::pin!(run);
            let outcome = if failing.is_some() {
                tokio::select! {
                    outcome = run.as_mut() => outcome,
                    () = tokio::time::sleep(self.stable_after) => {
                        failing = None;
                        tracing::info!(task = name, "a task that panicked is stable again");
                        run.await
                    }
                }
            } else {
                run.await
            };
            let Err(panic) = outcome else { return };
            self.panicked(name, &*panic);
            let now = Instant::now();
            if last_panic.replace(now).is_none_or(|at| now - at > 2 * self.stable_after) {
                backoff.reset();
                tokio::task::yield_now().await;
                continue;
            }
            failing.get_or_insert_with(|| Failing::new(&self, name));
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// Logs and counts a panic of a task. The message is logged only if it is a literal: a formatted message may hold content
    /// of users.
    pub fn panicked(&self, name: &'static str, panic: &(dyn Any + Send)) {
        self.metrics.task_panicked(name);
        let text = panic.downcast_ref::<&'static str>().copied().unwrap_or("(formatted message)");
        tracing::error!(task = name, panic = text, "a task panicked");
    }

    /// The names of the failing tasks.
    pub fn failing(&self) -> Vec<&'static str> {
        self.failing.lock().keys().copied().collect()
    }
}

/// A task that is failing, until it is dropped.
struct Failing {
    failing: Arc<Mutex<BTreeMap<&'static str, usize>>>,
    name: &'static str,
}

impl Failing {
    fn new(supervisor: &Supervisor, name: &'static str) -> Self {
        *supervisor.failing.lock().entry(name).or_insert(0) += 1;
        Self { failing: Arc::clone(&supervisor.failing), name }
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        let mut failing = self.failing.lock();
        if let Some(count) = failing.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                failing.remove(self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn supervisor() -> Supervisor {
        let stable_after = Duration::from_millis(200);
        Supervisor { stable_after, ..Supervisor::new(Arc::new(Metrics::new().expect("valid metric names"))) }
    }

    #[tokio::test]
    async fn a_task_continues_with_its_state_after_a_panic() {
        let supervisor = supervisor();
        let (send, numbers) = mpsc::channel(8);
        let (done, mut seen) = mpsc::channel(8);
        supervisor.spawn("adder", (numbers, 0), move |(numbers, sum): &mut (mpsc::Receiver<i32>, i32)| {
            let done = done.clone();
            Box::pin(async move {
                while let Some(number) = numbers.recv().await {
                    assert!(number != 13, "a bug for this test");
                    *sum += number;
                    let _ = done.send(*sum).await;
                }
            })
        });
        for number in [1, 13, 2] {
            send.send(number).await.expect("room");
        }
        assert_eq!((seen.recv().await, seen.recv().await), (Some(1), Some(3)));
        assert!(supervisor.failing().is_empty(), "a single panic does not fail readiness");
        let text = supervisor.metrics.render(&crate::metrics::ScrapeValues::default()).expect("text");
        assert!(text.contains("hiloop_task_panics_total{task=\"adder\"} 1\n"), "{text}");
    }

    #[tokio::test]
    async fn a_task_that_panics_repeatedly_fails_until_it_is_stable() {
        let supervisor = supervisor();
        supervisor.spawn("stubborn", 0, |starts: &mut u32| {
            Box::pin(async move {
                *starts += 1;
                assert!(*starts > 4, "a bug for this test");
                std::future::pending::<()>().await;
            })
        });
        while supervisor.failing().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(supervisor.failing(), ["stubborn"]);
        while !supervisor.failing().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
