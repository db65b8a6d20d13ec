//! Turns readings of the counters into samples.

use std::time::Duration;

use super::{Percentiles, Sample, Series};
use crate::{latency::Summary, live::Counts};

/// A shorter interval, as the last one usually is, is joined to the one before: its rates would be noise.
const SHORTEST: Duration = Duration::from_millis(500);

/// The state of a run at one time. Counters and CPU are totals; latencies are those since the last reading.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// Since the start of the run.
    pub(super) at: Duration,
    pub(super) phase: &'static str,
    pub(super) counts: Counts,
    pub(super) problems: u64,
    pub(super) server_cpu: Option<Duration>,
    /// In bytes.
    pub(super) server_memory: Option<u64>,
    pub(super) server_descriptors: Option<u64>,
    pub(super) tester_cpu: Option<Duration>,
    pub(super) latencies: Vec<(&'static str, Summary)>,
}

/// The readings at both ends of an interval.
struct Interval {
    from: Reading,
    to: Reading,
}

pub(super) struct Recorder {
    series: Series,
    last: Reading,
    /// Kept back, as a short one may follow.
    pending: Option<Interval>,
}

impl Recorder {
    pub(super) fn new(first: Reading) -> Self {
        Self { series: Series::default(), last: first, pending: None }
    }

    /// Adds a reading; returns the sample of the time since the last one.
    pub(super) fn add(&mut self, reading: Reading) -> Sample {
        let from = std::mem::replace(&mut self.last, reading.clone());
        let interval = Interval { from, to: reading };
        let sample = interval.sample();
        match &mut self.pending {
            Some(pending) if interval.length() < SHORTEST => pending.join(interval),
            pending => {
                let complete = pending.replace(interval);
                self.series.samples.extend(complete.map(|complete| complete.sample()));
            }
        }
        sample
    }

    pub(super) fn finish(mut self) -> Series {
        self.series.samples.extend(self.pending.map(|pending| pending.sample()));
        self.series
    }
}

impl Interval {
    fn length(&self) -> Duration {
        self.to.at.saturating_sub(self.from.at)
    }

    /// Extends it by the one that follows.
    fn join(&mut self, next: Self) {
        let before = std::mem::replace(&mut self.to, next.to);
        for (key, summary) in before.latencies {
            match self.to.latencies.iter_mut().find(|(found, _)| *found == key) {
                Some((_, found)) => found.merge(&summary),
                None => self.to.latencies.push((key, summary)),
            }
        }
        self.to.server_memory = self.to.server_memory.or(before.server_memory);
    }

    fn sample(&self) -> Sample {
        let Self { from, to } = self;
        let length = self.length().as_secs_f64().max(1e-6);
        let rate = |from: u64, to: u64| to.saturating_sub(from) as f64 / length;
        let share = |from: Option<Duration>, to: Option<Duration>| {
            Some(to?.saturating_sub(from?).as_secs_f64() / length * 100.0)
        };
        Sample {
            seconds: to.at.as_secs_f64(),
            phase: to.phase,
            sent_per_second: rate(from.counts.sent, to.counts.sent),
            acknowledged_per_second: rate(from.counts.acknowledged, to.counts.acknowledged),
            deliveries_per_second: rate(from.counts.deliveries, to.counts.deliveries),
            open: to.counts.open,
            problems: to.problems.saturating_sub(from.problems),
            server_cpu: share(from.server_cpu, to.server_cpu),
            server_memory: to.server_memory.map(|bytes| bytes as f64 / 1_048_576.0),
            server_descriptors: to.server_descriptors,
            tester_cpu: share(from.tester_cpu, to.tester_cpu),
            latencies: to.latencies.iter().map(|(key, summary)| (*key, Percentiles::from(summary))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Latencies;

    /// Twice as many acknowledged as sent, three times as many deliveries, a CPU-second a thousand.
    fn reading(millis: u64, sent: u64) -> Reading {
        let counts = Counts { sent, acknowledged: sent * 2, deliveries: sent * 3, open: sent };
        Reading {
            at: Duration::from_millis(millis),
            phase: "deliveries",
            counts,
            problems: sent / 10,
            server_cpu: Some(Duration::from_millis(sent)),
            server_memory: Some(sent * 1_048_576),
            server_descriptors: None,
            tester_cpu: None,
            latencies: Vec::new(),
        }
    }

    fn latency(millis: u64) -> (&'static str, Summary) {
        let latencies = Latencies::new();
        latencies.record(Duration::from_millis(millis));
        ("delivery", latencies.summary())
    }

    #[test]
    fn rates_and_shares_are_differences_by_the_length_of_the_interval() {
        let mut recorder = Recorder::new(reading(0, 100));
        let shown = recorder.add(reading(2000, 300));
        assert_eq!((shown.sent_per_second, shown.deliveries_per_second), (100.0, 300.0));
        let series = recorder.finish();
        let [sample] = &series.samples[..] else { panic!("one sample: {series:?}") };
        assert_eq!((sample.seconds, sample.open, sample.problems), (2.0, 300, 20));
        assert_eq!((sample.server_cpu, sample.tester_cpu), (Some(10.0), None));
        assert_eq!(sample.server_memory, Some(300.0));
    }

    #[test]
    fn a_short_last_interval_is_joined_to_the_one_before() {
        let mut recorder = Recorder::new(reading(0, 0));
        recorder.add(reading(1000, 100));
        let mut second = reading(2000, 300);
        second.latencies.push(latency(7));
        recorder.add(second);
        let mut last = reading(2250, 310);
        last.latencies.push(latency(70));
        last.server_memory = None;
        recorder.add(last);
        let series = recorder.finish();
        let [first, second] = &series.samples[..] else { panic!("two samples: {series:?}") };
        assert_eq!((first.seconds, first.sent_per_second), (1.0, 100.0));
        assert_eq!((second.seconds, second.sent_per_second), (2.25, 210.0 / 1.25));
        assert_eq!(second.server_memory, Some(300.0));
        let percentiles = second.latency("delivery").expect("latencies");
        assert_eq!(percentiles.count, 2);
        assert!(percentiles.max_ms > 69.0 && percentiles.ms[0] < 8.0);
    }

    #[test]
    fn the_only_interval_is_kept_however_short() {
        let mut recorder = Recorder::new(reading(0, 0));
        recorder.add(reading(10, 5));
        assert_eq!(recorder.finish().samples.len(), 1);
    }
}
