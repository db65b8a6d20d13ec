//! `mixed`: everything at once, each part of it accounted for.

use crate::support::{
    Fault,
    run::{Run, run},
};

/// Two sessions, each with an agent, two people and a guest.
const MIXED: [&str; 34] = [
    "mixed",
    "--duration",
    "1",
    "--warmup",
    "0",
    "--sessions",
    "2",
    "--agents",
    "2",
    "--people",
    "4",
    "--guests",
    "2",
    "--messages",
    "60",
    "--questions",
    "30",
    "--think",
    "0.05",
    "--races",
    "50%",
    "--typing",
    "40",
    "--reads",
    "40",
    "--leaves",
    "10",
    "--away",
    "0.2",
    "--visits",
    "5",
    "--stay",
    "0.1",
    "--drain",
];

async fn mixed(fault: Fault, drain: &str) -> Run {
    run(fault, &[&MIXED[..], &[drain]].concat()).await
}

/// Without returns, which would bring again what was lost.
async fn mixed_without_returns(fault: Fault, drain: &str) -> Run {
    run(fault, &[&MIXED[..], &[drain, "--leaves", "0"]].concat()).await
}

#[tokio::test]
async fn a_correct_hub_passes() {
    let run = mixed(Fault::None, "20").await;
    run.assert_clean();
    assert_eq!((run.figure("sessions"), run.figure("principals"), run.figure("sockets")), (2.0, 8.0, 8.0));
    // Messages, questions and their answers, at four links each.
    assert_eq!(run.figure("messagesAcknowledged"), 120.0, "{}", run.text);
    assert_eq!(run.figure("deliveries"), 480.0);
    assert_eq!((run.figure("questions"), run.figure("answers")), (30.0, 30.0));
    assert_eq!(run.figure("answersRefused"), 15.0);
    assert_eq!(run.figure("visits"), 5.0);
    for latency in ["delivery", "reply", "answer", "typing", "receipt", "back", "revocation"] {
        assert!(run.report["latencies"][latency]["count"].as_u64() > Some(0), "{latency}: {}", run.text);
    }
    assert!(run.figure("returns") > 0.0);
}

#[tokio::test]
async fn a_lost_event_fails_on_a_socket_and_on_a_stream() {
    for fault in [Fault::Lose, Fault::StreamLose] {
        let run = mixed_without_returns(fault, "0.5").await;
        assert_eq!(run.code, Some(2), "{}", run.text);
        assert!(run.count("lost") > 0, "{}", run.text);
    }
}

#[tokio::test]
async fn a_question_answered_twice_fails() {
    let run = mixed(Fault::TakeBoth, "20").await;
    assert_eq!(run.code, Some(2), "{}", run.text);
    assert_eq!(run.count("notOnce"), 15, "{}", run.text);
}

#[tokio::test]
async fn a_long_poll_with_another_answer_fails() {
    let run = mixed(Fault::AwaitAnswer, "20").await;
    assert_eq!((run.code, run.count("awaitWrong")), (Some(2), 1), "{}", run.text);
}

#[tokio::test]
async fn a_guest_who_stays_after_the_revocation_fails() {
    let run = mixed(Fault::KeepGuests, "20").await;
    run.assert_only("visitFailed", 5);
}

#[tokio::test]
async fn a_key_that_may_not_manage_is_a_usage_error() {
    let run = mixed(Fault::Unprivileged, "20").await;
    assert_eq!(run.code, Some(64), "{}", run.text);
    assert!(run.text.contains("`manage`"), "{}", run.text);
}
