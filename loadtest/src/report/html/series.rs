//! Charts over the time of the run, and the same as a table.

use maud::{Markup, html};

use super::{
    axis::Axis,
    chart::{self, Band, Frame, Line},
    table::{Cell, table},
};
use crate::{
    latency::Summary,
    report::table::number,
    series::{Sample, Series},
};

/// Samples in a chart; those of longer runs are taken together.
const SAMPLES: usize = 300;

/// A line of a chart: its label, and its value in a sample.
type Column<'a> = (&'static str, &'a dyn Fn(&Sample) -> Option<f64>);

pub(super) fn section(series: &Series) -> Markup {
    let series = series.condensed(SAMPLES);
    let latencies = |sample: &Sample, key: &str, index: usize| sample.latency(key).map(|all| all.ms[index]);
    let any = |value: &dyn Fn(&Sample) -> bool| series.samples.iter().any(value);
    html! {
        @if !series.samples.is_empty() {
            section aria-labelledby="time" {
                h2 id="time" { "Over time" }
                (plot(&series, "deliveries", "Deliveries", "/s", &[("deliveries", &|sample| Some(sample.deliveries_per_second))]))
                (plot(&series, "messages", "Messages", "/s", &[
                    ("sent", &|sample| Some(sample.sent_per_second)),
                    ("acknowledged", &|sample| Some(sample.acknowledged_per_second)),
                ]))
                @for key in series.latency_keys() {
                    (latency(&series, key, &[
                        ("p50", &|sample| latencies(sample, key, 0)),
                        ("p90", &|sample| latencies(sample, key, 1)),
                        ("p99", &|sample| latencies(sample, key, 2)),
                        ("max", &|sample| sample.latency(key).map(|all| all.max_ms)),
                    ]))
                }
                (plot(&series, "cpu", "CPU", "% of a core", &[
                    ("hub", &|sample| sample.server_cpu),
                    ("tester", &|sample| sample.tester_cpu),
                ]))
                @if any(&|sample| sample.server_memory.is_some()) {
                    (memory(&series))
                }
                @if any(&|sample| sample.server_descriptors.is_some()) {
                    (plot(&series, "descriptors", "Descriptors of the hub", "", &[
                        ("descriptors", &|sample| sample.server_descriptors.map(|open| open as f64)),
                    ]))
                }
                (plot(&series, "open", "Open sockets or long-polls", "", &[("open", &|sample| Some(sample.open as f64))]))
                @if any(&|sample| sample.problems > 0) {
                    (plot(&series, "problems-time", "Problems", "", &[("problems", &|sample| Some(sample.problems as f64))]))
                }
                details {
                    summary { "Over time as a table" }
                    (values(&series))
                }
            }
        }
    }
}

fn plot(series: &Series, id: &str, title: &str, unit: &str, columns: &[Column<'_>]) -> Markup {
    let lines = lines(series, columns);
    let most = values_of(&lines).fold(0.0, f64::max);
    draw(series, id, title.to_owned(), Axis::linear(unit, most), &lines)
}

/// Its line has no gaps: it is not read every second where that takes long.
fn memory(series: &Series) -> Markup {
    let mut lines = lines(series, &[("hub", &|sample| sample.server_memory)]);
    lines.iter_mut().for_each(|line| line.points.retain(|(_, value)| value.is_some()));
    let most = values_of(&lines).fold(0.0, f64::max);
    draw(series, "memory", "Memory of the hub (Pss)".to_owned(), Axis::linear("MiB", most), &lines)
}

fn latency(series: &Series, key: &str, columns: &[Column<'_>]) -> Markup {
    let lines = lines(series, columns);
    let (least, most) = (values_of(&lines).fold(f64::MAX, f64::min), values_of(&lines).fold(0.0, f64::max));
    draw(series, &format!("latency-{key}"), format!("Latency: {key}"), Axis::log("ms", least, most), &lines)
}

fn draw(series: &Series, id: &str, title: String, y: Axis, lines: &[Line]) -> Markup {
    let end = series.samples.last().map_or(0.0, |sample| sample.seconds);
    let frame = Frame { id: format!("over-time-{id}"), title, x: Axis::until("seconds", end), y, bands: bands(series) };
    chart::lines(&frame, lines)
}

/// The phases of the run.
fn bands(series: &Series) -> Vec<Band> {
    let starts = [0.0].into_iter().chain(series.samples.iter().map(|sample| sample.seconds));
    let mut bands: Vec<Band> = Vec::new();
    for (sample, from) in series.samples.iter().zip(starts) {
        match bands.last_mut() {
            Some(last) if last.label == sample.phase => last.to = sample.seconds,
            _ => bands.push(Band { from, to: sample.seconds, label: sample.phase }),
        }
    }
    bands
}

fn lines(series: &Series, columns: &[Column<'_>]) -> Vec<Line> {
    let line = |(label, value): &Column<'_>| Line {
        label: (*label).to_owned(),
        points: series.samples.iter().map(|sample| (sample.seconds, value(sample))).collect(),
    };
    columns.iter().map(line).collect()
}

fn values_of(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(|line| &line.points).filter_map(|(_, value)| *value)
}

fn values(series: &Series) -> Markup {
    let keys = series.latency_keys();
    let mut head = vec![Cell::number("s"), Cell::text("phase")];
    head.extend(["sent/s", "acknowledged/s", "delivered/s", "open", "problems"].map(Cell::number));
    head.extend(["hub CPU, %", "hub MiB", "hub descriptors", "tester CPU, %"].map(Cell::number));
    for key in &keys {
        head.extend(Summary::PERCENTILES.map(|(_, label, _)| Cell::number(format!("{key} {label}, ms"))));
    }
    let rows = series.samples.iter().map(|sample| {
        let optional = |value: Option<f64>| Cell::number(value.map_or_else(String::new, |value| number(value, "s")));
        let mut row = vec![Cell::number(format!("{:.1}", sample.seconds)), Cell::text(sample.phase)];
        let rates = [sample.sent_per_second, sample.acknowledged_per_second, sample.deliveries_per_second];
        row.extend(rates.map(|rate| Cell::number(number(rate, "/s"))));
        row.extend([sample.open, sample.problems].map(|count| Cell::number(count.to_string())));
        row.extend([sample.server_cpu, sample.server_memory].map(optional));
        row.push(Cell::number(sample.server_descriptors.map_or_else(String::new, |open| open.to_string())));
        row.push(optional(sample.tester_cpu));
        for key in &keys {
            let all = sample.latency(key).map(|all| all.ms);
            row.extend((0..Summary::PERCENTILES.len()).map(|index| optional(all.map(|all| all[index]))));
        }
        row
    });
    table(&head, rows)
}
