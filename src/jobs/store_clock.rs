//! Sets this node's clock right by the database's, so that nodes whose machines disagree about the time agree all the
//! same: on deadlines, on what has expired, on when a thing was made.

use crate::clock::Clock;
use crate::context::Context;
use crate::metrics::{During, Metrics};
use crate::store::Store;
use std::sync::Arc;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(5);
/// An answer that took longer says too little about when it was given.
const MAX_ROUND_TRIP: Duration = Duration::from_millis(500);
/// Smaller differences than the round trip's own uncertainty change nothing.
const MIN_CHANGE_MILLIS: i64 = 20;
/// From here on an operator ought to know.
const WORTH_A_WARNING_MILLIS: i64 = 1000;

/// Compares once, before anything is written, and then goes on until the node drains.
pub async fn start(context: &Arc<Context>) {
    let mut comparison = Comparison::default();
    let (store, clock, metrics) = (&*context.store, &*context.clock, &*context.metrics);
    if !comparison.run(store, clock, metrics).await {
        return;
    }
    let context = Arc::clone(context);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = context.draining.cancelled() => return,
            }
            comparison.run(&*context.store, &*context.clock, &context.metrics).await;
        }
    });
}

#[derive(Default)]
struct Comparison {
    /// The correction that holds, in milliseconds.
    correction: i64,
    was_warned: bool,
    is_store_gone: bool,
}

impl Comparison {
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
        if took > MAX_ROUND_TRIP {
            return true;
        }
        let half = i64::try_from(took.as_millis() / 2).unwrap_or(0);
        let correction = time.millis_since(machine.plus_millis(half));
        if (correction - self.correction).abs() >= MIN_CHANGE_MILLIS {
            self.correction = correction;
            clock.correct(correction);
        }
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
