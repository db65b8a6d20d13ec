//! `sweep`: how costs grow.

use serde_json::Value;
use tokio::process::Command;

use crate::support::{
    Fault, Hub, KEY,
    run::{Run, run},
};

/// Short steps of ten messages.
const SWEEP: [&str; 16] = [
    "sweep",
    "--quick",
    "--rate",
    "100",
    "--people-rate",
    "100",
    "--duration",
    "0.1",
    "--hold",
    "0.1",
    "--rest",
    "0",
    "--probes",
    "20",
    "--drain",
    "20",
];

async fn sweep(fault: Fault, more: &[&str]) -> Run {
    run(fault, &[&SWEEP[..], more].concat()).await
}

/// The steps of a dimension.
fn steps<'a>(run: &'a Run, dimension: &str) -> &'a [Value] {
    let growth = run.report["growth"].as_array().expect("growth");
    let found = growth.iter().find(|growth| growth["dimension"] == dimension);
    found.and_then(|growth| growth["steps"].as_array()).unwrap_or_else(|| panic!("no {dimension}: {}", run.text))
}

fn column(steps: &[Value], key: &str) -> Vec<f64> {
    steps.iter().map(|step| step[key].as_f64().unwrap_or_else(|| panic!("no {key}: {step}"))).collect()
}

#[tokio::test]
async fn every_dimension_has_its_steps() {
    let pid = std::process::id().to_string();
    let directory = tempfile::tempdir().expect("a directory");
    let [html, markdown] = ["page.html", "tables.md"].map(|name| directory.path().join(name));
    let files = ["--html", html.to_str().expect("UTF-8"), "--markdown", markdown.to_str().expect("UTF-8")];
    let run = sweep(Fault::None, &[&["--pid", &pid][..], &files].concat()).await;
    run.assert_clean();
    for (dimension, values, deliveries) in [
        ("sockets", &[10.0, 50.0, 100.0][..], &[100.0, 100.0, 100.0][..]),
        ("sessions", &[10.0, 100.0], &[100.0, 100.0]),
        ("history", &[0.0, 200.0, 1000.0], &[100.0, 100.0, 100.0]),
        ("waiters", &[0.0, 20.0, 50.0], &[100.0, 100.0, 100.0]),
        ("people", &[2.0, 10.0, 50.0], &[20.0, 100.0, 500.0]),
    ] {
        let steps = steps(&run, dimension);
        assert_eq!((column(steps, "value"), column(steps, "deliveries")), (values.to_vec(), deliveries.to_vec()));
        assert!(column(steps, "deliveryP99Ms").iter().all(|p99| *p99 > 0.0), "{}", run.text);
        assert!(column(steps, "memoryMiB").iter().all(|mib| *mib > 0.0), "{}", run.text);
        column(steps, "preparedSeconds");
    }
    for (dimension, values) in [("sessions", 2), ("history", 2), ("waiters", 2)] {
        let others = steps(&run, dimension).iter().filter(|step| step["otherP99Ms"].is_number()).count();
        assert_eq!(others, values, "{dimension}: {}", run.text);
    }
    assert_eq!(run.figure("deliveries"), 1720.0);
    assert!(run.figure("peopleP99Ratio") > 0.0);
    let html = std::fs::read_to_string(html).expect("a page");
    for figure in ["open sockets: latency", "people in one session: memory of the hub"] {
        assert!(html.contains(&format!("<figcaption>{figure}</figcaption>")), "{figure}: {html}");
    }
    let markdown = std::fs::read_to_string(markdown).expect("tables");
    assert_eq!(markdown.matches("\n## ").count(), 5, "{markdown}");
    assert!(markdown.contains("## events in the store\n\n| events in the store | prepared, s |"), "{markdown}");
}

#[tokio::test]
async fn nodes_are_added_one_after_the_other() {
    let one = Hub::start(Fault::None, 20).await;
    // The same hub counts as two nodes, since sockets of one session are on both.
    let nodes = ["nodes", "--url", &one, "--other-url", &one];
    let run = sweep(Fault::None, &nodes).await;
    run.assert_clean();
    assert_eq!(column(steps(&run, "nodes"), "value"), [1.0, 2.0]);
    let more = [&nodes[..], &["--nodes", "1,3"]].concat();
    let refused = sweep(Fault::None, &more).await;
    assert_eq!(refused.code, Some(64), "{}", refused.text);
}

#[tokio::test]
async fn a_void_step_is_the_last_one_and_makes_the_run_void() {
    for (fault, problem) in [(Fault::Lose, "lost"), (Fault::Double, "doubled"), (Fault::Alter, "mismatched")] {
        let more = ["people", "sockets", "--drain", "0.2"];
        let run = sweep(fault, &more).await;
        run.assert_only(problem, 1);
        assert_eq!(run.report["growth"].as_array().map(Vec::len), Some(1), "{}", run.text);
        let steps = steps(&run, "people");
        assert_eq!((steps.len(), steps[0]["note"].as_str()), (1, Some("void")), "{}", run.text);
        assert_eq!(run.figure("stepsPlanned"), 6.0);
    }
}

#[tokio::test]
async fn what_is_prepared_is_checked() {
    // Three events in each session.
    let stored = ["history", "--history", "30", "--history-sessions", "10"];
    for (fault, more, problem) in [
        (Fault::Refuse, &stored[..], "stepFailed"),
        (Fault::RepeatSeq, &stored, "seqConflict"),
        (Fault::PageLose, &stored, "pageWrong"),
        (Fault::ListFew, &["sessions"], "pageWrong"),
        (Fault::AwaitAnswer, &["waiters"], "awaitWrong"),
        (Fault::AwaitNever, &["waiters", "--drain", "0.2"], "lost"),
    ] {
        let run = sweep(fault, more).await;
        assert_eq!(run.code, Some(2), "{fault:?}: {}", run.text);
        assert!(run.count(problem) > 0, "{fault:?}: {}", run.text);
    }
}

#[tokio::test]
async fn a_step_that_cannot_be_taken_leaves_the_others_in_the_report() {
    // The hub refuses the third event of each session, which ends the second step while it stores them.
    let more = ["history", "--history", "0,300", "--history-sessions", "100", "--probes", "10", "--duration", "0.02"];
    let run = sweep(Fault::Refuse, &more).await;
    assert_eq!((run.code, run.count("stepFailed")), (Some(2), 1), "{}", run.text);
    assert_eq!(steps(&run, "history").len(), 1, "{}", run.text);
    assert!(run.text.contains("history 300: the hub failed: storing events"), "{}", run.text);
}

#[tokio::test]
async fn a_sweep_beyond_the_descriptors_is_refused() {
    let sweep = ["--key", KEY, "sweep", "sockets", "--sockets", "10,500"];
    let limited = r#"ulimit -n 512 && exec "$0" "$@""#;
    let shell = Command::new("sh").args(["-c", limited, env!("CARGO_BIN_EXE_loadtest")]).args(sweep).output().await;
    let output = shell.expect("a shell");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{text}");
    assert!(text.contains("`ulimit -n` is 512"), "{text}");
}
