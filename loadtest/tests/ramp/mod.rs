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

/// Long-polls, of which each step answers as many as it needs.
const AWAIT: [&str; 17] = [
    "await",
    "--waiters",
    "120",
    "--sessions",
    "3",
    "--hold",
    "0",
    "--rest",
    "0",
    "--rate",
    "20",
    "--step",
    "0.2",
    "--step-warmup",
    "0.1",
    "--precision",
    "100%",
];

#[tokio::test]
async fn the_highest_rate_of_answers_is_found() {
    // Each answer takes 5 ms, one after the other.
    let run = run(Fault::OneAtATime, &[&AWAIT[..], &["--target", "p50<100ms", "--drain", "20"]].concat()).await;
    run.assert_clean();
    let rate = run.figure("targetRate");
    let steps = run.report["ramp"]["steps"].as_array().expect("steps");
    assert!(steps.iter().any(|step| step["met"] == true && step["rate"].as_f64() == Some(rate)), "{}", run.text);
    assert!(steps.iter().filter(|step| step["met"] == false).count() >= 2, "{}", run.text);
    // Six answers, of which those of the first third have no latency.
    assert_eq!((steps[0]["rate"].as_f64(), steps[0]["messages"].as_u64()), (Some(20.0), Some(4)), "{}", run.text);
    assert_eq!(run.figure("answersAcknowledged"), run.figure("waitersEnded"));
    assert!(run.report["latencies"]["answer"]["p50Ms"].as_f64().expect("p50") < 100.0);
}

#[tokio::test]
async fn answers_are_not_faster_than_their_long_polls_allow() {
    // Each step needs an answer for each of its 0.3 s: more would be a burst and no rate.
    let run = run(Fault::None, &[&AWAIT[..], &["--target", "p50<60s", "--drain", "20"]].concat()).await;
    run.assert_clean();
    assert!((run.figure("targetRate") - 400.0).abs() < 1.0, "{}", run.text);
    assert!(run.text.contains("needs one of --waiters"), "{}", run.text);
    let refused = self::run(Fault::None, &[&AWAIT[..], &["--target", "p50<60s", "--rate", "500"]].concat()).await;
    assert_eq!(refused.code, Some(64), "{}", refused.text);
}

#[tokio::test]
async fn a_void_step_of_answers_makes_the_run_void() {
    for (fault, problem) in [(Fault::AwaitNever, "lost"), (Fault::AwaitAnswer, "awaitWrong")] {
        let run = run(fault, &[&AWAIT[..], &["--target", "p50<60s"]].concat()).await;
        assert_eq!((run.code, run.count(problem)), (Some(2), 1), "{}", run.text);
        assert_eq!(run.report["ramp"]["steps"].as_array().map(Vec::len), Some(1), "{}", run.text);
    }
}

#[tokio::test]
async fn the_target_of_answers_is_their_latency() {
    let run = run(Fault::None, &[&AWAIT[..], &["--target", "delivery.p99<9ms"]].concat()).await;
    assert_eq!(run.code, Some(64), "{}", run.text);
    assert!(run.text.contains("`answer` or `reply`"), "{}", run.text);
}
