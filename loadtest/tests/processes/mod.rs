//! Several processes as one run.

use std::{fs, process::Stdio, time::Duration};

use tokio::process::Command;

use crate::support::{
    Fault, Hub, KEY,
    run::{FANOUT, run},
};

const THREE: [&str; 4] = ["--processes", "3", "--drain", "20"];

#[tokio::test]
async fn all_sockets_of_all_processes_count() {
    let fanout = [&["fanout", "--sockets", "7", "--rate", "200", "--duration", "0.1"], &THREE[..]].concat();
    let run_of_fanout = run(Fault::None, &fanout).await;
    run_of_fanout.assert_clean();
    assert_eq!(run_of_fanout.figure("sockets"), 7.0);
    assert_eq!(run_of_fanout.figure("deliveries"), 140.0);
    assert_eq!(run_of_fanout.report["latencies"]["delivery"]["count"], 140);

    let chat = [&["chat", "--sessions", "5", "--rate", "300", "--duration", "0.1"], &THREE[..]].concat();
    let chat = run(Fault::None, &chat).await;
    chat.assert_clean();
    assert_eq!((chat.figure("sockets"), chat.figure("deliveries")), (10.0, 60.0));

    let idle = ["idle", "--sockets", "20", "--hold", "0", "--rest", "0", "--broadcast", "600"];
    let idle = run(Fault::None, &[&idle[..], &THREE].concat()).await;
    idle.assert_clean();
    assert_eq!((idle.figure("sockets"), idle.figure("deliveries")), (20.0, 20.0));
    assert_eq!(idle.report["latencies"]["open"]["count"], 20);
}

#[tokio::test]
async fn a_storm_goes_over_all_processes() {
    let storm = ["storm", "--sockets", "9", "--sessions", "3", "--witnesses", "3", "--rate", "200", "--at", "0.1"];
    let more = ["--every", "0.4", "--spread", "0.2", "--storms", "2"];
    let run = run(Fault::BusyReturn, &[&storm[..], &more, &THREE].concat()).await;
    run.assert_clean();
    assert_eq!(run.report["latencies"]["back"]["count"], 18);
    assert_eq!(run.figure("deliveries"), 180.0 * 4.0);
    assert!(run.figure("ended503") > 0.0 && run.figure("deliveriesReplayed") > 0.0, "{}", run.text);
}

#[tokio::test]
async fn a_fault_is_found_in_whatever_process_it_is() {
    for (fault, problem) in [(Fault::Lose, "lost"), (Fault::Double, "doubled"), (Fault::Alter, "mismatched")] {
        run(fault, &[&FANOUT[..], &["--processes", "3"]].concat()).await.assert_only(problem, 1);
    }
}

#[tokio::test]
async fn nodes_are_used_in_turn() {
    let url = Hub::start(Fault::None, 20).await;
    let nodes = ["--url", &url, "--other-url", &url, "--other-url", &url];
    let run = run(Fault::None, &[&FANOUT[..], &nodes, &THREE].concat()).await;
    run.assert_clean();
    assert_eq!(run.figure("deliveries"), 60.0);
}

#[tokio::test]
async fn a_hub_that_refuses_fails_whoever_asks() {
    let run = run(Fault::Forbid, &[&FANOUT[..], &["--processes", "3"]].concat()).await;
    assert_eq!(run.code, Some(2), "{}", run.text);
    assert!(run.text.contains("NOT_FOUND"), "{}", run.text);
}

#[tokio::test]
async fn scenarios_that_are_one_process_say_so() {
    let run = run(Fault::None, &["ingest", "--processes", "2"]).await;
    assert_eq!(run.code, Some(64));
    assert!(run.text.contains("--processes"), "{}", run.text);
}

#[tokio::test]
async fn the_end_of_a_worker_fails_the_run_and_is_named() {
    let url = Hub::start(Fault::None, 20).await;
    let arguments = ["--url", &url, "--key", KEY, "idle", "--sockets", "9", "--hold", "2", "--processes", "3"];
    let tester = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the tester runs");
    let id = tester.id().expect("running");
    let worker = loop {
        match children(id)[..] {
            [_, worker] => break worker,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let killed = Command::new("kill").args(["-KILL", &worker.to_string()]).status().await.expect("kill runs");
    assert!(killed.success());
    let output = tester.wait_with_output().await.expect("it ends");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("worker") && text.contains("ended before the run did: signal: 9"), "{text}");
}

/// The processes that this one has started.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc");
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_child = |id: &u32| {
        // One may end while it is looked at.
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_ascii_whitespace());
        fields.and_then(|mut fields| fields.nth(1)?.parse::<u32>().ok()) == Some(parent)
    };
    ids.filter(is_child).collect()
}
