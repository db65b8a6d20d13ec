//! Charts of how costs grow, for each dimension of a sweep, and the same as tables.

use maud::{Markup, html};

use super::{
    axis::Axis,
    chart::{self, Frame, Line},
    table::{Cell, table},
};
use crate::report::growth::{Growth, GrowthStep};

/// A line: its label and its value in a step.
type Column<'a> = (&'a str, &'a dyn Fn(&GrowthStep) -> Option<f64>);

pub(super) fn section(all: &[Growth]) -> Markup {
    html! {
        section aria-labelledby="growth" {
            h2 id="growth" { "Growth" }
            @for growth in all {
                h3 { (growth.label) }
                (dimension(growth))
                (values(growth))
            }
        }
    }
}

fn dimension(growth: &Growth) -> Markup {
    let other = growth.other.unwrap_or_default();
    let other_label = format!("{other}, p99");
    let each = format!("KiB for each {}", growth.item);
    html! {
        (plot(growth, "latency", "latency", "ms", &[
            ("to socket, p50", &|step| Some(step.delivery_ms[0])),
            ("to socket, p99", &|step| Some(step.delivery_ms[1])),
            ("to 201, p99", &|step| Some(step.reply_ms[1])),
            (&other_label, &|step| Some(step.other_ms?[1])),
        ]))
        (plot(growth, "cpu", "CPU of the hub", "µs", &[
            ("each message", &|step| step.us_per_message),
            ("each delivery", &|step| step.us_per_delivery),
        ]))
        (plot(growth, "idle", "idle CPU of the hub", "% of a core", &[("idle CPU", &|step| step.idle_cpu_percent)]))
        (plot(growth, "memory", "memory of the hub", "MiB", &[("memory", &|step| step.memory_mib)]))
        (plot(growth, "each", &each, "KiB", &[(&each, &|step| step.kib_each)]))
    }
}

/// One chart; nothing where no step has a value.
fn plot(growth: &Growth, id: &str, title: &str, unit: &str, columns: &[Column<'_>]) -> Markup {
    let line = |(label, value): &Column<'_>| Line {
        label: (*label).to_owned(),
        points: growth.steps.iter().map(|step| (step.value as f64, value(step))).collect(),
    };
    let mut lines: Vec<Line> = columns.iter().map(line).collect();
    lines.retain(|line| line.points.iter().any(|(_, value)| value.is_some()));
    let values = lines.iter().flat_map(|line| &line.points).filter_map(|(_, value)| *value);
    let most = values.fold(0.0, f64::max);
    let steps: Vec<f64> = growth.steps.iter().map(|step| step.value as f64).collect();
    let frame = Frame {
        id: format!("growth-{}-{id}", growth.name),
        title: format!("{}: {title}", growth.label),
        x: Axis::steps(growth.label, &steps),
        y: Axis::linear(unit, most),
        bands: Vec::new(),
    };
    html! { @if !lines.is_empty() { (chart::lines(&frame, &lines)) } }
}

fn values(growth: &Growth) -> Markup {
    let (head, rows) = growth.rows();
    let head: Vec<Cell> = head.into_iter().map(Cell::number).collect();
    let rows = rows.into_iter().map(|row| row.into_iter().map(Cell::number).collect());
    table(&head, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth(memory: Option<f64>) -> Growth {
        let step = |value| GrowthStep { value, delivery_ms: [1.0, 2.0], memory_mib: memory, ..GrowthStep::default() };
        let steps = vec![step(0), step(10), step(1000)];
        Growth { name: "history", label: "events <stored>", item: "event", other: Some("page"), steps }
    }

    #[test]
    fn each_dimension_has_a_chart_of_its_latency_and_of_what_was_measured() {
        let page = section(&[growth(Some(5.0))]).into_string();
        assert_eq!(page.matches("<figure>").count(), 2, "{page}");
        assert!(page.contains("<figcaption>events &lt;stored&gt;: latency</figcaption>"), "{page}");
        assert!(page.contains(r#"id="growth-history-memory-title""#), "{page}");
        assert_eq!(section(&[growth(None)]).into_string().matches("<figure>").count(), 1);
    }

    #[test]
    fn its_steps_are_on_the_axis_and_in_a_table() {
        let page = section(&[growth(None)]).into_string();
        for label in ["0", "10", "1000"] {
            assert!(page.contains(&format!(">{label}</text>")), "{label}: {page}");
        }
        assert!(page.contains("<table>"), "{page}");
    }
}
