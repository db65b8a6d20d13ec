//! Growth over a run: the last fifth of its samples against the first one after the warm-up.

use std::time::Duration;

use crate::{
    report::{Report, Section},
    series::{Sample, Series},
};

/// Parts of which the first and the last are compared.
const PARTS: usize = 5;

/// Adds the growth of memory, descriptors and delivery latency, from the samples of a phase without its warm-up.
pub(super) fn report_trend(report: &mut Report, series: &Series, phase: &str, warmup: Duration) {
    let in_phase = || series.samples.iter().filter(|sample| sample.phase == phase);
    let Some(begin) = in_phase().next().map(|sample| sample.seconds + warmup.as_secs_f64()) else { return };
    let samples: Vec<&Sample> = in_phase().filter(|sample| sample.seconds >= begin).collect();
    let memory = growth(&samples, |sample| sample.server_memory);
    let descriptors = growth(&samples, |sample| sample.server_descriptors.map(|open| open as f64));
    let p99 = growth(&samples, |sample| sample.latency("delivery").map(|delivery| delivery.ms[P99]));
    for (key, label, unit, value) in [
        ("memoryGrowthPercent", "growth of memory", "%", memory.map(percent)),
        ("descriptorsGrowthPercent", "growth of descriptors", "%", descriptors.map(percent)),
        ("descriptorsGrowth", "more open descriptors", "", descriptors.map(|[first, last]| last - first)),
    ] {
        if let Some(value) = value {
            report.figure(Section::Server, key, label, value, unit);
        }
    }
    if let Some(value) = p99.map(percent) {
        report.figure(Section::Load, "p99GrowthPercent", "growth of p99 to socket", value, "%");
    }
    if samples.len() < PARTS {
        report.warn("too short after the warm-up to measure growth".to_owned());
    }
}

/// The place of p99 among the percentiles of a sample.
const P99: usize = 2;

fn percent([first, last]: [f64; 2]) -> f64 {
    (last / first.max(f64::MIN_POSITIVE) - 1.0) * 100.0
}

/// The medians of the first and the last part.
fn growth(samples: &[&Sample], value: impl Fn(&Sample) -> Option<f64>) -> Option<[f64; 2]> {
    let values: Vec<f64> = samples.iter().filter_map(|sample| value(sample)).collect();
    let part = values.len() / PARTS;
    (part > 0).then(|| [median(&values[..part]), median(&values[values.len() - part..])])
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::latency::Summary;

    #[test]
    fn p99_is_where_it_is_looked_for() {
        assert_eq!(Summary::PERCENTILES[P99].1, "p99");
    }

    #[test]
    fn growth_leaves_out_the_warm_up_and_other_phases() {
        let sample = |number: u32| Sample {
            seconds: f64::from(number),
            phase: if number < 5 { "sockets" } else { "mixed" },
            sent_per_second: 0.0,
            acknowledged_per_second: 0.0,
            deliveries_per_second: 0.0,
            open: 0,
            problems: 0,
            server_cpu: None,
            // It jumps in the warm-up, then grows from 100 to 110.
            server_memory: Some(if number < 15 { 1.0 } else { 100.0 + f64::from(number - 15) / 10.0 }),
            server_descriptors: Some(50),
            tester_cpu: None,
            latencies: Vec::new(),
        };
        let series = Series { samples: (0..116).map(sample).collect() };
        let mut report = Report::new("mixed", "u", json!({}));
        report_trend(&mut report, &series, "mixed", Duration::from_secs(10));
        let figures = &report.json()["figures"];
        let memory = figures["memoryGrowthPercent"].as_f64().expect("a figure");
        assert!((memory - 8.0).abs() < 0.5, "{memory}");
        assert_eq!(figures["descriptorsGrowth"], 0.0);
        assert!(figures["p99GrowthPercent"].is_null());
    }

    #[test]
    fn a_run_too_short_has_no_growth() {
        let mut report = Report::new("mixed", "u", json!({}));
        report_trend(&mut report, &Series::default(), "mixed", Duration::ZERO);
        assert_eq!(report.json()["figures"], json!({}));
    }
}
