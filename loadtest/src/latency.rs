//! Latency histograms and their percentiles.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Points of a distribution for each halving of the distance to 100 %.
const STEPS: u32 = 5;
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

/// Values in microseconds and how often they occur: a histogram on its way between processes.
pub(crate) type Counts = Vec<(u64, u64)>;

/// An interval of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bin {
    pub(crate) from_ms: f64,
    pub(crate) to_ms: f64,
    pub(crate) count: u64,
}

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

    /// Adds all that a summary holds.
    pub(crate) fn add(&self, other: &Summary) {
        *lock(&self.0.current) += &other.0;
    }

    /// The same for what comes from another process.
    pub(crate) fn add_counts(&self, counts: &Counts) {
        let mut current = lock(&self.0.current);
        for (value, count) in counts {
            current.saturating_record_n(*value, *count);
        }
    }

    /// Everything that was recorded, which is then forgotten.
    pub(crate) fn take(&self) -> Summary {
        let mut before = lock(&self.0.before);
        let mut all = std::mem::replace(&mut *before, empty());
        all += std::mem::replace(&mut *lock(&self.0.current), empty());
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

    /// Of nothing.
    pub(crate) fn none() -> Self {
        Self(empty())
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The value below which this percentage of all values lies; 0 where there is none.
    pub(crate) fn percentile_ms(&self, percentile: f64) -> f64 {
        millis(self.0.value_at_quantile(percentile / 100.0))
    }

    /// The shortest; 0 where there is none.
    pub(crate) fn min_ms(&self) -> f64 {
        millis(if self.0.is_empty() { 0 } else { self.0.min() })
    }

    pub(crate) fn mean_ms(&self) -> f64 {
        self.0.mean() / 1000.0
    }

    pub(crate) fn max_ms(&self) -> f64 {
        millis(self.0.max())
    }

    /// Percentiles (0 to 100) and their values, the closer together the nearer to 100; empty if nothing was recorded.
    pub(crate) fn distribution(&self) -> Vec<(f64, f64)> {
        if self.count() == 0 {
            return Vec::new();
        }
        let steps = self.0.iter_quantiles(STEPS);
        steps.map(|step| (step.quantile_iterated_to() * 100.0, millis(step.value_iterated_to()))).collect()
    }

    /// How many values lie in each of `number` intervals of equal ratio, from the least value to the largest.
    pub(crate) fn bins(&self, number: usize) -> Vec<Bin> {
        let (least, most) = (self.0.min().max(1) as f64, self.0.max().max(1) as f64 * (1.0 + 1e-9));
        let ratio = (most / least).powf(1.0 / number as f64);
        let end = |index: usize| least * ratio.powi(i32::try_from(index).unwrap_or(i32::MAX)) / 1000.0;
        let mut bins: Vec<Bin> =
            (0..number).map(|index| Bin { from_ms: end(index), to_ms: end(index + 1), count: 0 }).collect();
        for step in self.0.iter_recorded() {
            let value = step.value_iterated_to().max(1) as f64;
            let index = ((value / least).ln() / ratio.ln().max(f64::MIN_POSITIVE)) as usize;
            bins[index.min(number - 1)].count += step.count_at_value();
        }
        bins
    }

    pub(crate) fn counts(&self) -> Counts {
        self.0.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
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
        all["distribution"] = json!(self.distribution());
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
    fn a_distribution_ends_at_the_largest_value() {
        let latencies = Latencies::new();
        assert_eq!(latencies.summary().distribution(), []);
        (1..=1000).for_each(|millis| latencies.record(Duration::from_millis(millis)));
        let points = latencies.summary().distribution();
        assert!(points.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1), "{points:?}");
        let (percentile, value) = points[points.len() - 1];
        assert!(percentile == 100.0 && (value - 1000.0).abs() < 1.0, "{points:?}");
        assert!(points.iter().any(|(percentile, _)| *percentile > 99.0 && *percentile < 100.0));
    }

    #[test]
    fn bins_hold_every_value_once() {
        let latencies = Latencies::new();
        (1..=1000).for_each(|millis| latencies.record(Duration::from_millis(millis)));
        let bins = latencies.summary().bins(10);
        assert_eq!((bins.len(), bins.iter().map(|bin| bin.count).sum()), (10, 1000));
        assert!(bins.iter().all(|bin| (bin.to_ms / bin.from_ms - 2.0).abs() < 0.01), "{bins:?}");
        assert!(bins[9].count.abs_diff(500) < 5 && bins[0].count <= 2, "{bins:?}");
        let one = Latencies::new();
        one.record(Duration::from_millis(5));
        assert_eq!(one.summary().bins(10).iter().map(|bin| bin.count).sum::<u64>(), 1);
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
