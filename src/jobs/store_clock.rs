//! Corrects this node's clock to the database's, so that nodes on machines with different clocks agree on deadlines,
//! expiry and creation times.

use crate::clock::Clock;
use crate::context::Context;
use crate::metrics::{During, Metrics};
use crate::store::Store;
use std::sync::Arc;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(5);
/// Smaller differences, and those within the uncertainty of the round trip, change nothing.
const MIN_CHANGE_MILLIS: i64 = 20;
/// Corrections from here on are logged as a warning.
const WARN_MILLIS: i64 = 1000;

#[derive(Default)]
pub struct StoreClock {
    /// The current correction, in milliseconds.
    correction: i64,
    was_warned: bool,
    was_unavailable: bool,
}

impl StoreClock {
    /// Compares once, before anything is written; `None` if the database has no clock of its own.
    pub async fn compare(store: &dyn Store, clock: &dyn Clock, metrics: &Metrics) -> Option<Self> {
        let mut comparison = Self::default();
        comparison.compare_once(store, clock, metrics).await.then_some(comparison)
    }

    /// Compares periodically until the node drains.
    pub(super) fn start(self, context: &Arc<Context>) {
        let state = (self, Arc::clone(context));
        context.supervisor.spawn("store clock", state, |(clock, context)| Box::pin(clock.run_periodically(context)));
    }

    async fn run_periodically(&mut self, context: &Context) {
        let mut schedule = super::Schedule::every(EVERY);
        while schedule.next(context).await {
            self.compare_once(&*context.store, &*context.clock, &context.metrics).await;
        }
    }

    /// Compares the clocks; `false` if the database has none of its own.
    async fn compare_once(&mut self, store: &dyn Store, clock: &dyn Clock, metrics: &Metrics) -> bool {
        let (machine, since) = (clock.machine(), Instant::now());
        let time = match store.time().await {
            Ok(Some(time)) => time,
            Ok(None) => return false,
            Err(error) => {
                self.was_unavailable = true;
                metrics.store_failed(During::Job, &error, "cannot query the database's clock");
                return true;
            }
        };
        let took = since.elapsed();
        if std::mem::take(&mut self.was_unavailable) {
            tracing::info!("the database is available again");
        }
        let half = i64::try_from(took.as_millis() / 2).unwrap_or(0);
        let correction = time.millis_since(machine.plus_millis(half));
        // The time was read at some moment of the round trip, at most half of it from its middle.
        if (correction - self.correction).abs() >= MIN_CHANGE_MILLIS.max(half) {
            self.correction = correction;
            clock.correct(correction);
        }
        let correction = self.correction;
        metrics.clock_correction.set(correction as f64 / 1000.0);
        let is_far = correction.abs() >= WARN_MILLIS;
        if is_far && !self.was_warned {
            tracing::warn!(
                milliseconds = correction,
                "this machine's clock differs from the database's, which the hub uses"
            );
        }
        self.was_warned = is_far;
        true
    }
}
