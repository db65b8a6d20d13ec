//! Charts as inline SVG, each with a title and a description for those who do not see it.

use maud::{Markup, html};

use super::axis::{Axis, short};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;
/// The least width of a band, which has room for its name.
const BAND: f64 = 70.0;

/// A chart without its data.
pub(super) struct Frame {
    /// Unique in the document.
    pub(super) id: String,
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) bands: Vec<Band>,
}

/// A part of the x axis with a name. Only wide ones are drawn.
pub(super) struct Band {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) label: &'static str,
}

/// A line; it is broken where there is no value.
pub(super) struct Line {
    pub(super) label: String,
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// A bar from one position of the x axis to another.
pub(super) struct Bar {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) height: f64,
}

/// The lines in one chart, with a legend where there is more than one.
pub(super) fn lines(frame: &Frame, lines: &[Line]) -> Markup {
    let description = lines.iter().map(Line::describe).collect::<Vec<_>>().join("; ");
    let drawn = html! {
        @for (index, line) in lines.iter().enumerate() {
            g class=(class(index)) {
                @for run in line.runs() { (frame.run(run)) }
            }
        }
    };
    html! {
        figure {
            figcaption { (frame.title) }
            (frame.svg(&description, &drawn))
            @if lines.len() > 1 {
                ul class="legend" {
                    @for (index, line) in lines.iter().enumerate() {
                        li {
                            svg class="key" viewBox="0 0 28 8" aria-hidden="true" {
                                g class=(class(index)) { polyline points="0,4 28,4" {} }
                            }
                            (line.label)
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn bars(frame: &Frame, description: &str, bars: &[Bar]) -> Markup {
    let drawn = html! {
        g class="bars" {
            @for bar in bars {
                @let (left, right) = (frame.x_of(bar.from), frame.x_of(bar.to));
                @let top = frame.y_of(bar.height);
                rect x=(px(left)) y=(px(top)) width=(px((right - left - 1.0).max(1.0))) height=(px(frame.y_of(0.0) - top)) {}
            }
        }
    };
    html! {
        figure {
            figcaption { (frame.title) }
            (frame.svg(description, &drawn))
        }
    }
}

impl Line {
    /// Its runs of points without a gap.
    fn runs(&self) -> impl Iterator<Item = Vec<(f64, f64)>> {
        let runs = self.points.split(|(_, value)| value.is_none_or(|value| !value.is_finite()));
        runs.map(|run| run.iter().filter_map(|(x, value)| Some((*x, (*value)?))).collect::<Vec<_>>())
            .filter(|run| !run.is_empty())
    }

    fn describe(&self) -> String {
        let values: Vec<f64> = self.runs().flatten().map(|(_, value)| value).collect();
        let (least, most) =
            values.iter().fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(*value), most.max(*value)));
        match values.last() {
            Some(last) => format!("{}: {} to {}, last {}", self.label, digits(least), digits(most), digits(*last)),
            None => format!("{}: no values", self.label),
        }
    }
}

impl Frame {
    fn x_of(&self, value: f64) -> f64 {
        LEFT + self.x.share(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y_of(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.share(value) * (HEIGHT - TOP - BOTTOM)
    }

    /// A line through these points; a dot for a single one.
    fn run(&self, points: Vec<(f64, f64)>) -> Markup {
        let at = |(x, y): (f64, f64)| (px(self.x_of(x)), px(self.y_of(y)));
        html! {
            @if let [only] = points[..] {
                @let (x, y) = at(only);
                circle cx=(x) cy=(y) r="2.5" {}
            } @else {
                polyline points=(points.into_iter().map(|point| { let (x, y) = at(point); format!("{x},{y}") }).collect::<Vec<_>>().join(" ")) {}
            }
        }
    }

    fn svg(&self, description: &str, drawn: &Markup) -> Markup {
        let (title_id, description_id) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        html! {
            svg class="chart" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img"
                aria-labelledby=(format!("{title_id} {description_id}")) {
                title id=(title_id) { (self.title) }
                desc id=(description_id) { (description) }
                @for (value, label) in &self.y.ticks {
                    @let y = self.y_of(*value);
                    line class="grid" x1=(px(LEFT)) x2=(px(right)) y1=(px(y)) y2=(px(y)) {}
                    text class="tick" x=(px(LEFT - 6.0)) y=(px(y + 4.0)) text-anchor="end" { (label) }
                }
                @for (value, label) in &self.x.ticks {
                    @let x = self.x_of(*value);
                    line class="grid" x1=(px(x)) x2=(px(x)) y1=(px(TOP)) y2=(px(bottom)) {}
                    text class="tick" x=(px(x)) y=(px(bottom + 16.0)) text-anchor="middle" { (label) }
                }
                @for band in self.bands.iter().filter(|band| self.x_of(band.to) - self.x_of(band.from) >= BAND) {
                    @let x = px(self.x_of(band.from));
                    line class="band" x1=(x) x2=(x) y1=(px(TOP)) y2=(px(bottom)) {}
                    text class="tick" x=(px(self.x_of(band.from) + 4.0)) y=(px(TOP + 10.0)) { (band.label) }
                }
                (drawn)
                text class="axis" x=(px(f64::midpoint(LEFT, right))) y=(px(HEIGHT - 8.0)) text-anchor="middle" { (self.x.label) }
                text class="axis" transform=(format!("translate(14 {}) rotate(-90)", px(f64::midpoint(TOP, bottom)))) text-anchor="middle" {
                    (self.y.label)
                }
            }
        }
    }
}

fn class(index: usize) -> String {
    format!("line line-{}", index % 5)
}

/// Tenths of a pixel.
fn px(value: f64) -> String {
    format!("{}", (value * 10.0).round() / 10.0)
}

/// About four digits.
fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        100.0.. => 0,
        1.0.. => 2,
        _ => 3,
    };
    let factor = 10_f64.powi(decimals);
    short((value * factor).round() / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        let (x, y) = (Axis::linear("s", 10.0), Axis::linear("MiB", 100.0));
        Frame { id: "memory".to_owned(), title: "Memory <of> the hub".to_owned(), x, y, bands: Vec::new() }
    }

    fn line(label: &str, values: &[Option<f64>]) -> Line {
        Line { label: label.to_owned(), points: (0..).map(f64::from).zip(values.iter().copied()).collect() }
    }

    #[test]
    fn a_line_runs_between_the_corners_of_the_frame() {
        let points = vec![(0.0, Some(0.0)), (10.0, Some(100.0))];
        let svg = lines(&frame(), &[Line { label: "hub".to_owned(), points }]).into_string();
        assert!(svg.contains(r#"<polyline points="62,216 696,12">"#), "{svg}");
        assert!(!svg.contains("legend"), "{svg}");
    }

    #[test]
    fn a_gap_breaks_a_line_and_a_lone_point_is_a_dot() {
        let values = [Some(1.0), Some(2.0), None, Some(3.0), None, Some(4.0), Some(f64::NAN)];
        let svg = lines(&frame(), &[line("hub", &values)]).into_string();
        assert_eq!((svg.matches("<polyline").count(), svg.matches("<circle").count()), (1, 2), "{svg}");
    }

    #[test]
    fn charts_are_named_and_described_in_text() {
        let all = [line("<hub>", &[Some(1.0), Some(30.126), Some(2.5)]), line("none", &[None])];
        let svg = lines(&frame(), &all).into_string();
        assert!(svg.contains(r#"role="img" aria-labelledby="memory-title memory-desc""#), "{svg}");
        assert!(svg.contains(r#"<title id="memory-title">Memory &lt;of&gt; the hub</title>"#), "{svg}");
        assert!(svg.contains("&lt;hub&gt;: 1 to 30.13, last 2.5; none: no values</desc>"), "{svg}");
        assert_eq!(svg.matches("<li>").count(), 2);
    }

    #[test]
    fn only_bands_with_room_for_their_name_are_drawn() {
        let band = |from, to, label| Band { from, to, label };
        let bands = vec![band(0.0, 1.0, "narrow"), band(1.0, 10.0, "wide")];
        let svg = lines(&Frame { bands, ..frame() }, &[line("hub", &[Some(1.0)])]).into_string();
        assert!(svg.contains(">wide</text>") && !svg.contains("narrow"), "{svg}");
    }

    #[test]
    fn bars_stand_on_the_axis() {
        let all = [Bar { from: 0.0, to: 5.0, height: 50.0 }];
        let svg = bars(&frame(), "one", &all).into_string();
        assert!(svg.contains(r#"<rect x="62" y="114" width="316" height="102">"#), "{svg}");
    }
}
