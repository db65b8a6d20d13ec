//! `--html`: one file with everything that the run has found.

use crate::support::{
    Fault, KEY,
    run::{FANOUT, loadtest, run},
};

#[tokio::test]
async fn a_run_is_written_as_one_page() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("report.html");
    let pid = std::process::id().to_string();
    let options = ["--html", path.to_str().expect("UTF-8"), "--pid", &pid, "--expect", "p99<60s"];
    let run = run(Fault::None, &[&FANOUT[..], &options].concat()).await;
    run.assert_clean();
    let html = std::fs::read_to_string(&path).expect("a page");
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"), "{html}");
    for part in [
        "Pass: no problem was found.",
        "p99&lt;60s",
        "<figcaption>Latency by percentile</figcaption>",
        "<figcaption>Memory of the hub (Pss)</figcaption>",
        "messages acknowledged",
        "load.duration",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(run.report["machine"]["cores"].as_u64().expect("cores") > 0);
    assert!(run.report["time"].as_str().expect("a time").ends_with('Z'));
}

#[tokio::test]
async fn a_void_run_is_written_with_its_problems() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("report.html");
    let run = run(Fault::Lose, &[&FANOUT[..], &["--html", path.to_str().expect("UTF-8")]].concat()).await;
    run.assert_only("lost", 1);
    let html = std::fs::read_to_string(&path).expect("a page");
    assert!(html.contains("Fail: the run is void") && html.contains("session session-0: 1 from seq 4"), "{html}");
}

#[tokio::test]
async fn a_page_that_cannot_be_written_is_the_testers_failure() {
    let run = run(Fault::None, &[&FANOUT[..], &["--html", "/nowhere/report.html"]].concat()).await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    assert!(run.text.contains("writing /nowhere/report.html"), "{}", run.text);
    assert_eq!(loadtest(&["--key", KEY, "fanout", "--html"]).await.status.code(), Some(64));
}
