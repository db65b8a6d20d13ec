//! Sets this node's clock right by the database's, so that nodes whose machines disagree about the time agree all the
//! same: on deadlines, on what has expired, on when a thing was made.

use crate::clock::Clock;
use crate::context::Context;
use crate::metrics::{During, Metrics};
use crate::store::Store;
use std::sync::Arc;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(5);
/// Differences smaller than this, or than the round trip leaves uncertain, change nothing.
const MIN_CHANGE_MILLIS: i64 = 20;
/// From here on an operator ought to know.
const WORTH_A_WARNING_MILLIS: i64 = 1000;

#[derive(Default)]
pub struct StoreClock {
    /// The correction that holds, in milliseconds.
    correction: i64,
    was_warned: bool,
    is_store_gone: bool,
}

impl StoreClock {
    /// Compares once, before anything is written; `None` if the store has no clock of its own.
    pub async fn compare(store: &dyn Store, clock: &dyn Clock, metrics: &Metrics) -> Option<Self> {
        let mut comparison = Self::default();
        comparison.run(store, clock, metrics).await.then_some(comparison)
    }

    /// Goes on comparing until the node drains.
    pub(super) fn start(self, context: &Arc<Context>) {
        let state = (self, Arc::clone(context));
        context.supervisor.spawn("store clock", state, |(clock, context)| Box::pin(clock.go_on(context)));
    }

    async fn go_on(&mut self, context: &Context) {
        let mut turns = super::Turns::every(EVERY);
        while turns.next(context).await {
            self.run(&*context.store, &*context.clock, &context.metrics).await;
        }
    }

    /// Asks the store for its time; `false` if it has none of its own.
    async fn run(&mut self, store: &dyn Store, clock: &dyn Clock, metrics: &Metrics) -> bool {
        let (machine, since) = (clock.machine(), Instant::now());
        let time = match store.time().await {
            Ok(Some(time)) => time,
            Ok(None) => return false,
            Err(error) => {
                self.is_store_gone = true;
                metrics.store_failed(During::Job, &error, "cannot ask the store for its time");
                return true;
            }
        };
        let took = since.elapsed();
        if std::mem::take(&mut self.is_store_gone) {
            tracing::info!("the store answers again");
        }
        let half = i64::try_from(took.as_millis() / 2).unwrap_or(0);
        let correction = time.millis_since(machine.plus_millis(half));
        // The answer was given at some moment of the round trip, half of it away from its middle at most.
        if (correction - self.correction).abs() >= MIN_CHANGE_MILLIS.max(half) {
            self.correction = correction;
            clock.correct(correction);
        }
        let correction = self.correction;
        metrics.clock_correction.set(correction as f64 / 1000.0);
        let is_far = correction.abs() >= WORTH_A_WARNING_MILLIS;
        if is_far && !self.was_warned {
            tracing::warn!(
                milliseconds = correction,
                "this machine's clock is not the database's: the hub goes by the database's"
            );
        }
        self.was_warned = is_far;
        true
    }
}
