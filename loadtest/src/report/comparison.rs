//! The values of a run beside those of an earlier one.

use serde_json::{Map, Value, json};

use super::{Figure, Report, SECTIONS, Section, baseline::Baseline};
use crate::{latency::Summary, threshold::LATENCY_UNIT};

/// A percentile is judged only if so many values of both runs lie beyond it: fewer are chance.
const BEYOND: f64 = 10.0;

/// Which way a value is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    Lower,
    Higher,
    /// It says what was measured, not how well the hub did.
    Neither,
}

/// How a value compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    Better,
    Worse,
    /// The difference is within the tolerance.
    Same,
    /// No value of which more or less is better, or too few values to judge.
    NotJudged,
}

/// One value of both runs.
#[derive(Debug)]
pub(super) struct Row {
    /// As in an expectation: `delivery.p99`, `usPerDelivery`.
    pub(super) key: String,
    pub(super) label: String,
    pub(super) unit: &'static str,
    pub(super) before: f64,
    pub(super) now: f64,
    pub(super) judgement: Judgement,
}

/// All values that both runs have.
pub(super) struct Comparison {
    pub(super) baseline: Baseline,
    /// In per cent.
    pub(super) tolerance: f64,
    fail: bool,
    pub(super) rows: Vec<Row>,
}

impl Report {
    /// Compares with an earlier run. A value that is worse by more than `tolerance` per cent is a regression; with
    /// `fail` one changes the verdict. Warns of what makes the runs differ.
    pub(crate) fn compare_with(&mut self, baseline: Baseline, tolerance: f64, fail: bool) {
        self.warnings.extend(baseline.differences(&self.parameters, &json!(self.machine)));
        let mut rows = Vec::new();
        for figure in &self.figures {
            if let Some(before) = baseline.figures.get(figure.key).copied().flatten() {
                let judgement = judge(before, figure.value, better(figure), tolerance);
                let (key, label) = (figure.key.to_owned(), figure.full_label());
                rows.push(Row { key, label, unit: figure.unit, before, now: figure.value, judgement });
            }
        }
        for (key, label, summary) in &self.latencies {
            if let Some(before) = baseline.latencies.get(*key) {
                rows.extend(latency_rows(key, label, before, summary, tolerance));
            }
        }
        let figures = baseline.figures.keys().filter(|key| self.figures.iter().all(|figure| figure.key != *key));
        let latencies = baseline.latencies.keys().filter(|key| self.latencies.iter().all(|(now, ..)| now != key));
        let missing: Vec<&str> = figures.chain(latencies).map(String::as_str).collect();
        if !missing.is_empty() {
            self.warnings.push(format!("the baseline has values that this run has not: {}", missing.join(", ")));
        }
        self.comparison = Some(Comparison { baseline, tolerance, fail, rows });
    }
}

impl Comparison {
    pub(super) fn regressions(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.judgement == Judgement::Worse)
    }

    pub(super) fn fails(&self) -> bool {
        self.fail && self.regressions().next().is_some()
    }

    pub(super) fn json(&self) -> Value {
        let row = |row: &Row| {
            let (before, now) = (row.before, row.now);
            let judgement = row.judgement.name();
            json!({"before": before, "now": now, "changePercent": row.change(), "judgement": judgement})
        };
        let values: Map<String, Value> = self.rows.iter().map(|all| (all.key.clone(), row(all))).collect();
        json!({
            "file": self.baseline.file,
            "time": self.baseline.time,
            "tolerancePercent": self.tolerance,
            "regressions": self.regressions().map(|row| row.key.as_str()).collect::<Vec<_>>(),
            "values": values,
        })
    }
}

impl Judgement {
    fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "same",
            Self::NotJudged => "notJudged",
        }
    }

    /// As a person reads it; nothing for what does not matter.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "WORSE",
            Self::Same | Self::NotJudged => "",
        }
    }
}

impl Row {
    /// In per cent; none from zero.
    pub(super) fn change(&self) -> Option<f64> {
        (self.before != 0.0).then(|| (self.now - self.before) / self.before.abs() * 100.0)
    }

    pub(super) fn change_text(&self) -> String {
        self.change().map_or_else(String::new, |change| format!("{change:+.1} %"))
    }
}

fn latency_rows(key: &str, label: &str, before: &Value, now: &Summary, tolerance: f64) -> Vec<Row> {
    let count = |beyond: f64| (before["count"].as_f64().unwrap_or_default().min(now.count() as f64)) * beyond;
    let statistics = Summary::PERCENTILES.map(|(percentile, name, json)| {
        let judged = count(1.0 - percentile / 100.0) >= BEYOND - 1e-6;
        (name, json, now.percentile_ms(percentile), judged)
    });
    let rest = [("max", "maxMs", now.max_ms(), false), ("mean", "meanMs", now.mean_ms(), count(1.0) >= BEYOND)];
    let statistics = statistics.into_iter().chain(rest);
    let rows = statistics.filter_map(|(name, json, now, judged)| {
        let before = before[json].as_f64()?;
        // How late the tester was is no merit of the hub.
        let better = if judged && key != "lateness" { Better::Lower } else { Better::Neither };
        Some(Row {
            key: format!("{key}.{name}"),
            label: format!("{label}, {name}"),
            unit: LATENCY_UNIT,
            before,
            now,
            judgement: judge(before, now, better, tolerance),
        })
    });
    if count(1.0) == 0.0 { Vec::new() } else { rows.collect() }
}

impl Figure {
    /// Labels repeat between sections: `server CPU`, `tester CPU`.
    fn full_label(&self) -> String {
        let section = SECTIONS.iter().find(|(section, _)| *section == self.section && *section != Section::Load);
        section.map_or_else(|| self.label.to_owned(), |(_, title)| format!("{title} {}", self.label))
    }
}

/// Rates are better if higher, costs of the hub if lower.
fn better(figure: &Figure) -> Better {
    match (figure.section, figure.unit) {
        _ if figure.key == "memoryBeforeMiB" => Better::Neither,
        // About zero, so that the ratio of two of them is chance; an expectation can bound them.
        _ if figure.key.contains("Growth") => Better::Neither,
        // A total, which grows with the duration of the run.
        (Section::Server, "s") => Better::Neither,
        (Section::Load, "/s") => Better::Higher,
        (Section::Load, "s" | "×")
        | (Section::Server | Section::Node | Section::Shard | Section::Database, _)
        | (Section::Floor, "×") => Better::Lower,
        (Section::Load | Section::Tester | Section::Floor, _) => Better::Neither,
    }
}

fn judge(before: f64, now: f64, better: Better, tolerance: f64) -> Judgement {
    let difference = now - before;
    match better {
        Better::Neither => Judgement::NotJudged,
        _ if difference.abs() <= before.abs() * tolerance / 100.0 => Judgement::Same,
        Better::Lower if difference < 0.0 => Judgement::Better,
        Better::Higher if difference > 0.0 => Judgement::Better,
        Better::Lower | Better::Higher => Judgement::Worse,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;
    use crate::{
        latency::Latencies,
        problems::{Kind, Problems},
        stop::{EXIT_FAILED, EXIT_MISSED},
    };

    fn report(us_per_delivery: f64, rate: f64, millis: u64) -> Report {
        let mut report = Report::new("fanout", "u", json!({"sockets": 3}));
        report.count(Section::Load, "deliveries", "deliveries", millis);
        report.figure(Section::Load, "messagesPerSecond", "messages a second", rate, "/s");
        report.figure(Section::Server, "usPerDelivery", "CPU per delivery", us_per_delivery, "µs");
        report.figure(Section::Server, "serverCpuSeconds", "CPU", us_per_delivery, "s");
        report.figure(Section::Server, "memoryGrowthPercent", "growth of memory", us_per_delivery, "%");
        report.figure(Section::Tester, "testerCpuSeconds", "CPU", us_per_delivery, "s");
        let latencies = Latencies::new();
        (0..100).for_each(|_| latencies.record(Duration::from_millis(millis)));
        report.latency("delivery", "scheduled to socket", latencies.summary());
        report.latency("lateness", "sender behind schedule", latencies.summary());
        report
    }

    fn baseline(report: &Report) -> Baseline {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), report.json().to_string()).expect("written");
        Baseline::load(file.path(), "fanout").expect("a baseline")
    }

    fn compared(before: &Report, mut now: Report) -> Report {
        now.compare_with(baseline(before), 10.0, true);
        now
    }

    fn judgement(report: &Report, key: &str) -> Judgement {
        let rows = &report.comparison.as_ref().expect("compared").rows;
        rows.iter().find(|row| row.key == key).unwrap_or_else(|| panic!("no {key}: {rows:?}")).judgement
    }

    #[test]
    fn costs_and_latencies_are_better_if_lower_and_rates_if_higher() {
        let better = compared(&report(8.0, 100.0, 10), report(7.0, 120.0, 8));
        let worse = compared(&report(8.0, 100.0, 10), report(9.0, 80.0, 12));
        for key in ["usPerDelivery", "messagesPerSecond", "delivery.p50", "delivery.mean"] {
            assert_eq!(judgement(&better, key), Judgement::Better, "{key}");
            assert_eq!(judgement(&worse, key), Judgement::Worse, "{key}");
        }
        assert_eq!((better.exit_code(), worse.exit_code()), (0, EXIT_MISSED));
    }

    #[test]
    fn what_is_within_the_tolerance_is_the_same() {
        let same = compared(&report(8.0, 100.0, 100), report(8.7, 91.0, 109));
        for key in ["usPerDelivery", "messagesPerSecond", "delivery.p50"] {
            assert_eq!(judgement(&same, key), Judgement::Same, "{key}");
        }
        assert_eq!(same.exit_code(), 0);
    }

    #[test]
    fn counts_the_testers_own_values_and_rare_percentiles_are_not_judged() {
        let worse = compared(&report(8.0, 100.0, 10), report(8.0, 100.0, 100));
        for key in ["deliveries", "testerCpuSeconds", "lateness.p50", "delivery.p99", "delivery.p99.9", "delivery.max"]
        {
            assert_eq!(judgement(&worse, key), Judgement::NotJudged, "{key}");
        }
        // Ten of a hundred values lie beyond it.
        assert_eq!(judgement(&worse, "delivery.p90"), Judgement::Worse);
    }

    #[test]
    fn a_regression_changes_the_verdict_only_if_asked_and_never_that_of_a_void_run() {
        let before = report(8.0, 100.0, 10);
        let mut now = report(9.0, 100.0, 10);
        now.compare_with(baseline(&before), 10.0, false);
        assert_eq!((now.exit_code(), now.json()["verdict"].as_str()), (0, Some("pass")));
        let mut now = report(9.0, 100.0, 10);
        now.compare_with(baseline(&before), 10.0, true);
        assert_eq!((now.exit_code(), now.json()["verdict"].as_str()), (EXIT_MISSED, Some("missed")));
        let problems = Problems::default();
        problems.add(Kind::Lost, 1, || "socket 1".to_owned());
        now.judge(&problems);
        assert_eq!(now.exit_code(), EXIT_FAILED);
    }

    #[test]
    fn values_of_one_label_are_told_apart_and_totals_are_not_judged() {
        let compared = compared(&report(8.0, 100.0, 10), report(80.0, 100.0, 10));
        let rows = &compared.comparison.as_ref().expect("compared").rows;
        let labels: Vec<&str> =
            rows.iter().map(|row| row.label.as_str()).filter(|label| label.ends_with("CPU")).collect();
        assert_eq!(labels, ["server CPU", "tester CPU"]);
        for key in ["serverCpuSeconds", "memoryGrowthPercent"] {
            assert_eq!(judgement(&compared, key), Judgement::NotJudged, "{key}");
        }
    }

    #[test]
    fn the_json_has_both_values_and_names_the_regressions() {
        let json = compared(&report(8.0, 100.0, 10), report(10.0, 100.0, 10)).json();
        let compared = &json["baseline"];
        assert_eq!(compared["regressions"], json!(["usPerDelivery"]));
        let expected = json!({"before": 8.0, "now": 10.0, "changePercent": 25.0, "judgement": "worse"});
        assert_eq!(compared["values"]["usPerDelivery"], expected);
        assert_eq!(compared["tolerancePercent"], 10.0);
    }

    #[test]
    fn values_that_are_gone_are_named() {
        let before = report(8.0, 100.0, 10);
        let mut now = Report::new("fanout", "u", json!({"sockets": 4}));
        now.compare_with(baseline(&before), 10.0, true);
        let text = now.warnings.join("\n");
        assert!(text.contains("sockets 3, now 4"), "{text}");
        assert!(text.contains("this run has not: deliveries, ") && text.contains(", messagesPerSecond"), "{text}");
    }
}
