//! Latency histograms and their percentiles.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Above this, values are recorded as this.
const LONGEST_MICROS: u64 = 600_000_000;

/// The latency that stands for a run: the first of these that it has.
const MAIN: [&str; 4] = ["delivery", "answer", "reply", "open"];

/// A histogram of microseconds that any task may record into. Clones record into the same.
#[derive(Clone)]
pub(crate) struct Latencies(Arc<Recorded>);

/// Recording costs the same with intervals as without: it touches the current one only.
struct Recorded {
    current: Mutex<Histogram<u64>>,
    /// All intervals before the current one.
    before: Mutex<Histogram<u64>>,
}

/// What one histogram held when it was read.
#[derive(Debug, Clone)]
pub(crate) struct Summary(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Recorded { current: Mutex::new(empty()), before: Mutex::new(empty()) }))
    }

    pub(crate) fn record(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST_MICROS);
        lock(&self.0.current).saturating_record(micros);
    }

    /// Everything that was recorded.
    pub(crate) fn summary(&self) -> Summary {
        // Held, so that no interval ends between the two.
        let before = lock(&self.0.before);
        let mut all = before.clone();
        all += &*lock(&self.0.current);
        Summary(all)
    }

    /// What was recorded since the call before.
    pub(crate) fn take_interval(&self) -> Summary {
        let next = empty();
        let mut before = lock(&self.0.before);
        let interval = std::mem::replace(&mut *lock(&self.0.current), next);
        *before += &interval;
        Summary(interval)
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

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0 += &other.0;
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

/// The latency that stands for a run, of those that `key` names.
pub(crate) fn main_latency<T>(all: &[T], key: impl Fn(&T) -> &str) -> Option<&T> {
    let named = |name: &str| all.iter().find(|latency| key(latency) == name);
    MAIN.into_iter().find_map(named).or(all.first())
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_MICROS, 3).expect("the bounds are constant and valid")
}

fn lock(histogram: &Mutex<Histogram<u64>>) -> MutexGuard<'_, Histogram<u64>> {
    histogram.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn intervals_are_part_of_the_whole() {
        let latencies = Latencies::new();
        let clone = latencies.clone();
        clone.record(Duration::from_millis(1));
        assert_eq!(latencies.take_interval().count(), 1);
        clone.record(Duration::from_millis(9));
        clone.record(Duration::from_millis(9));
        assert_eq!(latencies.summary().count(), 3);
        let interval = latencies.take_interval();
        assert_eq!(interval.count(), 2);
        assert!(interval.percentile_ms(1.0) > 8.9);
        assert_eq!(latencies.take_interval().count(), 0);
        assert_eq!(latencies.summary().count(), 3);
        assert!(latencies.summary().percentile_ms(1.0) < 1.1);
    }

    #[test]
    fn the_longest_is_kept() {
        let latencies = Latencies::new();
        latencies.record(Duration::from_secs(86_400));
        assert!(latencies.summary().max_ms() >= 600_000.0);
    }
}
