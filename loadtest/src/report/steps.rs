//! The steps of a search for the highest rate.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};

use super::table::number;

/// One step.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Messages per second.
    pub(crate) rate: f64,
    /// Messages that count.
    pub(crate) messages: u64,
    /// What the target is about, in milliseconds; none where nothing was recorded.
    pub(crate) value_ms: Option<f64>,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) met: bool,
    /// What else there is to know.
    pub(crate) note: &'static str,
}

/// All of them, and the target.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steps {
    pub(crate) target: String,
    pub(crate) steps: Vec<Step>,
}

impl Step {
    fn verdict(&self) -> &'static str {
        if self.met { "met" } else { "NOT MET" }
    }
}

impl Steps {
    pub(super) fn json(&self) -> Value {
        let step = |step: &Step| {
            json!({
                "rate": step.rate,
                "messages": step.messages,
                "valueMs": step.value_ms,
                "p50Ms": step.p50_ms,
                "p99Ms": step.p99_ms,
                "met": step.met,
                "note": step.note,
            })
        };
        json!({"target": self.target, "steps": self.steps.iter().map(step).collect::<Vec<_>>()})
    }

    /// The heads of the columns, and the cells of each row.
    pub(super) fn rows(&self) -> ([String; 6], impl Iterator<Item = [String; 6]>) {
        let head = ["messages/s", "messages", "p50, ms", "p99, ms", &self.target, ""].map(str::to_owned);
        let rows = self.steps.iter().map(|step| {
            let value = step.value_ms.map_or_else(|| "-".to_owned(), |value| format!("{} ms", number(value, "ms")));
            let verdict = [step.verdict(), step.note].join(" ");
            [
                number(step.rate, "/s"),
                step.messages.to_string(),
                number(step.p50_ms, "ms"),
                number(step.p99_ms, "ms"),
                value,
                verdict.trim_end().to_owned(),
            ]
        });
        (head, rows)
    }

    pub(super) fn write_table(&self, out: &mut String) -> fmt::Result {
        if self.steps.is_empty() {
            return Ok(());
        }
        let (head, rows) = self.rows();
        writeln!(out, "\nsteps")?;
        for [rate, messages, p50, p99, value, verdict] in [head].into_iter().chain(rows) {
            let line = format!("  {rate:>12}{messages:>12}{p50:>12}{p99:>12}{value:>20}  {verdict}");
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    #[test]
    fn steps_stand_in_the_table_and_in_the_json() {
        let step =
            |rate: f64, met| Step { rate, messages: 100, value_ms: Some(4.0), p50_ms: 1.0, p99_ms: 4.0, met, note: "" };
        let mut report = Report::new("fanout", "u", json!({}));
        assert!(report.json()["ramp"].is_null() && !report.table().contains("steps"));
        report.steps(Steps { target: "p99<5ms".to_owned(), steps: vec![step(20.0, true), step(40.0, false)] });
        let table = report.table();
        assert!(table.contains("p99<5ms") && table.contains("NOT MET"), "{table}");
        assert_eq!(report.json()["ramp"]["steps"][1]["rate"], 40.0);
    }
}
