//! Expectations compared with the values of a run.

use serde_json::{Value, json};

use super::Report;
use crate::{
    latency::main_latency,
    threshold::{LATENCY_UNIT, Statistic, Subject, Threshold},
};

/// An expectation and what the run had.
pub(super) struct Expected {
    pub(super) expression: String,
    /// The value, or why there is none to compare.
    pub(super) value: Result<f64, String>,
    pub(super) unit: &'static str,
    pub(super) met: bool,
}

impl Expected {
    pub(super) fn verdict(&self) -> &'static str {
        match (&self.value, self.met) {
            (Err(_), _) => "NO VALUE",
            (Ok(_), true) => "met",
            (Ok(_), false) => "NOT MET",
        }
    }

    pub(super) fn error(&self) -> Option<String> {
        self.value.as_ref().err().map(|error| format!("--expect '{}': {error}", self.expression))
    }

    pub(super) fn json(&self) -> Value {
        let value = self.value.as_ref().ok().filter(|value| value.is_finite());
        let mut all = json!({"expression": self.expression, "value": value, "unit": self.unit, "met": self.met});
        if let Err(error) = &self.value {
            all["error"] = json!(error);
        }
        all
    }
}

impl Report {
    pub(super) fn compare(&self, threshold: &Threshold) -> Expected {
        let found = self.value_of(&threshold.subject);
        let unit = found.as_ref().map_or("", |(_, unit)| unit);
        let compared = found.and_then(|(value, unit)| Ok((value, threshold.met_by(value, unit)?)));
        let met = compared.as_ref().is_ok_and(|(_, met)| *met);
        let value = compared.map(|(value, _)| value);
        Expected { expression: threshold.to_string(), value, unit, met }
    }

    fn value_of(&self, subject: &Subject) -> Result<(f64, &'static str), String> {
        match subject {
            Subject::Figure(key) => {
                let figure = self.figures.iter().find(|figure| figure.key == key);
                let figure = figure.ok_or_else(|| self.unknown(&format!("no figure '{key}'")))?;
                Ok((figure.value, figure.unit))
            }
            Subject::Latency(key, statistic) => self.statistic(key.as_deref(), *statistic),
        }
    }

    fn statistic(&self, key: Option<&str>, statistic: Statistic) -> Result<(f64, &'static str), String> {
        let found = match key {
            Some(key) => self.latencies.iter().find(|(found, ..)| *found == key),
            None => main_latency(&self.latencies, |(key, ..)| key),
        };
        let named = || key.map_or_else(|| "no latency".to_owned(), |key| format!("no latency '{key}'"));
        let (key, _, summary) = found.ok_or_else(|| self.unknown(&named()))?;
        if statistic == Statistic::Count {
            return Ok((summary.count() as f64, ""));
        }
        if summary.count() == 0 {
            return Err(format!("nothing was recorded as '{key}'"));
        }
        Ok((statistic.of(summary), LATENCY_UNIT))
    }

    fn unknown(&self, what: &str) -> String {
        let latencies: Vec<&str> = self.latencies.iter().map(|(key, ..)| *key).collect();
        let figures: Vec<&str> = self.figures.iter().map(|figure| figure.key).collect();
        format!(
            "this run has {what}; it has the latencies (as in delivery.p99) {} and the figures {}",
            latencies.join(", "),
            figures.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        latency::Latencies,
        problems::{Kind, Problems},
        report::Section,
        stop::{EXIT_FAILED, EXIT_MISSED, EXIT_USAGE},
    };

    fn report(latencies: &[(&'static str, u64)]) -> Report {
        let mut report = Report::new("fanout", "u", json!({}));
        report.figure(Section::Server, "kibPerSocket", "memory per socket", 5.6, "KiB");
        for (key, millis) in latencies {
            let recorded = Latencies::new();
            if *millis > 0 {
                recorded.record(Duration::from_millis(*millis));
            }
            report.latency(key, "label", recorded.summary());
        }
        report
    }

    fn judged(report: &mut Report, expressions: &[&str]) -> (u8, Value) {
        let parse = |text: &&str| Threshold::parse(text).expect("valid");
        report.expect(&expressions.iter().map(parse).collect::<Vec<_>>());
        (report.exit_code(), report.json()["thresholds"].clone())
    }

    #[test]
    fn met_and_missed() {
        let mut report = report(&[("delivery", 4)]);
        let (code, json) = judged(&mut report, &["delivery.p99<5ms", "kibPerSocket<4"]);
        assert_eq!(code, EXIT_MISSED);
        assert_eq!(json[0], json!({"expression": "delivery.p99<5ms", "value": 4.001, "unit": "ms", "met": true}));
        assert_eq!(json[1], json!({"expression": "kibPerSocket<4", "value": 5.6, "unit": "KiB", "met": false}));
        assert_eq!(judged(&mut report, &["p99<5ms", "kibPerSocket<6144B", "delivery.count>=1"]).0, 0);
    }

    #[test]
    fn the_main_latency_is_that_of_deliveries_then_answers_then_replies() {
        let both = [("reply", 1), ("lateness", 1), ("delivery", 9)];
        assert_eq!(judged(&mut report(&both), &["p99<5ms"]).0, EXIT_MISSED);
        assert_eq!(judged(&mut report(&[("lateness", 9), ("reply", 1)]), &["p99<5ms"]).0, 0);
        assert_eq!(judged(&mut report(&[("reply", 1), ("answer", 9)]), &["p99<5ms"]).0, EXIT_MISSED);
    }

    #[test]
    fn a_value_that_the_run_does_not_have_is_an_error_with_those_that_it_has() {
        let mut report = report(&[("delivery", 4), ("reply", 0)]);
        for (expression, part) in [
            ("nothing<5", "no figure 'nothing'; it has the latencies (as in delivery.p99) delivery, reply"),
            ("nothing.p99<5", "and the figures kibPerSocket"),
            ("reply.p99<5ms", "nothing was recorded as 'reply'"),
            ("kibPerSocket<5ms", "the value is in KiB"),
        ] {
            let (code, json) = judged(&mut report, &["p99<5ms", expression]);
            assert_eq!(code, EXIT_USAGE, "{expression}");
            assert_eq!((&json[1]["met"], &json[1]["value"]), (&json!(false), &Value::Null));
            let error = report.threshold_errors().next().expect("an error");
            assert!(error.starts_with(&format!("--expect '{expression}': ")) && error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_void_run_stays_void_whatever_was_expected() {
        let problems = Problems::default();
        problems.add(Kind::Lost, 1, || "socket 1".to_owned());
        for expression in ["p99<5ms", "p99<1ms", "nothing<1"] {
            let mut report = report(&[("delivery", 4)]);
            report.judge(&problems);
            assert_eq!(judged(&mut report, &[expression]).0, EXIT_FAILED);
            assert_eq!(report.json()["verdict"], "fail");
        }
    }
}
