//! The search for the highest rate.

use crate::support::{Fault, run::run};

const RAMP: [&str; 12] = [
    "fanout",
    "--sockets",
    "2",
    "--rate",
    "20",
    "--step",
    "0.5",
    "--step-warmup",
    "0.1",
    "--precision",
    "50%",
    "--drain=20",
];

#[tokio::test]
async fn the_highest_rate_of_a_hub_is_found() {
    // It takes at least 5 ms for each message, one after the other.
    let run = run(Fault::OneAtATime, &[&RAMP[..], &["--target", "p50<500ms"]].concat()).await;
    run.assert_clean();
    let rate = run.figure("targetRate");
    assert!((20.0..=1280.0).contains(&rate), "{}", run.text);
    let steps = run.report["ramp"]["steps"].as_array().expect("steps");
    let met = |met: bool| steps.iter().filter(move |step| step["met"] == met);
    assert!(met(true).any(|step| step["rate"].as_f64() == Some(rate)), "{}", run.text);
    // A failed step was repeated.
    assert!(met(false).count() >= 2, "{}", run.text);
    assert_eq!(run.report["ramp"]["target"], "p50<500ms");
    assert!(run.report["latencies"]["delivery"]["p50Ms"].as_f64().expect("p50") < 500.0);
    assert!(run.text.contains("NOT MET"));
}

#[tokio::test]
async fn a_target_out_of_reach_has_the_rate_zero() {
    let more = ["--target", "reply.p50<0.001ms", "--expect", "targetRate>0", "--step", "0.01", "--step-warmup", "0"];
    let run = run(Fault::None, &[&RAMP[..], &more].concat()).await;
    assert_eq!((run.code, run.figure("targetRate")), (Some(3), 0.0), "{}", run.text);
    assert!(run.text.contains("no rate kept"), "{}", run.text);
}

#[tokio::test]
async fn a_void_step_makes_the_run_void() {
    let run = run(Fault::Lose, &[&RAMP[..], &["--target", "p50<500ms", "--drain", "0.2"]].concat()).await;
    run.assert_only("lost", 1);
    assert_eq!(run.report["ramp"]["steps"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_target_must_be_a_latency() {
    let run = run(Fault::None, &[&RAMP[..], &["--target", "usPerDelivery<9"]].concat()).await;
    assert_eq!(run.code, Some(64), "{}", run.text);
}
