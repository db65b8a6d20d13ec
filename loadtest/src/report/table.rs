//! The report as an aligned table for people.

use std::fmt::{self, Write as _};

use super::{Report, SECTIONS};
use crate::latency::Summary;

impl Report {
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
        self.write_latencies(out)?;
        self.steps.write_table(out)?;
        self.write_growth(out)?;
        self.write_expected(out)?;
        self.write_comparison(out)?;
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

    fn write_latencies(&self, out: &mut String) -> fmt::Result {
        if self.latencies.is_empty() {
            return Ok(());
        }
        write!(out, "\n{:<36}{:>10}", "latency, ms", "count")?;
        for (_, label, _) in Summary::PERCENTILES {
            write!(out, "{label:>10}")?;
        }
        writeln!(out, "{:>10}", "max")?;
        for (_, label, summary) in &self.latencies {
            write!(out, "  {label:<34}{:>10}", summary.count())?;
            for (percentile, _, _) in Summary::PERCENTILES {
                write!(out, "{:>10}", number(summary.percentile_ms(percentile), "ms"))?;
            }
            writeln!(out, "{:>10}", number(summary.max_ms(), "ms"))?;
        }
        Ok(())
    }

    fn write_expected(&self, out: &mut String) -> fmt::Result {
        if !self.expected.is_empty() {
            writeln!(out, "\nthresholds")?;
        }
        for expected in &self.expected {
            let (value, unit) = match &expected.value {
                Ok(value) => (number(*value, expected.unit), expected.unit),
                Err(_) => ("-".to_owned(), ""),
            };
            writeln!(out, "  {:<34}{value:>12} {unit:<4}{}", expected.expression, expected.verdict())?;
        }
        Ok(())
    }

    fn write_comparison(&self, out: &mut String) -> fmt::Result {
        let Some(comparison) = &self.comparison else { return Ok(()) };
        let title = format!("baseline, marked beyond {} %", comparison.tolerance);
        writeln!(out, "\n{title:<36}{:>12}{:>12}      {:>10}", "before", "now", "change")?;
        for row in &comparison.rows {
            let [before, now] = [row.before, row.now].map(|value| number(value, row.unit));
            let (unit, change, mark) = (row.unit, row.change_text(), row.judgement.mark());
            let line = format!("  {:<34}{before:>12}{now:>12} {unit:<5}{change:>10}  {mark}", row.label);
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Four digits or so; counts in full.
pub(crate) fn number(value: f64, unit: &str) -> String {
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
    use serde_json::json;

    use super::*;
    use crate::{report::Section, threshold::Threshold};

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
    fn thresholds_stand_beside_their_values() {
        let mut report = Report::new("ingest", "u", json!({}));
        report.figure(Section::Load, "messagesPerSecond", "messages a second", 8000.0, "/s");
        let parse = |text| Threshold::parse(text).expect("valid");
        report.expect(&[parse("messagesPerSecond>=9000"), parse("messagesPerSecond<9000"), parse("nothing<1")]);
        let table = report.table();
        assert!(table.starts_with("ingest  u  MISSED\n"), "{table}");
        for line in [
            "  messagesPerSecond>=9000                   8000 /s  NOT MET\n",
            "  messagesPerSecond<9000                    8000 /s  met\n",
            "  nothing<1                                    -     NO VALUE\n",
        ] {
            assert!(table.contains(line), "{line}{table}");
        }
    }

    #[test]
    fn numbers_keep_about_four_digits() {
        let all = [0.1234, 12.345, 123.45, 1234.5].map(|value| number(value, "s"));
        assert_eq!(all, ["0.123", "12.35", "123.5", "1234"].map(str::to_owned));
        assert_eq!(number(1_234_567.0, ""), "1234567");
    }
}
