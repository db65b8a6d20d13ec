//! Latency histograms and their percentiles.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Above this, values are recorded as this.
const LONGEST_MICROS: u64 = 600_000_000;

/// A histogram of microseconds that any task may record into.
pub(crate) struct Latencies(Mutex<Histogram<u64>>);

/// What one histogram held when it was read.
#[derive(Debug, Clone)]
pub(crate) struct Summary(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_MICROS, 3);
        Self(Mutex::new(histogram.expect("the bounds are constant and valid")))
    }

    pub(crate) fn record(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST_MICROS);
        self.lock().saturating_record(micros);
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary(self.lock().clone())
    }

    fn lock(&self) -> MutexGuard<'_, Histogram<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Summary {
    /// The percentiles that a report shows, with their labels and their keys in JSON.
    pub(crate) const PERCENTILES: [(f64, &str, &str); 4] =
        [(50.0, "p50", "p50Ms"), (90.0, "p90", "p90Ms"), (99.0, "p99", "p99Ms"), (99.9, "p99.9", "p99_9Ms")];

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The value below which this percentage of all values lies; 0 where there is none.
    pub(crate) fn percentile_ms(&self, percentile: f64) -> f64 {
        millis(self.0.value_at_quantile(percentile / 100.0))
    }

    pub(crate) fn mean_ms(&self) -> f64 {
        self.0.mean() / 1000.0
    }

    pub(crate) fn max_ms(&self) -> f64 {
        millis(self.0.max())
    }

    pub(crate) fn json(&self) -> Value {
        let mut all = json!({"count": self.count()});
        for (percentile, _, key) in Self::PERCENTILES {
            all[key] = json!(self.percentile_ms(percentile));
        }
        all["maxMs"] = json!(self.max_ms());
        all["meanMs"] = json!(self.mean_ms());
        all
    }
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_come_from_what_was_recorded() {
        let latencies = Latencies::new();
        for millis in 1..=1000 {
            latencies.record(Duration::from_millis(millis));
        }
        let summary = latencies.summary();
        assert_eq!(summary.count(), 1000);
        for (seen, expected) in [
            (summary.percentile_ms(50.0), 500.0),
            (summary.percentile_ms(90.0), 900.0),
            (summary.percentile_ms(99.0), 990.0),
            (summary.percentile_ms(99.9), 999.0),
            (summary.max_ms(), 1000.0),
            (summary.mean_ms(), 500.5),
            (summary.json()["p99_9Ms"].as_f64().expect("a number"), 999.0),
        ] {
            assert!((seen - expected).abs() < expected * 0.002, "{seen} for {expected}");
        }
    }

    #[test]
    fn the_longest_is_kept() {
        let latencies = Latencies::new();
        latencies.record(Duration::from_secs(86_400));
        assert!(latencies.summary().max_ms() >= 600_000.0);
    }
}
