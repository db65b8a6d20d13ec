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
    // Those of the two others: all messages were due during the stall.
    assert_eq!(others(&run), (0, 60), "{}", run.text);
}

/// The latencies of the others before and during the stall.
fn others(run: &Run) -> (u64, u64) {
    let count = |key: &str| run.report["latencies"][key]["count"].as_u64().expect("a count");
    (count("deliveryCalm"), count("delivery"))
}

#[tokio::test]
async fn messages_count_by_when_they_were_due() {
    // Ten before the stall, twenty during it and ten after it, each to two others.
    let run = slow(Fault::None, &["--calm", "0.1", "--duration", "0.3", "--stall", "0.2"]).await;
    run.assert_clean();
    assert_eq!(others(&run), (20, 40), "{}", run.text);
    assert_eq!(run.report["latencies"]["deliveryAfter"]["count"], 20, "{}", run.text);
}

#[tokio::test]
async fn a_stalled_reader_that_holds_up_the_others_is_seen_in_their_latency() {
    // The hub sends nothing to them before the stalled one reads again, 300 ms after the first message was due.
    let run = slow(Fault::HoldOthers, &[]).await;
    run.assert_clean();
    assert_eq!(others(&run), (0, 60), "{}", run.text);
    let delivery = &run.report["latencies"]["delivery"];
    let [p50, max] = ["p50Ms", "maxMs"].map(|key| delivery[key].as_f64().expect("a latency"));
    assert!(max >= 300.0 && p50 >= 150.0, "{}", run.text);
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
