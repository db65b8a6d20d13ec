//! The report of an earlier run, to compare with.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::Value;

use super::parameters;
use crate::stop::Stop;

/// What a comparison needs of the JSON of an earlier run.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Baseline {
    #[serde(skip)]
    pub(super) file: String,
    scenario: String,
    #[serde(default)]
    pub(super) time: Option<String>,
    verdict: String,
    parameters: Value,
    #[serde(default)]
    machine: Value,
    pub(super) figures: BTreeMap<String, Option<f64>>,
    pub(super) latencies: BTreeMap<String, Value>,
}

impl Baseline {
    /// Fails if the file is not the report of a run of this scenario that was not void.
    pub(crate) fn load(path: &Path, scenario: &str) -> Result<Self, Stop> {
        let file = path.display().to_string();
        let refuse = |reason: String| Stop::Usage(format!("--baseline {file}: {reason}"));
        let text = fs::read(path).map_err(|error| refuse(error.to_string()))?;
        let baseline: Self =
            serde_json::from_slice(&text).map_err(|error| refuse(format!("not a report of this tester: {error}")))?;
        if baseline.scenario != scenario {
            return Err(refuse(format!("a run of '{}', not of '{scenario}'", baseline.scenario)));
        }
        if baseline.verdict == "fail" {
            return Err(refuse("that run was void, so that its values mean nothing".to_owned()));
        }
        Ok(Self { file, ..baseline })
    }

    /// How these parameters and this machine differ from those of the earlier run, in words.
    pub(super) fn differences(&self, parameters: &Value, machine: &Value) -> Vec<String> {
        let of = |what, before: &Value, now: &Value| {
            let changes = changes(before, now);
            (!changes.is_empty()).then(|| format!("the baseline is of {what}: {}", changes.join(", ")))
        };
        let machine = of("another machine", &self.machine, machine).filter(|_| self.machine.is_object());
        of("other parameters", &self.parameters, parameters).into_iter().chain(machine).collect()
    }

    /// The points of a latency by percentile, as [`crate::latency::Summary::distribution`] gives them.
    pub(super) fn distribution(&self, latency: &str) -> Vec<(f64, f64)> {
        let points = self.latencies.get(latency).map(|latency| latency["distribution"].clone());
        points.and_then(|points| serde_json::from_value(points).ok()).unwrap_or_default()
    }
}

fn changes(before: &Value, now: &Value) -> Vec<String> {
    let before: BTreeMap<String, String> = parameters::flat(before).into_iter().collect();
    let mut now: BTreeMap<String, String> = parameters::flat(now).into_iter().collect();
    let mut changes: Vec<String> = Vec::new();
    for (name, before) in before {
        let now = now.remove(&name).unwrap_or_else(|| "nothing".to_owned());
        if now != before {
            changes.push(format!("{name} {before}, now {now}"));
        }
    }
    changes.extend(now.into_iter().map(|(name, now)| format!("{name} nothing, now {now}")));
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn load(report: &Value, scenario: &str) -> Result<Baseline, String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), report.to_string()).expect("written");
        Baseline::load(file.path(), scenario).map_err(|error| error.to_string())
    }

    fn report() -> Value {
        json!({"scenario": "fanout", "verdict": "pass", "parameters": {"sockets": 3, "load": {"size": 400}},
            "machine": {"cores": 2}, "figures": {"deliveries": 60.0}, "latencies": {}})
    }

    #[test]
    fn a_run_of_another_scenario_or_a_void_one_is_refused() {
        assert!(load(&report(), "fanout").is_ok());
        let error = load(&report(), "chat").expect_err("another scenario");
        assert!(error.contains("--baseline") && error.contains("'fanout', not of 'chat'"), "{error}");
        let mut void = report();
        void["verdict"] = json!("fail");
        assert!(load(&void, "fanout").expect_err("void").contains("void"));
        let error = load(&json!({"scenario": "fanout"}), "fanout").expect_err("no report");
        assert!(error.contains("not a report"), "{error}");
        let error = Baseline::load(Path::new("/nowhere/report.json"), "fanout").expect_err("no file");
        assert!(matches!(error, Stop::Usage(_)));
    }

    #[test]
    fn other_parameters_and_another_machine_are_named() {
        let baseline = load(&report(), "fanout").expect("a baseline");
        let same = json!({"load": {"size": 400}, "sockets": 3});
        assert!(baseline.differences(&same, &json!({"cores": 2})).is_empty());
        let other = json!({"load": {"size": 500}, "sockets": 3, "burst": 2});
        assert_eq!(
            baseline.differences(&other, &json!({"cores": 4})),
            [
                "the baseline is of other parameters: load.size 400, now 500, burst nothing, now 2",
                "the baseline is of another machine: cores 2, now 4",
            ]
        );
    }

    #[test]
    fn reports_without_a_machine_can_still_be_compared() {
        let mut old = report();
        old.as_object_mut().expect("an object").remove("machine");
        let baseline = load(&old, "fanout").expect("a baseline");
        let parameters = json!({"load": {"size": 400}, "sockets": 3});
        assert!(baseline.differences(&parameters, &json!({"cores": 2})).is_empty());
    }
}
