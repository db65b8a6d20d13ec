//! The result of a run: values, problems, expectations, and their JSON.

mod baseline;
mod comparison;
mod expected;
mod growth;
mod html;
mod json;
mod parameters;
mod steps;
mod table;

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

pub(crate) use self::{
    baseline::Baseline,
    growth::{Growth, GrowthStep},
    steps::{Step, Steps},
};
use self::{comparison::Comparison, expected::Expected};
use crate::{
    latency::Summary,
    machine::Machine,
    problems::{Entry, Kind, Problems},
    series::Series,
    stop::{EXIT_FAILED, EXIT_MISSED, EXIT_USAGE},
    threshold::Threshold,
};

/// A group of figures in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Load,
    Server,
    Tester,
    Floor,
    /// Of a simulation.
    Node,
    Shard,
    Database,
}

const SECTIONS: [(Section, &str); 7] = [
    (Section::Load, "load"),
    (Section::Server, "server"),
    (Section::Tester, "tester"),
    (Section::Floor, "floor"),
    (Section::Node, "each node of the hub"),
    (Section::Shard, "each shard of Redis"),
    (Section::Database, "database, all nodes"),
];

struct Figure {
    section: Section,
    key: &'static str,
    label: &'static str,
    value: f64,
    unit: &'static str,
}

/// The results of a run.
pub(crate) struct Report {
    /// About the end of the run.
    time: DateTime<Utc>,
    machine: Machine,
    scenario: &'static str,
    url: String,
    parameters: Value,
    figures: Vec<Figure>,
    latencies: Vec<(&'static str, &'static str, Summary)>,
    warnings: Vec<String>,
    problems: BTreeMap<Kind, Entry>,
    expected: Vec<Expected>,
    comparison: Option<Comparison>,
    series: Series,
    steps: Steps,
    growth: Vec<Growth>,
}

impl Report {
    pub(crate) fn new(scenario: &'static str, url: &str, parameters: Value) -> Self {
        Self {
            time: Utc::now(),
            machine: Machine::read(),
            scenario,
            url: url.to_owned(),
            parameters,
            figures: Vec::new(),
            latencies: Vec::new(),
            warnings: Vec::new(),
            problems: BTreeMap::new(),
            expected: Vec::new(),
            comparison: None,
            series: Series::default(),
            steps: Steps::default(),
            growth: Vec::new(),
        }
    }

    /// Adds a number; without a unit it is a count.
    pub(crate) fn figure(
        &mut self,
        section: Section,
        key: &'static str,
        label: &'static str,
        value: f64,
        unit: &'static str,
    ) {
        self.figures.push(Figure { section, key, label, value, unit });
    }

    pub(crate) fn count(&mut self, section: Section, key: &'static str, label: &'static str, count: u64) {
        self.figure(section, key, label, count as f64, "");
    }

    pub(crate) fn latency(&mut self, key: &'static str, label: &'static str, summary: Summary) {
        self.latencies.push((key, label, summary));
    }

    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// What happened in each second.
    pub(crate) fn series(&mut self, series: Series) {
        self.series = series;
    }

    /// How the highest rate was found.
    pub(crate) fn steps(&mut self, steps: Steps) {
        self.steps = steps;
    }

    /// Takes the verdict from the problems of the run.
    pub(crate) fn judge(&mut self, problems: &Problems) {
        self.problems = problems.snapshot();
    }

    /// Compares these expectations with the values of the run, which must be complete.
    pub(crate) fn expect(&mut self, thresholds: &[Threshold]) {
        self.expected = thresholds.iter().map(|threshold| self.compare(threshold)).collect();
    }

    /// Expectations that name a value that the run does not have.
    pub(crate) fn threshold_errors(&self) -> impl Iterator<Item = String> {
        self.expected.iter().filter_map(Expected::error)
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match () {
            () if !self.problems.is_empty() => EXIT_FAILED,
            () if self.expected.iter().any(|expected| expected.value.is_err()) => EXIT_USAGE,
            () if self.expected.iter().any(|expected| !expected.met) => EXIT_MISSED,
            () if self.comparison.as_ref().is_some_and(Comparison::fails) => EXIT_MISSED,
            () => 0,
        }
    }

    fn time(&self) -> String {
        self.time.to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// `fail` for a run that is void, `missed` for one that is not as it was expected to be.
    fn verdict(&self) -> &'static str {
        match self.exit_code() {
            0 => "pass",
            EXIT_FAILED => "fail",
            _ => "missed",
        }
    }

    pub(crate) fn json(&self) -> Value {
        let figures: Map<String, Value> =
            self.figures.iter().map(|figure| (figure.key.to_owned(), json!(figure.value))).collect();
        let latencies: Map<String, Value> =
            self.latencies.iter().map(|(key, _, summary)| ((*key).to_owned(), summary.json())).collect();
        json!({
            "scenario": self.scenario,
            "url": self.url,
            "time": self.time(),
            "machine": self.machine,
            "verdict": self.verdict(),
            "parameters": self.parameters,
            "thresholds": self.expected.iter().map(Expected::json).collect::<Vec<_>>(),
            "figures": figures,
            "latencies": latencies,
            "baseline": self.comparison.as_ref().map(Comparison::json),
            "ramp": (!self.steps.steps.is_empty()).then(|| self.steps.json()),
            "growth": self.growth_json(),
            "series": self.series.json(),
            "problems": self.problems,
            "warnings": self.warnings,
        })
    }

    pub(crate) fn write_json(&self, path: &Path) -> Result<()> {
        let text = json::text(&self.json()).context("writing JSON")?;
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_problem_fails_the_run() {
        let problems = Problems::default();
        problems.add(Kind::Lost, 3, || "socket 1, session s: 3 from seq 4".to_owned());
        let mut report = Report::new("chat", "u", json!({}));
        report.judge(&problems);
        assert_eq!(report.exit_code(), EXIT_FAILED);
        assert!(report.table().contains("FAIL"));
        assert!(report.table().contains("socket 1, session s: 3 from seq 4"));
        assert_eq!(report.json()["problems"]["lost"]["count"], 3);
    }
}
