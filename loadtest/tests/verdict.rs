//! The tester against a hub that loses, duplicates, reorders and refuses: each fault is reported.

mod disruptions;
mod mixed;
mod processes;
mod ramp;
mod report;
mod support;
mod sweep;
mod tls;

use self::support::{
    Fault, KEY,
    run::{FANOUT, MESSAGES, loadtest, run},
};

/// Twelve long-polls, four in each of three sessions.
const AWAIT: [&str; 11] =
    ["await", "--waiters", "12", "--sessions", "3", "--hold", "0.2", "--rest", "0", "--rate", "500"];

#[tokio::test]
async fn a_correct_hub_passes_fanout() {
    let run = run(Fault::None, &FANOUT).await;
    run.assert_clean();
    assert_eq!(run.figure("messagesAcknowledged"), 20.0);
    assert_eq!(run.figure("deliveries"), 60.0);
    assert_eq!(run.report["latencies"]["delivery"]["count"], 60);
    assert_eq!(run.report["latencies"]["reply"]["count"], 20);
    assert!(run.report["latencies"]["delivery"]["p99_9Ms"].is_number());
}

#[tokio::test]
async fn a_correct_hub_passes_bursts_from_several_addresses() {
    let scenario = [&FANOUT[..], &["--burst", "4", "--sources", "3"]].concat();
    let run = run(Fault::None, &scenario).await;
    run.assert_clean();
    assert_eq!(run.figure("deliveries"), 240.0);
}

#[tokio::test]
async fn a_correct_hub_passes_chat() {
    let scenario = ["chat", "--sessions", "7", "--rate", "300", "--duration", "0.1"];
    let run = run(Fault::None, &scenario).await;
    run.assert_clean();
    assert_eq!(run.figure("sockets"), 14.0);
    assert_eq!(run.figure("deliveries"), 60.0);
}

#[tokio::test]
async fn a_correct_hub_passes_idle_with_a_broadcast() {
    let pid = std::process::id().to_string();
    let scenario = ["idle", "--sockets", "20", "--hold", "0", "--rest", "0"];
    let more = ["--broadcast", "60000", "--pid", &pid];
    let run = run(Fault::None, &[&scenario[..], &more].concat()).await;
    run.assert_clean();
    assert_eq!(run.figure("sessions"), 2.0);
    assert_eq!(run.figure("deliveries"), 20.0);
    assert!(run.figure("memoryOpenMiB") > 0.0);
}

#[tokio::test]
async fn a_correct_hub_passes_ingest() {
    let scenario = ["ingest", "--writers", "4", "--sessions", "3", "--duration", "0.1"];
    let run = run(Fault::None, &scenario).await;
    run.assert_clean();
    assert!(run.figure("messagesPerSecond") > 0.0);
}

#[tokio::test]
async fn a_correct_hub_passes_await() {
    let pid = std::process::id().to_string();
    let run = run(Fault::None, &[&AWAIT[..], &["--pid", &pid, "--sources", "3"]].concat()).await;
    run.assert_clean();
    assert_eq!(run.figure("sessions"), 3.0);
    assert_eq!(run.figure("waiters"), 12.0);
    assert_eq!(run.figure("answersAcknowledged"), 12.0);
    assert_eq!(run.report["latencies"]["answer"]["count"], 12);
    assert!(run.figure("memoryOpenMiB") > 0.0 && run.figure("serverCpuPercent") >= 0.0);
}

#[tokio::test]
async fn a_pending_reply_is_polled_again() {
    let scenario = ["await", "--waiters", "5", "--sessions", "2", "--rest", "0", "--rate", "500", "--token", "jwt"];
    let run = run(Fault::None, &[&scenario[..], &["--hold", "1.5", "--wait", "1"]].concat()).await;
    run.assert_clean();
    assert!(run.figure("repolls") >= 5.0, "{}", run.text);
}

#[tokio::test]
async fn the_floor_is_measured_in_the_same_run() {
    let pid = std::process::id().to_string();
    let floor = ["--floor", "--floor-time", "0.05", "--pid", &pid];
    let run = run(Fault::None, &[&FANOUT[..], &floor].concat()).await;
    run.assert_clean();
    assert!(run.figure("floorUsBefore") > 0.0 && run.figure("floorUsAfter") > 0.0);
    assert!(run.figure("ratioToFloor") >= 0.0);
    assert!(run.text.contains("CPU-seconds of the hub"), "{}", run.text);
}

#[tokio::test]
async fn a_lost_delivery_fails_and_is_named() {
    let run = run(Fault::Lose, &FANOUT).await;
    run.assert_only("lost", 1);
    assert!(run.text.contains("session session-0: 1 from seq 4"), "{}", run.text);
}

#[tokio::test]
async fn a_lost_last_delivery_fails() {
    run(Fault::LoseLast, &FANOUT).await.assert_only("lost", 1);
}

#[tokio::test]
async fn a_duplicated_delivery_fails() {
    let run = run(Fault::Double, &FANOUT).await;
    run.assert_only("doubled", 1);
    assert_eq!(run.figure("deliveries"), 60.0);
}

#[tokio::test]
async fn a_misordered_delivery_fails() {
    run(Fault::Swap, &FANOUT).await.assert_only("misordered", 1);
}

#[tokio::test]
async fn altered_content_fails() {
    run(Fault::Alter, &FANOUT).await.assert_only("mismatched", 1);
}

#[tokio::test]
async fn an_event_of_a_foreign_session_fails() {
    run(Fault::Foreign, &FANOUT).await.assert_only("foreign", 1);
}

#[tokio::test]
async fn a_refused_message_fails() {
    let run = run(Fault::Refuse, &FANOUT).await;
    run.assert_only("postFailed", 1);
    assert_eq!(run.figure("messagesAcknowledged"), 19.0);
}

#[tokio::test]
async fn a_socket_that_closes_early_fails() {
    let run = run(Fault::Close, &FANOUT).await;
    assert_eq!((run.code, run.count("closedEarly")), (Some(2), 1), "{}", run.text);
    assert_eq!(run.count("lost"), MESSAGES - 3);
}

#[tokio::test]
async fn one_seq_for_two_messages_fails_both_ways_of_counting() {
    let fanout = run(Fault::RepeatSeq, &FANOUT).await;
    assert_eq!((fanout.code, fanout.count("seqConflict")), (Some(2), 1), "{}", fanout.text);
    let ingest = ["ingest", "--writers", "1", "--one-session", "--duration", "1"];
    run(Fault::RepeatSeq, &ingest).await.assert_only("seqConflict", 1);
}

#[tokio::test]
async fn a_long_poll_that_never_ends_fails() {
    let run = run(Fault::AwaitNever, &AWAIT).await;
    run.assert_only("lost", 1);
    let named = run.text.split("message ").find_map(|rest| rest.split_once(": answered by answer-to-"));
    assert!(named.is_some_and(|(question, answer)| answer.starts_with(&format!("{question},"))), "{}", run.text);
}

#[tokio::test]
async fn a_hub_that_answers_no_long_poll_fails() {
    run(Fault::AwaitNothing, &AWAIT).await.assert_only("lost", 12);
}

#[tokio::test]
async fn a_long_poll_answered_twice_fails() {
    run(Fault::AwaitTwice, &AWAIT).await.assert_only("doubled", 1);
}

#[tokio::test]
async fn an_answer_stored_twice_fails() {
    run(Fault::AnswerTwice, &AWAIT).await.assert_only("seqConflict", 1);
}

#[tokio::test]
async fn a_long_poll_answered_wrongly_fails() {
    for fault in [Fault::AwaitOther, Fault::AwaitAnswer, Fault::AwaitCancelled] {
        run(fault, &AWAIT).await.assert_only("awaitWrong", 1);
    }
    // Once for its time, once for its content.
    run(Fault::AwaitBefore, &AWAIT).await.assert_only("awaitWrong", 2);
}

#[tokio::test]
async fn a_long_poll_that_does_not_wait_fails() {
    run(Fault::AwaitEarly, &AWAIT).await.assert_only("awaitEarly", 1);
}

#[tokio::test]
async fn a_long_poll_that_breaks_fails() {
    for fault in [Fault::AwaitClose, Fault::AwaitError] {
        run(fault, &AWAIT).await.assert_only("awaitFailed", 1);
    }
}

#[tokio::test]
async fn a_refused_answer_fails() {
    let run = run(Fault::Refuse, &AWAIT).await;
    run.assert_only("postFailed", 1);
    assert_eq!(run.figure("answersAcknowledged"), 11.0);
}

#[tokio::test]
async fn sockets_that_cannot_be_opened_fail() {
    let run = run(Fault::Forbid, &FANOUT).await;
    assert_eq!(run.code, Some(2), "{}", run.text);
    assert!(run.text.contains("NOT_FOUND"), "{}", run.text);
}

#[tokio::test]
async fn a_hub_that_is_not_there_fails() {
    let output = loadtest(&["--url", "http://127.0.0.1:1", "--key", KEY, "ingest"]).await;
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn an_invalid_command_line_is_a_usage_error() {
    for arguments in [
        &["--key", KEY][..],
        &["--key", KEY, "fanout", "--sockets", "none"],
        &["--url", "http://127.0.0.1:1", "ingest"],
        &["--url", "http://192.0.2.1:1", "--key", KEY, "ingest"],
    ] {
        assert_eq!(loadtest(arguments).await.status.code(), Some(64), "{arguments:?}");
    }
    assert_eq!(loadtest(&["--help"]).await.status.code(), Some(0));
}

#[tokio::test]
async fn a_process_that_cannot_be_measured_is_the_testers_failure() {
    let pid = u32::MAX.to_string();
    let output = loadtest(&["--key", KEY, "--pid", &pid, "ingest"]).await;
    assert_eq!(output.status.code(), Some(1));
}
