//! `--expect`: its syntax, its section in the report and its exit code.

use serde_json::json;

use crate::support::{
    Fault, KEY,
    run::{FANOUT, loadtest, run},
};

#[tokio::test]
async fn expectations_that_are_met_pass() {
    let expected = ["--expect", "delivery.p99<60s", "--expect", "p50 < 60000 ms", "--expect", "deliveries>=60"];
    let run = run(Fault::None, &[&FANOUT[..], &expected].concat()).await;
    run.assert_clean();
    let thresholds = run.report["thresholds"].as_array().expect("thresholds");
    assert_eq!(thresholds.len(), 3);
    assert!(thresholds.iter().all(|threshold| threshold["met"] == true), "{}", run.text);
    assert_eq!(thresholds[2], json!({"expression": "deliveries>=60", "value": 60.0, "unit": "", "met": true}));
}

#[tokio::test]
async fn an_expectation_that_is_not_met_has_its_own_exit_code() {
    let expected = ["--expect", "p99<1ns", "--expect", "deliveries>=60"];
    let run = run(Fault::None, &[&FANOUT[..], &expected].concat()).await;
    assert_eq!(run.code, Some(3), "{}", run.text);
    assert_eq!(run.report["verdict"], "missed");
    assert_eq!(run.report["thresholds"][0]["met"], false);
    assert!(run.text.contains("MISSED") && run.text.contains("NOT MET"), "{}", run.text);
}

#[tokio::test]
async fn a_void_run_is_no_missed_expectation() {
    let run = run(Fault::Lose, &[&FANOUT[..], &["--expect", "p99<60s", "--expect", "p99<1ns"]].concat()).await;
    run.assert_only("lost", 1);
    assert_eq!(run.report["verdict"], "fail");
}

#[tokio::test]
async fn a_value_that_the_run_does_not_have_is_an_error_with_those_that_it_has() {
    // Without --pid there is no figure of the hub's CPU.
    let run = run(Fault::None, &[&FANOUT[..], &["--expect", "usPerDelivery<50us"]].concat()).await;
    assert_eq!(run.code, Some(64), "{}", run.text);
    assert!(
        run.text.contains("no figure 'usPerDelivery'") && run.text.contains("messagesAcknowledged"),
        "{}",
        run.text
    );
    assert_eq!(run.report["thresholds"][0]["met"], false);
}

#[tokio::test]
async fn an_invalid_expectation_is_a_usage_error_before_the_run() {
    for (expression, part) in [
        ("p99<5parsecs", "unknown unit 'parsecs'"),
        ("p99", "no comparison"),
        ("p101<5ms", "'p101' is not a percentile"),
    ] {
        let output = loadtest(&["--url", "http://127.0.0.1:1", "--key", KEY, "ingest", "--expect", expression]).await;
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{text}");
        assert!(text.contains("--expect") && text.contains(part), "{text}");
    }
}
