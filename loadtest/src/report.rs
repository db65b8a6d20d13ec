//! The result of a run: an aligned table for people, JSON for programs.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use crate::{
    latency::Summary,
    problems::{Entry, Kind, Problems},
    stop::EXIT_FAILED,
};

/// A group of figures in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Load,
    Server,
    Tester,
    Floor,
}

const SECTIONS: [(Section, &str); 4] =
    [(Section::Load, "load"), (Section::Server, "server"), (Section::Tester, "tester"), (Section::Floor, "floor")];

struct Figure {
    section: Section,
    key: &'static str,
    label: &'static str,
    value: f64,
    unit: &'static str,
}

/// The results of a run.
pub(crate) struct Report {
    scenario: &'static str,
    url: String,
    parameters: Value,
    figures: Vec<Figure>,
    latencies: Vec<(&'static str, &'static str, Summary)>,
    warnings: Vec<String>,
    problems: BTreeMap<Kind, Entry>,
}

impl Report {
    pub(crate) fn new(scenario: &'static str, url: &str, parameters: Value) -> Self {
        Self {
            scenario,
            url: url.to_owned(),
            parameters,
            figures: Vec::new(),
            latencies: Vec::new(),
            warnings: Vec::new(),
            problems: BTreeMap::new(),
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

    /// Takes the verdict from the problems of the run.
    pub(crate) fn judge(&mut self, problems: &Problems) {
        self.problems = problems.snapshot();
    }

    pub(crate) fn exit_code(&self) -> u8 {
        if self.problems.is_empty() { 0 } else { EXIT_FAILED }
    }

    fn verdict(&self) -> &'static str {
        if self.problems.is_empty() { "pass" } else { "fail" }
    }

    /// The aligned table, with a line feed at its end.
    pub(crate) fn table(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_table(&mut out);
        out
    }

    fn write_table(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "{}  {}  {}", self.scenario, self.url, self.verdict().to_uppercase())?;
        for (section, title) in SECTIONS {
            let mut rows = self.figures.iter().filter(|figure| figure.section == section).peekable();
            if rows.peek().is_some() {
                writeln!(out, "\n{title}")?;
            }
            for figure in rows {
                let value = number(figure.value, figure.unit);
                let line = format!("  {:<34}{value:>12} {}", figure.label, figure.unit);
                writeln!(out, "{}", line.trim_end())?;
            }
        }
        if !self.latencies.is_empty() {
            writeln!(
                out,
                "\n{:<36}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
                "latency, ms", "count", "p50", "p90", "p99", "p99.9", "max"
            )?;
        }
        for (_, label, summary) in &self.latencies {
            write!(out, "  {label:<34}{:>10}", summary.count())?;
            for value in [
                summary.percentile_ms(50.0),
                summary.percentile_ms(90.0),
                summary.percentile_ms(99.0),
                summary.percentile_ms(99.9),
                summary.max_ms(),
            ] {
                write!(out, "{:>10}", number(value, "ms"))?;
            }
            writeln!(out)?;
        }
        if !self.problems.is_empty() {
            writeln!(out, "\nproblems")?;
        }
        for (kind, entry) in &self.problems {
            writeln!(out, "  {:<34}{:>12}", kind.label(), entry.count)?;
            for example in &entry.examples {
                writeln!(out, "    {example}")?;
            }
        }
        for warning in &self.warnings {
            writeln!(out, "\nwarning: {warning}")?;
        }
        Ok(())
    }

    pub(crate) fn json(&self) -> Value {
        let figures: Map<String, Value> =
            self.figures.iter().map(|figure| (figure.key.to_owned(), json!(figure.value))).collect();
        let latencies: Map<String, Value> =
            self.latencies.iter().map(|(key, _, summary)| ((*key).to_owned(), summary.json())).collect();
        json!({
            "scenario": self.scenario,
            "url": self.url,
            "verdict": self.verdict(),
            "parameters": self.parameters,
            "figures": figures,
            "latencies": latencies,
            "problems": self.problems,
            "warnings": self.warnings,
        })
    }

    pub(crate) fn write_json(&self, path: &Path) -> Result<()> {
        let text = format!("{:#}\n", self.json());
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }
}

/// Four digits or so; counts in full.
fn number(value: f64, unit: &str) -> String {
    let decimals = match value.abs() {
        _ if unit.is_empty() => 0,
        1000.0.. => 0,
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_run_passes_and_columns_align() {
        let mut report = Report::new("fanout", "http://127.0.0.1:1", json!({"sockets": 2}));
        report.count(Section::Load, "sockets", "sockets", 2);
        report.figure(Section::Server, "serverCpuSeconds", "CPU", 12.345, "s");
        let table = report.table();
        assert!(table.starts_with("fanout  http://127.0.0.1:1  PASS\n"));
        let ends: Vec<usize> = ["           2\n", "12.35 s"].iter().filter_map(|text| table.find(text)).collect();
        assert_eq!(ends.len(), 2, "{table}");
        assert_eq!(report.exit_code(), 0);
    }

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

    #[test]
    fn numbers_keep_about_four_digits() {
        let all = [0.1234, 12.345, 123.45, 1234.5].map(|value| number(value, "s"));
        assert_eq!(all, ["0.123", "12.35", "123.5", "1234"].map(str::to_owned));
        assert_eq!(number(1_234_567.0, ""), "1234567");
    }
}
