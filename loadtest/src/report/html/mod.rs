//! The report as one HTML document that needs no script and nothing else from anywhere.
//!
//! `maud` escapes every value; nothing here may use `PreEscaped` but for the style sheet.

mod axis;
mod chart;
mod comparison;
mod growth;
mod latency;
mod series;
mod steps;
mod table;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::table::{Cell, table};
use super::{Report, SECTIONS, parameters, table::number};

const STYLE: &str = include_str!("style.css");
/// The style sheet stands in the document, and there is nothing else that a browser may load or run.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

impl Report {
    pub(crate) fn write_html(&self, path: &Path) -> Result<()> {
        fs::write(path, self.html()).with_context(|| format!("writing {}", path.display()))
    }

    fn html(&self) -> String {
        let document = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    title { "Load test " (self.scenario) ": " (self.verdict()) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        h1 { "Load test: " (self.scenario) }
                        p { (self.url) ", " (self.time()) }
                        (self.html_verdict())
                    }
                    main {
                        (self.html_thresholds())
                        (self.html_problems())
                        @if let Some(comparison) = &self.comparison { (comparison::section(comparison)) }
                        (self.html_figures())
                        @if !self.steps.steps.is_empty() { (steps::section(&self.steps)) }
                        @if !self.growth.is_empty() { (growth::section(&self.growth)) }
                        (latency::section(self))
                        (series::section(&self.series))
                        (self.html_parameters())
                        (self.html_machine())
                    }
                    footer { "loadtest " (env!("CARGO_PKG_VERSION")) }
                }
            }
        };
        document.into_string() + "\n"
    }

    fn html_verdict(&self) -> Markup {
        let problems: u64 = self.problems.values().map(|entry| entry.count).sum();
        let missed = self.expected.iter().filter(|expected| !expected.met).count();
        let regressions = self.comparison.as_ref().map_or(0, |comparison| comparison.regressions().count());
        let verdict = self.verdict();
        let mut parts = vec![match verdict {
            "pass" => "Pass: no problem was found.".to_owned(),
            "fail" => format!("Fail: the run is void ({problems} problems)."),
            _ => "Missed: the run is not as it was expected to be.".to_owned(),
        }];
        if missed > 0 {
            parts.push(format!("{missed} of {} thresholds not met.", self.expected.len()));
        }
        if regressions > 0 {
            parts.push(format!("{regressions} of the values worse than in the earlier run."));
        }
        let (good, text) = (verdict == "pass", parts.join(" "));
        html! { p class=(if good { "verdict good" } else { "verdict bad" }) { (text) } }
    }

    fn html_thresholds(&self) -> Markup {
        let head = [Cell::text("Threshold"), Cell::number("value"), Cell::text("unit"), Cell::text("result")];
        let rows = self.expected.iter().map(|expected| {
            let (value, unit) = match &expected.value {
                Ok(value) => (number(*value, expected.unit), expected.unit.to_owned()),
                Err(error) => (String::new(), error.clone()),
            };
            let verdict = Cell::judged(expected.verdict(), expected.met);
            vec![Cell::text(expected.expression.clone()), Cell::number(value), Cell::text(unit), verdict]
        });
        html! {
            @if !self.expected.is_empty() {
                section aria-labelledby="thresholds" {
                    h2 id="thresholds" { "Thresholds" }
                    (table(&head, rows))
                }
            }
        }
    }

    fn html_problems(&self) -> Markup {
        html! {
            @if !self.problems.is_empty() || !self.warnings.is_empty() {
                section aria-labelledby="problems" {
                    h2 id="problems" { "Problems" }
                    @for (kind, entry) in &self.problems {
                        h3 class="bad" { (kind.label()) ": " (entry.count) }
                        ul { @for example in &entry.examples { li { (example) } } }
                    }
                    @for warning in &self.warnings {
                        p { "Warning: " (warning) }
                    }
                }
            }
        }
    }

    fn html_figures(&self) -> Markup {
        let head = [Cell::text("Figure"), Cell::number("value"), Cell::text("unit")];
        html! {
            section aria-labelledby="figures" {
                h2 id="figures" { "Figures" }
                @for (section, title) in SECTIONS {
                    @let rows: Vec<Vec<Cell>> = self.figures.iter().filter(|figure| figure.section == section).map(|figure| vec![
                        Cell::text(figure.label), Cell::number(number(figure.value, figure.unit)), Cell::text(figure.unit),
                    ]).collect();
                    @if !rows.is_empty() {
                        h3 { (title) }
                        (table(&head, rows.into_iter()))
                    }
                }
            }
        }
    }

    fn html_parameters(&self) -> Markup {
        let head = [Cell::text("Parameter"), Cell::text("value")];
        let rows = parameters::flat(&self.parameters).into_iter();
        let rows = rows.map(|(name, value)| vec![Cell::text(name), Cell::text(value)]);
        html! {
            section aria-labelledby="parameters" {
                h2 id="parameters" { "Parameters" }
                (table(&head, rows))
            }
        }
    }

    fn html_machine(&self) -> Markup {
        let machine = &self.machine;
        let memory = machine.memory_mib.map_or_else(|| "unknown".to_owned(), |mib| format!("{mib} MiB"));
        let head = [Cell::text("Tester's machine"), Cell::text("value")];
        let rows = [
            ("CPU", machine.cpu.clone()),
            ("cores", machine.cores.to_string()),
            ("kernel", machine.kernel.clone()),
            ("memory", memory),
        ];
        html! {
            section aria-labelledby="machine" {
                h2 id="machine" { "Machine" }
                (table(&head, rows.into_iter().map(|(name, value)| vec![Cell::text(name), Cell::text(value)])))
            }
        }
    }
}

#[cfg(test)]
mod tests;
