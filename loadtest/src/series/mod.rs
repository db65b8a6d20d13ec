//! What happened in each second of a run: rates, latencies, what was open, CPU and memory.

mod recorder;
mod sampler;

use serde_json::{Map, Value, json};

pub(crate) use self::sampler::Sampler;
use crate::latency::{Summary, main_latency};

/// One second of a run; the last one may be up to half a second longer.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Seconds from the start of the run to the end of this sample.
    pub(crate) seconds: f64,
    /// What the tester was doing at the end.
    pub(crate) phase: &'static str,
    pub(crate) sent_per_second: f64,
    pub(crate) acknowledged_per_second: f64,
    pub(crate) deliveries_per_second: f64,
    /// Sockets or long-polls open at the end.
    pub(crate) open: u64,
    /// Problems found during this sample.
    pub(crate) problems: u64,
    /// CPU of the hub, in per cent of a core.
    pub(crate) server_cpu: Option<f64>,
    /// Memory of the hub at the end, in MiB; none where it was not read.
    pub(crate) server_memory: Option<f64>,
    /// Open descriptors of the hub at the end.
    pub(crate) server_descriptors: Option<u64>,
    /// CPU of the tester, in per cent of a core.
    pub(crate) tester_cpu: Option<f64>,
    pub(crate) latencies: Vec<(&'static str, Percentiles)>,
}

/// The latencies of one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Percentiles {
    pub(crate) count: u64,
    /// Those of [`Summary::PERCENTILES`].
    pub(crate) ms: [f64; Summary::PERCENTILES.len()],
    pub(crate) max_ms: f64,
}

/// The samples of a run, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    pub(crate) samples: Vec<Sample>,
}

impl From<&Summary> for Percentiles {
    fn from(summary: &Summary) -> Self {
        Self {
            count: summary.count(),
            ms: Summary::PERCENTILES.map(|(percentile, ..)| summary.percentile_ms(percentile)),
            max_ms: summary.max_ms(),
        }
    }
}

impl Series {
    /// The keys of its latencies, in order of appearance.
    pub(crate) fn latency_keys(&self) -> Vec<&'static str> {
        let mut keys = Vec::new();
        for (key, _) in self.samples.iter().flat_map(|sample| &sample.latencies) {
            if !keys.contains(key) {
                keys.push(*key);
            }
        }
        keys
    }

    /// At most `limit` samples: neighbours are taken together, rates and CPU by their mean, latencies by their largest
    /// value, the rest as at the end.
    pub(crate) fn condensed(&self, limit: usize) -> Self {
        let together = self.samples.len().div_ceil(limit.max(1)).max(1);
        Self { samples: self.samples.chunks(together).filter_map(condense).collect() }
    }

    /// One array for each column; `null` where there is no value.
    pub(crate) fn json(&self) -> Value {
        let column = |value: &dyn Fn(&Sample) -> Option<f64>| {
            Value::Array(self.samples.iter().map(|sample| json!(value(sample).map(rounded))).collect())
        };
        let mut latencies = Map::new();
        for key in self.latency_keys() {
            let of = |sample: &Sample, value: &dyn Fn(&Percentiles) -> f64| sample.latency(key).map(value);
            let mut columns = Map::new();
            columns.insert("count".to_owned(), column(&|sample| of(sample, &|all| all.count as f64).or(Some(0.0))));
            for (index, (_, _, name)) in Summary::PERCENTILES.into_iter().enumerate() {
                columns.insert(name.to_owned(), column(&|sample| of(sample, &|all| all.ms[index])));
            }
            columns.insert("maxMs".to_owned(), column(&|sample| of(sample, &|all| all.max_ms)));
            latencies.insert(key.to_owned(), Value::Object(columns));
        }
        json!({
            "seconds": column(&|sample| Some(sample.seconds)),
            "phase": self.samples.iter().map(|sample| sample.phase).collect::<Vec<_>>(),
            "messagesSentPerSecond": column(&|sample| Some(sample.sent_per_second)),
            "messagesAcknowledgedPerSecond": column(&|sample| Some(sample.acknowledged_per_second)),
            "deliveriesPerSecond": column(&|sample| Some(sample.deliveries_per_second)),
            "open": column(&|sample| Some(sample.open as f64)),
            "problems": column(&|sample| Some(sample.problems as f64)),
            "serverCpuPercent": column(&|sample| sample.server_cpu),
            "serverMemoryMiB": column(&|sample| sample.server_memory),
            "serverDescriptors": column(&|sample| sample.server_descriptors.map(|open| open as f64)),
            "testerCpuPercent": column(&|sample| sample.tester_cpu),
            "latencies": latencies,
        })
    }
}

impl Percentiles {
    fn take_worse(&mut self, other: &Self) {
        self.count += other.count;
        for (worst, ms) in self.ms.iter_mut().zip(other.ms) {
            *worst = worst.max(ms);
        }
        self.max_ms = self.max_ms.max(other.max_ms);
    }
}

impl Sample {
    pub(crate) fn latency(&self, key: &str) -> Option<&Percentiles> {
        self.latencies.iter().find(|(found, _)| *found == key).map(|(_, percentiles)| percentiles)
    }

    /// A few lines for a terminal.
    pub(crate) fn block(&self) -> String {
        format!("{}\n{}\n{}", self.rates(), self.latency_line(), self.use_line())
    }

    /// The same in one line.
    pub(crate) fn line(&self) -> String {
        let parts = [self.rates(), self.latency_line(), self.use_line()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }

    fn rates(&self) -> String {
        format!(
            "sent {:.0}/s, acknowledged {:.0}/s, delivered {:.0}/s, open {}, problems {}",
            self.sent_per_second, self.acknowledged_per_second, self.deliveries_per_second, self.open, self.problems
        )
    }

    fn latency_line(&self) -> String {
        let Some((key, all)) = main_latency(&self.latencies, |(key, _)| key) else { return String::new() };
        let percentiles = Summary::PERCENTILES.iter().zip(all.ms).map(|((_, label, _), ms)| format!("{label} {ms:.2}"));
        format!("{key} {}, max {:.2} ms", percentiles.collect::<Vec<_>>().join(", "), all.max_ms)
    }

    fn use_line(&self) -> String {
        let parts = [
            self.server_cpu.map(|cpu| format!("hub CPU {cpu:.0} %")),
            self.server_memory.map(|mib| format!("hub memory {mib:.1} MiB")),
            self.tester_cpu.map(|cpu| format!("tester CPU {cpu:.0} %")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

fn condense(samples: &[Sample]) -> Option<Sample> {
    let mean = |value: &dyn Fn(&Sample) -> Option<f64>| {
        let values: Vec<f64> = samples.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let rate = |value: &dyn Fn(&Sample) -> f64| mean(&|sample| Some(value(sample))).unwrap_or_default();
    let mut latencies: Vec<(&'static str, Percentiles)> = Vec::new();
    for (key, percentiles) in samples.iter().flat_map(|sample| &sample.latencies) {
        match latencies.iter_mut().find(|(found, _)| found == key) {
            Some((_, worst)) => worst.take_worse(percentiles),
            None => latencies.push((*key, *percentiles)),
        }
    }
    Some(Sample {
        sent_per_second: rate(&|sample| sample.sent_per_second),
        acknowledged_per_second: rate(&|sample| sample.acknowledged_per_second),
        deliveries_per_second: rate(&|sample| sample.deliveries_per_second),
        problems: samples.iter().map(|sample| sample.problems).sum(),
        server_cpu: mean(&|sample| sample.server_cpu),
        server_memory: samples.iter().rev().find_map(|sample| sample.server_memory),
        server_descriptors: samples.iter().rev().find_map(|sample| sample.server_descriptors),
        tester_cpu: mean(&|sample| sample.tester_cpu),
        latencies,
        ..samples.last()?.clone()
    })
}

/// To a thousandth, which is a microsecond of a latency.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seconds: f64) -> Sample {
        Sample {
            seconds,
            phase: "deliveries",
            sent_per_second: 20.0,
            acknowledged_per_second: 19.0,
            deliveries_per_second: 60.0,
            open: 3,
            problems: 1,
            server_cpu: Some(12.5),
            server_memory: None,
            server_descriptors: Some(40),
            tester_cpu: Some(3.0),
            latencies: Vec::new(),
        }
    }

    #[test]
    fn columns_have_equal_lengths_and_null_where_nothing_was_read() {
        let mut second = sample(2.0);
        let percentiles = Percentiles { count: 60, ms: [1.0, 2.0, 3.0, 4.0], max_ms: 5.0 };
        second.latencies.push(("delivery", percentiles));
        let json = Series { samples: vec![sample(1.0), second] }.json();
        assert_eq!(json["seconds"], json!([1.0, 2.0]));
        assert_eq!(json["phase"], json!(["deliveries", "deliveries"]));
        assert_eq!(json["serverMemoryMiB"], json!([null, null]));
        assert_eq!(json["latencies"]["delivery"]["p99Ms"], json!([null, 3.0]));
        assert_eq!(json["latencies"]["delivery"]["p99_9Ms"], json!([null, 4.0]));
        assert_eq!(json["latencies"]["delivery"]["count"], json!([0.0, 60.0]));
    }

    #[test]
    fn a_long_series_is_condensed_without_losing_its_peaks() {
        let mut samples: Vec<Sample> = (1..=10).map(|second| sample(f64::from(second))).collect();
        let percentiles = Percentiles { count: 60, ms: [1.0, 2.0, 3.0, 4.0], max_ms: 5.0 };
        samples[4].latencies.push(("delivery", Percentiles { max_ms: 50.0, ..percentiles }));
        samples[5].latencies.push(("delivery", percentiles));
        samples[5].deliveries_per_second = 120.0;
        samples[4].server_memory = Some(80.0);
        let series = Series { samples };
        assert_eq!(series.condensed(10).samples.len(), 10);
        let condensed = series.condensed(4);
        let ends: Vec<f64> = condensed.samples.iter().map(|sample| sample.seconds).collect();
        assert_eq!(ends, [3.0, 6.0, 9.0, 10.0]);
        let peak = &condensed.samples[1];
        assert_eq!((peak.deliveries_per_second, peak.problems, peak.server_memory), (80.0, 3, Some(80.0)));
        assert_eq!(peak.latency("delivery").map(|all| (all.count, all.max_ms)), Some((120, 50.0)));
    }

    #[test]
    fn a_sample_is_shown_in_lines_without_what_was_not_measured() {
        let mut sample = sample(1.0);
        assert_eq!(
            sample.line(),
            "sent 20/s, acknowledged 19/s, delivered 60/s, open 3, problems 1, hub CPU 12 %, tester CPU 3 %"
        );
        let percentiles = Percentiles { count: 1, ms: [1.0, 2.0, 3.0, 4.0], max_ms: 5.0 };
        sample.latencies = vec![("reply", percentiles), ("delivery", percentiles)];
        let block = sample.block();
        let lines: Vec<&str> = block.lines().collect();
        assert_eq!(lines[1], "delivery p50 1.00, p90 2.00, p99 3.00, p99.9 4.00, max 5.00 ms");
        assert_eq!(lines.len(), 3);
    }
}
