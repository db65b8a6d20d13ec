//! Runs of the built tester against the hub of this process.

use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use super::{Fault, Hub, KEY};

/// Twenty messages, all in one session of three sockets.
pub(crate) const FANOUT: [&str; 7] = ["fanout", "--sockets", "3", "--rate", "200", "--duration", "0.1"];
pub(crate) const MESSAGES: u64 = 20;

pub(crate) async fn loadtest(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .env_remove("HILOOP_KEY")
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await
        .expect("the tester runs")
}

pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) report: Value,
    pub(crate) text: String,
}

pub(crate) async fn run(fault: Fault, scenario: &[&str]) -> Run {
    let url = Hub::start(fault, MESSAGES).await;
    let directory = tempfile::tempdir().expect("a directory");
    let json = directory.path().join("report.json");
    let json = json.to_str().expect("UTF-8");
    // The drain is short, since in most tests a delivery is missing.
    let options = ["--url", &url, "--key", KEY, "--json", json, "--drain", "0.2", "--settle", "0"];
    let output = loadtest(&[&options[..], scenario].concat()).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let report = std::fs::read(json).unwrap_or_default();
    let report = serde_json::from_slice(&report).unwrap_or_default();
    Run { code: output.status.code(), report, text }
}

impl Run {
    pub(crate) fn count(&self, problem: &str) -> u64 {
        self.report["problems"][problem]["count"].as_u64().unwrap_or_default()
    }

    pub(crate) fn figure(&self, key: &str) -> f64 {
        self.report["figures"][key].as_f64().unwrap_or_else(|| panic!("no {key}: {}", self.text))
    }

    /// Failed, with this many of this problem, and no other.
    pub(crate) fn assert_only(&self, problem: &str, count: u64) {
        assert_eq!(self.code, Some(2), "{}", self.text);
        assert_eq!(self.count(problem), count, "{}", self.text);
        let problems = self.report["problems"].as_object().expect("problems");
        assert_eq!(problems.len(), 1, "{}", self.text);
    }

    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.code, Some(0), "{}", self.text);
        assert_eq!(self.report["verdict"], "pass");
        assert!(self.text.contains("PASS"));
    }
}
