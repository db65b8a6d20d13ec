//! How costs grow: the steps of each dimension of a sweep.

use std::{
    fmt::{self, Write as _},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Report, Section, table::number};

/// The steps of one dimension.
#[derive(Debug, Clone)]
pub(crate) struct Growth {
    /// As in the command line.
    pub(crate) name: &'static str,
    /// What the values of its steps count.
    pub(crate) label: &'static str,
    /// One of them.
    pub(crate) item: &'static str,
    /// A further latency of each step, such as that of a page.
    pub(crate) other: Option<&'static str>,
    pub(crate) steps: Vec<GrowthStep>,
}

/// What was measured in one step; none where it was not.
#[derive(Debug, Clone, Default)]
pub(crate) struct GrowthStep {
    pub(crate) value: usize,
    /// Until all that the step needs was there.
    pub(crate) prepared_seconds: f64,
    pub(crate) messages: u64,
    pub(crate) deliveries: u64,
    /// p50 and p99, from the due time of a message to a socket.
    pub(crate) delivery_ms: [f64; 2],
    /// The same, to the 201.
    pub(crate) reply_ms: [f64; 2],
    pub(crate) other_ms: Option<[f64; 2]>,
    pub(crate) memory_mib: Option<f64>,
    /// Memory above that of the first step, for each further item.
    pub(crate) kib_each: Option<f64>,
    pub(crate) us_per_message: Option<f64>,
    pub(crate) us_per_delivery: Option<f64>,
    /// Of a core, while nothing was sent.
    pub(crate) idle_cpu_percent: Option<f64>,
    pub(crate) note: &'static str,
}

/// A column: its heading, its key in JSON, and its value.
pub(super) type Column = (String, &'static str, &'static str, fn(&GrowthStep) -> Option<f64>);

impl Growth {
    /// Those that have a value in any step.
    pub(super) fn columns(&self) -> Vec<Column> {
        let other = self.other.unwrap_or_default();
        let all: [Column; 14] = [
            (self.label.to_owned(), "value", "", |step| Some(step.value as f64)),
            ("prepared, s".to_owned(), "preparedSeconds", "s", |step| Some(step.prepared_seconds)),
            ("messages".to_owned(), "messages", "", |step| Some(step.messages as f64)),
            ("to socket p50, ms".to_owned(), "deliveryP50Ms", "ms", |step| Some(step.delivery_ms[0])),
            ("p99, ms".to_owned(), "deliveryP99Ms", "ms", |step| Some(step.delivery_ms[1])),
            ("to 201 p50, ms".to_owned(), "replyP50Ms", "ms", |step| Some(step.reply_ms[0])),
            ("p99, ms".to_owned(), "replyP99Ms", "ms", |step| Some(step.reply_ms[1])),
            (format!("{other} p50, ms"), "otherP50Ms", "ms", |step| Some(step.other_ms?[0])),
            ("p99, ms".to_owned(), "otherP99Ms", "ms", |step| Some(step.other_ms?[1])),
            ("memory, MiB".to_owned(), "memoryMiB", "MiB", |step| step.memory_mib),
            (format!("KiB each {}", self.item), "kibEach", "KiB", |step| step.kib_each),
            ("CPU each message, µs".to_owned(), "usPerMessage", "µs", |step| step.us_per_message),
            ("each delivery, µs".to_owned(), "usPerDelivery", "µs", |step| step.us_per_delivery),
            ("idle CPU, %".to_owned(), "idleCpuPercent", "%", |step| step.idle_cpu_percent),
        ];
        all.into_iter().filter(|(_, _, _, value)| self.steps.iter().any(|step| value(step).is_some())).collect()
    }

    /// The headings, and the cells of each step.
    pub(super) fn rows(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let columns = self.columns();
        let mut head: Vec<String> = columns.iter().map(|(label, ..)| label.clone()).collect();
        let row = |step: &GrowthStep| -> Vec<String> {
            let cell =
                |(_, _, unit, value): &Column| value(step).map_or_else(|| "-".to_owned(), |value| number(value, unit));
            columns.iter().map(cell).collect()
        };
        let mut rows: Vec<Vec<String>> = self.steps.iter().map(row).collect();
        if self.steps.iter().any(|step| !step.note.is_empty()) {
            head.push("note".to_owned());
            rows.iter_mut().zip(&self.steps).for_each(|(row, step)| row.push(step.note.to_owned()));
        }
        (head, rows)
    }

    fn json(&self) -> Value {
        let columns = self.columns();
        let step = |step: &GrowthStep| {
            let mut all = json!({"deliveries": step.deliveries, "note": step.note});
            for (_, key, _, value) in &columns {
                all[*key] = json!(value(step));
            }
            all
        };
        let steps: Vec<Value> = self.steps.iter().map(step).collect();
        json!({"dimension": self.name, "label": self.label, "other": self.other, "steps": steps})
    }

    fn write_markdown(&self, out: &mut String) -> fmt::Result {
        let (head, rows) = self.rows();
        writeln!(out, "## {}\n\n| {} |", self.label, head.join(" | "))?;
        writeln!(out, "|{}", "---:|".repeat(head.len()))?;
        for row in rows {
            writeln!(out, "| {} |", row.join(" | "))?;
        }
        writeln!(out)
    }

    fn write_table(&self, out: &mut String) -> fmt::Result {
        let (head, rows) = self.rows();
        let widths: Vec<usize> = (0..head.len())
            .map(|column| rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or_default())
            .collect();
        writeln!(out, "\n{}", self.name)?;
        for row in [&head].into_iter().chain(&rows) {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
            writeln!(out, "  {}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

impl Report {
    /// How costs grow.
    pub(crate) fn growth(&mut self, growth: Vec<Growth>) {
        for growth in &growth {
            self.ratios(growth);
        }
        self.growth = growth;
    }

    /// The last step against the first, by figures for thresholds and baselines.
    fn ratios(&mut self, growth: &Growth) {
        let (Some(first), Some(last)) = (growth.steps.first(), growth.steps.last()) else { return };
        let [p99, cpu, each] = figures(growth.name);
        let pair = |of: &dyn Fn(&GrowthStep) -> Option<f64>| of(first).zip(of(last)).filter(|(first, _)| *first > 0.0);
        for ((key, label), values) in
            [(p99, pair(&|step| Some(step.delivery_ms[1]))), (cpu, pair(&|step| step.us_per_delivery))]
        {
            if let Some((first, last)) = values.filter(|_| growth.steps.len() > 1) {
                self.figure(Section::Load, key, label, last / first, "×");
            }
        }
        if let (Some(kib), (key, label)) = (last.kib_each, each) {
            self.figure(Section::Server, key, label, kib, "KiB");
        }
    }

    pub(super) fn growth_json(&self) -> Value {
        self.growth.iter().map(Growth::json).collect()
    }

    pub(super) fn write_growth(&self, out: &mut String) -> fmt::Result {
        self.growth.iter().try_for_each(|growth| growth.write_table(out))
    }

    /// The steps as tables in Markdown; those of a void run say so.
    fn markdown(&self) -> String {
        let verdict = self.verdict().to_uppercase();
        let machine = &self.machine;
        let mut out =
            format!("# Growth of costs, {}\n\n{} ({} cores), {verdict}\n\n", self.time(), machine.cpu, machine.cores);
        // Writing to a String cannot fail.
        let _ = self.warnings.iter().try_for_each(|warning| writeln!(out, "Warning: {warning}\n"));
        let _ = self.growth.iter().try_for_each(|growth| growth.write_markdown(&mut out));
        out.truncate(out.trim_end().len());
        out + "\n"
    }

    pub(crate) fn write_markdown(&self, path: &Path) -> Result<()> {
        fs::write(path, self.markdown()).with_context(|| format!("writing {}", path.display()))
    }
}

macro_rules! figures {
    ($name:literal, $item:literal, $each:literal) => {
        [
            (concat!($name, "P99Ratio"), concat!("p99, last to first of ", $name)),
            (concat!($name, "CpuRatio"), concat!("CPU, last to first of ", $name)),
            ($each, concat!("memory for each ", $item)),
        ]
    };
}

/// The keys and labels of the figures of a dimension.
fn figures(name: &str) -> [(&'static str, &'static str); 3] {
    match name {
        "sockets" => figures!("sockets", "socket", "kibPerSocket"),
        "sessions" => figures!("sessions", "session", "kibPerSession"),
        "history" => figures!("history", "event", "kibPerEvent"),
        "waiters" => figures!("waiters", "long-poll", "kibPerWaiter"),
        "people" => figures!("people", "person", "kibPerPerson"),
        _ => figures!("nodes", "node", "kibPerNode"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problems::{Kind, Problems};

    fn growth() -> Growth {
        let step = |value: usize, cpu: f64| GrowthStep {
            value,
            messages: 10,
            delivery_ms: [1.0, cpu],
            us_per_delivery: Some(cpu),
            ..GrowthStep::default()
        };
        Growth {
            name: "sockets",
            label: "sockets",
            item: "socket",
            other: None,
            steps: vec![step(100, 4.0), step(1900, 6.0)],
        }
    }

    #[test]
    fn growth_stands_in_the_table_the_json_and_the_figures() {
        let mut report = Report::new("sweep", "u", json!({}));
        assert_eq!(report.json()["growth"], json!([]));
        report.growth(vec![growth()]);
        let json = report.json();
        assert_eq!(json["growth"][0]["steps"][1]["value"], 1900.0);
        assert_eq!(json["figures"]["socketsCpuRatio"], 1.5);
        let table = report.table();
        assert!(table.contains("\nsockets\n") && table.contains("   1900  "), "{table}");
    }

    #[test]
    fn columns_without_a_value_are_left_out() {
        let (head, rows) = growth().rows();
        assert!(
            head.contains(&"each delivery, µs".to_owned()) && !head.iter().any(|label| label.contains("MiB")),
            "{head:?}"
        );
        assert!(rows.iter().all(|row| row.len() == head.len()));
    }

    #[test]
    fn markdown_has_a_table_for_each_dimension_and_the_verdict() {
        let problems = Problems::default();
        problems.add(Kind::Lost, 1, String::new);
        let mut report = Report::new("sweep", "u", json!({}));
        report.growth(vec![growth()]);
        assert!(report.markdown().contains(", PASS\n"));
        report.warn("the tester was late".to_owned());
        report.judge(&problems);
        let text = report.markdown();
        assert!(
            text.contains(", FAIL\n")
                && text.contains("\n\nWarning: the tester was late\n\n## ")
                && text.contains("## sockets\n\n| sockets | "),
            "{text}"
        );
        let columns: Vec<usize> =
            text.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
        assert!(columns.len() == 4 && columns.iter().all(|count| *count == columns[0]), "{text}");
    }
}
