//! The distribution of the latencies: percentiles and a histogram.

use maud::{Markup, html};

use super::{
    axis::Axis,
    chart::{self, Bar, Frame, Line},
    table::{Cell, table},
};
use crate::{
    latency::{Summary, main_latency},
    report::{Report, table::number},
};

const BINS: usize = 40;

pub(super) fn section(report: &Report) -> Markup {
    let recorded: Vec<_> = report.latencies.iter().filter(|(.., summary)| summary.count() > 0).collect();
    html! {
        @if !report.latencies.is_empty() {
            section aria-labelledby="latency" {
                h2 id="latency" { "Latency" }
                (percentiles(report))
                @if !recorded.is_empty() {
                    (plot(report))
                }
                @if let Some((key, label, summary)) = main_latency(&report.latencies, |(key, ..)| key) {
                    @if summary.count() > 0 { (histogram(key, label, summary)) }
                }
            }
        }
    }
}

fn percentiles(report: &Report) -> Markup {
    let mut head = vec![Cell::text("Latency, ms"), Cell::number("count")];
    head.extend(Summary::PERCENTILES.map(|(_, label, _)| Cell::number(label)));
    head.extend([Cell::number("max"), Cell::number("mean")]);
    let rows = report.latencies.iter().map(|(_, label, summary)| {
        let mut row = vec![Cell::text(*label), Cell::number(summary.count().to_string())];
        let values = Summary::PERCENTILES.map(|(percentile, ..)| summary.percentile_ms(percentile));
        let all = values.into_iter().chain([summary.max_ms(), summary.mean_ms()]);
        row.extend(all.map(|value| Cell::number(number(value, "ms"))));
        row
    });
    table(&head, rows)
}

/// Each latency by percentile, the last ones drawn out as in plots of HdrHistogram.
fn plot(report: &Report) -> Markup {
    let count = report.latencies.iter().map(|(.., summary)| summary.count()).max().unwrap_or_default();
    let lines: Vec<Line> = report
        .latencies
        .iter()
        .filter(|(.., summary)| summary.count() > 0)
        .map(|(_, label, summary)| line(label, &summary.distribution(), summary.count()))
        .chain(earlier(report))
        .collect();
    let values = lines.iter().flat_map(|line| &line.points).filter_map(|(_, value)| *value);
    let frame = Frame {
        id: "percentiles".to_owned(),
        title: "Latency by percentile".to_owned(),
        x: Axis::percentiles("percentile", count),
        y: Axis::linear("ms", values.fold(0.0, f64::max)),
        bands: Vec::new(),
    };
    chart::lines(&frame, &lines)
}

/// The main latency of the earlier run.
fn earlier(report: &Report) -> Option<Line> {
    let comparison = report.comparison.as_ref()?;
    let (key, label, summary) = main_latency(&report.latencies, |(key, ..)| key)?;
    let points = comparison.baseline.distribution(key);
    (!points.is_empty()).then(|| line(&format!("{label}, earlier run"), &points, summary.count()))
}

/// Points of a distribution at the positions of [`Axis::percentiles`].
fn line(label: &str, distribution: &[(f64, f64)], count: u64) -> Line {
    let end = count.max(1) as f64;
    let points = distribution.iter().map(|(percentile, ms)| {
        let rest = 1.0 - percentile / 100.0;
        (if rest > 0.0 { (1.0 / rest).min(end) } else { end }, Some(*ms))
    });
    Line { label: label.to_owned(), points: points.collect() }
}

fn histogram(key: &str, label: &str, summary: &Summary) -> Markup {
    let bins = summary.bins(BINS);
    let share = |count: u64| count as f64 / summary.count() as f64 * 100.0;
    let bars: Vec<Bar> =
        bins.iter().map(|bin| Bar { from: bin.from_ms, to: bin.to_ms, height: share(bin.count) }).collect();
    let most = bars.iter().map(|bar| bar.height).fold(0.0, f64::max);
    let (least, last) = (bins.first().map_or(0.0, |bin| bin.from_ms), bins.last().map_or(0.0, |bin| bin.to_ms));
    let frame = Frame {
        id: format!("histogram-{key}"),
        title: format!("Distribution: {label}"),
        x: Axis::log("ms", least, last),
        y: Axis::linear("%", most),
        bands: Vec::new(),
    };
    let head = [Cell::number("from, ms"), Cell::number("to, ms"), Cell::number("count"), Cell::number("%")];
    let rows = bins.iter().filter(|bin| bin.count > 0).map(|bin| {
        let ends = [bin.from_ms, bin.to_ms].map(|end| Cell::number(number(end, "ms")));
        let [from, to] = ends;
        vec![from, to, Cell::number(bin.count.to_string()), Cell::number(number(share(bin.count), "%"))]
    });
    let description =
        format!("{} values from {} ms to {} ms", summary.count(), number(least, "ms"), number(last, "ms"));
    html! {
        (chart::bars(&frame, &description, &bars))
        details {
            summary { "Distribution as a table" }
            (table(&head, rows))
        }
    }
}
