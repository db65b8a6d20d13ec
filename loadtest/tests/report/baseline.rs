//! `--baseline`: values beside those of an earlier run.

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::support::{
    Fault, KEY,
    run::{FANOUT, Run, loadtest, run},
};

/// The report of a run, changed by `change`.
async fn earlier(change: impl FnOnce(&mut Value)) -> NamedTempFile {
    let mut report = run(Fault::None, &FANOUT).await.report;
    change(&mut report);
    let file = NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), report.to_string()).expect("written");
    file
}

async fn compared(fault: Fault, file: &NamedTempFile, more: &[&str]) -> Run {
    let baseline = ["--baseline", file.path().to_str().expect("UTF-8")];
    run(fault, &[&FANOUT[..], &baseline, more].concat()).await
}

/// So fast that every later run is worse.
fn fast(report: &mut Value) {
    report["latencies"]["delivery"]["p50Ms"] = json!(0.000_001);
}

/// So slow that no later run is worse.
fn slow(report: &mut Value) {
    for latency in report["latencies"].as_object_mut().expect("latencies").values_mut() {
        for key in ["p50Ms", "p90Ms", "p99Ms", "p99_9Ms", "maxMs", "meanMs"] {
            latency[key] = json!(1e6);
        }
    }
}

#[tokio::test]
async fn a_regression_is_marked_and_fails_the_run_only_if_asked() {
    let file = earlier(fast).await;
    let run = compared(Fault::None, &file, &[]).await;
    run.assert_clean();
    let regressions = &run.report["baseline"]["regressions"];
    assert!(regressions.as_array().expect("a list").contains(&json!("delivery.p50")), "{regressions}");
    assert!(run.text.contains("baseline, marked beyond 10 %") && run.text.contains("WORSE"), "{}", run.text);

    let run = compared(Fault::None, &file, &["--fail-on-regression"]).await;
    assert_eq!(run.code, Some(3), "{}", run.text);
    assert_eq!(run.report["verdict"], "missed");
    let run = compared(Fault::Lose, &file, &["--fail-on-regression"]).await;
    run.assert_only("lost", 1);
}

#[tokio::test]
async fn a_run_that_is_not_worse_passes() {
    let file = earlier(slow).await;
    let run = compared(Fault::None, &file, &["--fail-on-regression", "--tolerance", "5%"]).await;
    run.assert_clean();
    let p50 = &run.report["baseline"]["values"]["delivery.p50"];
    assert_eq!((&p50["before"], &p50["judgement"]), (&json!(1e6), &json!("better")), "{p50}");
    assert_eq!(run.report["baseline"]["values"]["deliveries"]["changePercent"], 0.0);
}

#[tokio::test]
async fn other_parameters_are_named() {
    let file = earlier(|report| report["parameters"]["sockets"] = json!(2000)).await;
    let run = compared(Fault::None, &file, &[]).await;
    run.assert_clean();
    assert!(run.text.contains("of other parameters: sockets 2000, now 3"), "{}", run.text);
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused_before_the_run() {
    let void = earlier(|report| report["verdict"] = json!("fail")).await;
    let other = earlier(|report| report["scenario"] = json!("chat")).await;
    let none = NamedTempFile::new().expect("a file");
    for (file, part) in [(&void, "void"), (&other, "a run of 'chat', not of 'fanout'"), (&none, "not a report")] {
        let run = compared(Fault::None, file, &[]).await;
        assert_eq!((run.code, &run.report), (Some(64), &Value::Null), "{}", run.text);
        assert!(run.text.contains("--baseline") && run.text.contains(part), "{}", run.text);
    }
    let output = loadtest(&["--key", KEY, "fanout", "--fail-on-regression"]).await;
    assert_eq!(output.status.code(), Some(64));
}
