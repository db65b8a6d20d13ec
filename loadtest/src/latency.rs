//! Latency histograms and their percentiles.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hdrhistogram::Histogram;
use serde::Serialize;

/// Above this, values are recorded as this.
const LONGEST_MICROS: u64 = 600_000_000;

/// A histogram of microseconds that any task may record into.
pub(crate) struct Latencies(Mutex<Histogram<u64>>);

/// Percentiles of one histogram.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    #[serde(rename = "p99_9Ms")]
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
}

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
        let histogram = self.lock();
        let at = |quantile| millis(histogram.value_at_quantile(quantile));
        Summary {
            count: histogram.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: millis(histogram.max()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Histogram<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(summary.count, 1000);
        for (seen, expected) in [
            (summary.p50_ms, 500.0),
            (summary.p90_ms, 900.0),
            (summary.p99_ms, 990.0),
            (summary.p999_ms, 999.0),
            (summary.max_ms, 1000.0),
        ] {
            assert!((seen - expected).abs() < expected * 0.002, "{seen} for {expected}");
        }
    }

    #[test]
    fn the_longest_is_kept() {
        let latencies = Latencies::new();
        latencies.record(Duration::from_secs(86_400));
        assert!(latencies.summary().max_ms >= 600_000.0);
    }
}
