//! `storm`.

use crate::support::{
    Fault,
    run::{Run, run},
};

/// Six sockets of two sessions lose their connection after a tenth of a second of messages, and return within another.
const STORM: [&str; 15] = [
    "storm",
    "--sockets",
    "6",
    "--sessions",
    "2",
    "--witnesses",
    "2",
    "--rate",
    "200",
    "--at",
    "0.1",
    "--every",
    "0.4",
    "--spread",
    "0.2",
];
const DELIVERIES: f64 = 100.0 * 4.0;

async fn storm(fault: Fault, more: &[&str]) -> Run {
    // All deliveries must be there, however slow the machine is.
    run(fault, &[&STORM[..], &["--drain", "20"], more].concat()).await
}

#[tokio::test]
async fn a_correct_hub_replays_what_was_missed() {
    let run = storm(Fault::None, &[]).await;
    run.assert_clean();
    assert_eq!(run.figure("sockets"), 8.0);
    assert_eq!(run.figure("deliveries"), DELIVERIES, "{}", run.text);
    assert!(run.figure("deliveriesReplayed") > 0.0, "{}", run.text);
    assert_eq!(run.figure("endedTotal"), 0.0);
    assert_eq!(run.report["latencies"]["back"]["count"], 6);
    assert!(run.figure("backFirstSeconds") <= run.figure("backAllSeconds"), "{}", run.text);
    // The latency of those that stay is apart from that of those that return.
    assert_eq!(run.report["latencies"]["delivery"]["count"], 100);
}

#[tokio::test]
async fn storms_may_repeat_and_be_polite() {
    let run = storm(Fault::None, &["--polite", "--storms", "2"]).await;
    run.assert_clean();
    assert_eq!(run.report["latencies"]["back"]["count"], 12);
}

#[tokio::test]
async fn a_replay_that_is_not_exact_fails() {
    for (fault, problem) in
        [(Fault::ReplayLose, "lost"), (Fault::ReplayDouble, "doubled"), (Fault::ReplaySwap, "misordered")]
    {
        storm(fault, &["--drain", "0.2"]).await.assert_only(problem, 1);
    }
    let run = storm(Fault::ReplayAll, &[]).await;
    assert_eq!(run.code, Some(2), "{}", run.text);
    assert!(run.count("doubled") > 6, "{}", run.text);
}

#[tokio::test]
async fn a_busy_hub_is_tried_again_and_counted() {
    let run = storm(Fault::BusyReturn, &[]).await;
    run.assert_clean();
    assert!(run.figure("ended503") >= 3.0, "{}", run.text);
    assert_eq!(run.figure("endedTotal"), run.figure("ended503"));
}

#[tokio::test]
async fn sockets_that_cannot_return_fail() {
    let run = storm(Fault::NeverReturn, &["--patience", "0.5", "--drain", "0.2"]).await;
    assert_eq!((run.code, run.count("notBack")), (Some(2), 6), "{}", run.text);
    assert!(run.count("lost") > 0 && run.figure("ended503") >= 6.0, "{}", run.text);
}

#[tokio::test]
async fn sockets_that_are_told_to_stay_away_do_not_try_again() {
    let run = storm(Fault::RevokeReturn, &["--drain", "0.2"]).await;
    assert_eq!((run.code, run.count("notBack")), (Some(2), 6), "{}", run.text);
    assert_eq!(run.figure("ended44xx"), 6.0, "{}", run.text);
}
