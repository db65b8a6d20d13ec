use std::{collections::HashSet, time::Duration};

use serde_json::json;

use super::*;
use crate::{
    latency::Latencies,
    machine::Machine,
    problems::{Kind, Problems},
    report::{Baseline, Section},
    series::{Percentiles, Sample, Series},
    threshold::Threshold,
};

const HOSTILE: &str = r#"</title><script>alert(1)</script>"'&<img src=x onerror=alert(1)>"#;

fn sample(seconds: f64) -> Sample {
    let percentiles = Percentiles { count: 60, ms: [1.0, 2.0, 3.0, 4.0], max_ms: 5.0 };
    Sample {
        seconds,
        phase: "deliveries",
        sent_per_second: 20.0,
        acknowledged_per_second: 20.0,
        deliveries_per_second: 60.0 * seconds,
        open: 3,
        problems: 0,
        server_cpu: Some(12.5),
        server_memory: Some(80.0 + seconds),
        server_descriptors: Some(40),
        tester_cpu: Some(3.0),
        latencies: vec![("delivery", percentiles)],
    }
}

fn report() -> Report {
    let mut report = Report::new("fanout", "http://127.0.0.1:1", json!({"sockets": 3, "load": {"size": 400}}));
    report.time = chrono::DateTime::UNIX_EPOCH;
    report.machine =
        Machine { cpu: "A CPU".to_owned(), cores: 2, kernel: "Linux 6.1".to_owned(), memory_mib: Some(8000) };
    report.count(Section::Load, "sockets", "sockets", 3);
    report.figure(Section::Server, "usPerDelivery", "CPU per delivery", 7.5, "µs");
    let latencies = Latencies::new();
    (1..=1000).for_each(|micros| latencies.record(Duration::from_micros(micros * 10)));
    report.latency("delivery", "scheduled to socket", latencies.summary());
    report.latency("reply", "scheduled to 201", Latencies::new().summary());
    report.series(Series { samples: vec![sample(1.0), sample(2.0), sample(3.0)] });
    let parse = |text| Threshold::parse(text).expect("valid");
    report.expect(&[parse("p99<5ms"), parse("usPerDelivery<8us")]);
    report
}

/// The values of an attribute, in order.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let before = format!(r#" {name}=""#);
    html.split(&before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn one_document_says_the_same_each_time() {
    let html = report().html();
    assert_eq!(html, report().html());
    assert!(html.starts_with("<!DOCTYPE html><html lang=\"en\">") && html.ends_with("</html>\n"), "{html}");
    for part in [
        "<title>Load test fanout: missed</title>",
        "<p>http://127.0.0.1:1, 1970-01-01T00:00:00Z</p>",
        r#"<p class="verdict bad">Missed: the run is not as it was expected to be. 1 of 2 thresholds not met.</p>"#,
        r#"<th scope="row">p99&lt;5ms</th><td class="number">9.903</td><td>ms</td><td class="bad">NOT MET</td>"#,
        r#"<th scope="row">usPerDelivery&lt;8us</th><td class="number">7.500</td><td>µs</td><td class="good">met</td>"#,
        r#"<th scope="row">CPU per delivery</th><td class="number">7.500</td><td>µs</td>"#,
        r#"<th scope="row">load.size</th><td>400</td>"#,
        r#"<th scope="row">memory</th><td>8000 MiB</td>"#,
    ] {
        assert!(html.contains(part), "{part}\n{html}");
    }
}

#[test]
fn charts_have_their_lines_and_the_same_values_as_a_table() {
    let html = report().html();
    for title in [
        "Latency by percentile",
        "Distribution: scheduled to socket",
        "Deliveries",
        "Latency: delivery",
        "CPU",
        "Memory of the hub (Pss)",
    ] {
        assert!(html.contains(&format!("<figcaption>{title}</figcaption>")), "{title}");
    }
    assert!(html.contains("deliveries: 60 to 180, last 180</desc>"), "{html}");
    assert!(html.contains(">99.9 %</text>"), "{html}");
    // Each chart over time names the phase.
    let over_time = html.matches("id=\"over-time-").count() / 2;
    assert_eq!((html.matches(">deliveries</text>").count(), over_time), (7, 7), "{html}");
    assert_eq!(html.matches("<details>").count(), 2);
    // A run without problems has no chart of them.
    assert!(!html.contains("over-time-problems"));
}

#[test]
fn an_earlier_run_stands_beside_this_one() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut earlier = report().json();
    earlier["figures"]["usPerDelivery"] = json!(5.0);
    earlier["time"] = json!(HOSTILE);
    std::fs::write(file.path(), earlier.to_string()).expect("written");
    let mut report = report();
    report.compare_with(Baseline::load(file.path(), "fanout").expect("a baseline"), 10.0, false);
    let html = report.html();
    for part in [
        r#"<th scope="row">server CPU per delivery</th><td class="number">5.000</td><td class="number">7.500</td><td>µs</td><td class="number">+50.0 %</td><td class="bad">WORSE</td>"#,
        "scheduled to socket, earlier run</li>",
        "1 of the values worse than in the earlier run.",
        "Marked beyond 10 %.",
    ] {
        assert!(html.contains(part), "{part}\n{html}");
    }
    assert!(!html.contains("<script"));
}

#[test]
fn seconds_without_a_reading_of_the_memory_leave_no_gap() {
    let mut report = report();
    let samples = [Some(80.0), None, Some(81.0)].into_iter().zip([1.0, 2.0, 3.0]);
    let samples = samples.map(|(server_memory, seconds)| Sample { server_memory, ..sample(seconds) });
    report.series(Series { samples: samples.collect() });
    let html = report.html();
    let chart = html.split("id=\"over-time-memory-desc\">").nth(1).and_then(|rest| rest.split("</figure>").next());
    let chart = chart.expect("a chart");
    assert!(chart.starts_with("hub: 80 to 81, last 81") && chart.contains("<polyline"), "{chart}");
    assert!(!chart.contains("<circle"), "{chart}");
}

#[test]
fn nothing_is_loaded_or_run() {
    let html = report().html();
    for word in ["<script", "<link", "<iframe", "<img", " src=", " href=", "url(", "@import", "javascript:"] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn ids_are_unique_and_what_they_name_exists() {
    let html = report().html();
    let ids = attributes(&html, "id");
    let unique: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    for label in attributes(&html, "aria-labelledby").into_iter().flat_map(str::split_whitespace) {
        assert!(unique.contains(label), "{label}");
    }
}

#[test]
fn everything_from_outside_is_escaped() {
    let mut report = Report::new("fanout", HOSTILE, json!({HOSTILE: HOSTILE, "load": [HOSTILE]}));
    report.machine = Machine { cpu: HOSTILE.to_owned(), cores: 2, kernel: HOSTILE.to_owned(), memory_mib: None };
    report.warn(HOSTILE.to_owned());
    let problems = Problems::default();
    problems.add(Kind::PostFailed, 1, || HOSTILE.to_owned());
    report.judge(&problems);
    report.expect(&[Threshold::parse("nothing<5").expect("valid")]);
    let html = report.html();
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    // The URL, a key and two values of parameters, two of the machine, a warning and an example.
    assert_eq!(html.matches("&lt;/title&gt;&lt;script&gt;").count(), 8, "{html}");
    assert!(html.contains("the run is void (1 problems). 1 of 1 thresholds not met."));
}

#[test]
fn a_run_without_values_still_has_a_report() {
    let html = Report::new("idle", "u", json!({})).html();
    assert!(html.contains("Pass: no problem was found."));
    assert!(!html.contains("Over time") && !html.contains("NaN"));
}
