//! `slow`.

use crate::support::{
    Fault,
    run::{Run, run},
};

/// The last of three sockets stalls.
const SLOW: [&str; 13] = [
    "slow",
    "--sockets",
    "3",
    "--stalled",
    "34%",
    "--connecting",
    "1",
    "--rate",
    "100",
    "--calm",
    "0",
    "--duration",
    "0.3",
];

async fn slow(fault: Fault, more: &[&str]) -> Run {
    run(fault, &[&SLOW[..], &["--drain", "20"], more].concat()).await
}

#[tokio::test]
async fn a_stalled_reader_gets_everything_once_it_reads() {
    let run = slow(Fault::None, &[]).await;
    run.assert_clean();
    assert_eq!((run.figure("socketsStalled"), run.figure("stalledBack")), (1.0, 1.0));
    assert_eq!(run.figure("deliveries"), 90.0);
    assert_eq!(run.report["latencies"]["back"]["count"], 1);
    // Those of the two others while it stalled.
    let others = run.report["latencies"]["delivery"]["count"].as_u64().expect("a count");
    assert!((1..=60).contains(&others), "{}", run.text);
}

#[tokio::test]
async fn a_stalled_reader_that_was_closed_returns() {
    let run = slow(Fault::MissHeartbeat, &["--stall", "0.2"]).await;
    run.assert_clean();
    assert_eq!((run.figure("ended4502"), run.figure("stalledBack")), (1.0, 1.0), "{}", run.text);
    assert_eq!(run.figure("deliveries"), 90.0);
    assert!(run.figure("deliveriesReplayed") > 0.0);
}

#[tokio::test]
async fn a_healthy_reader_that_is_closed_fails() {
    let run = slow(Fault::Close, &["--drain", "0.2"]).await;
    assert_eq!((run.code, run.count("closedEarly")), (Some(2), 1), "{}", run.text);
}
