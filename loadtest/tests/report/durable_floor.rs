//! `--floor` of the scenarios that store messages.

use crate::support::{Fault, run::run};

const FLOOR: [&str; 4] = ["--floor", "--floor-time", "0.05", "--floor-dir"];

#[tokio::test]
async fn ingest_has_the_durable_floor_of_single_rows_and_of_groups() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let pid = std::process::id().to_string();
    let scenario = ["ingest", "--writers", "4", "--sessions", "3", "--duration", "0.1", "--pid", &pid];
    let run = run(Fault::None, &[&scenario[..], &FLOOR, &[path]].concat()).await;
    run.assert_clean();
    assert_eq!(run.figure("durableGroup"), 4.0);
    for key in ["durableUs", "durableRowsPerSecond", "durableGroupUs", "durableGroupRowsPerSecond"] {
        assert!(run.figure(key) > 0.0, "{key}");
    }
    assert!(run.figure("ratioToDurableFloor") >= 0.0);
    assert!(run.text.contains("ratio to durable floor"), "{}", run.text);
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
}

#[tokio::test]
async fn chat_has_the_durable_floor_at_its_rate() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let scenario = ["chat", "--sessions", "3", "--rate", "100", "--duration", "0.1"];
    let run = run(Fault::None, &[&scenario[..], &FLOOR, &[path]].concat()).await;
    run.assert_clean();
    assert!(run.figure("durablePacedUs") > 0.0 && run.figure("durableRowsPerSecond") > 0.0);
    // Without --pid there is nothing to compare with it.
    assert!(run.report["figures"]["ratioToDurableFloor"].is_null());
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_the_testers_failure() {
    let run = run(Fault::None, &[&["ingest"][..], &FLOOR, &["/nowhere"]].concat()).await;
    assert_eq!(run.code, Some(1), "{}", run.text);
    assert!(run.text.contains("/nowhere"), "{}", run.text);
}
