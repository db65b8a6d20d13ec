//! The series of a run: one row for each second, and the same on stderr while it runs.

use serde_json::Value;

use crate::support::{
    Fault,
    run::{FANOUT, run},
};

fn column<'a>(series: &'a Value, path: &str) -> Vec<&'a Value> {
    let column = series.pointer(path).and_then(Value::as_array);
    column.unwrap_or_else(|| panic!("no {path}: {series}")).iter().collect()
}

fn numbers(series: &Value, path: &str) -> Vec<f64> {
    column(series, path).into_iter().map(|value| value.as_f64().unwrap_or_default()).collect()
}

#[tokio::test]
async fn rows_add_up_to_the_run() {
    let pid = std::process::id().to_string();
    // More than a second, so that there is more than one row.
    let scenario = ["fanout", "--sockets", "3", "--rate", "20", "--duration", "2.5", "--pid", &pid];
    let run = run(Fault::None, &scenario).await;
    run.assert_clean();
    let series = &run.report["series"];
    let seconds = numbers(series, "/seconds");
    assert!(seconds.len() >= 2 && seconds.is_sorted(), "{series}");
    for (path, total) in
        [("/messagesSentPerSecond", 50.0), ("/messagesAcknowledgedPerSecond", 50.0), ("/deliveriesPerSecond", 150.0)]
    {
        let starts = [0.0].iter().chain(&seconds);
        let lengths = seconds.iter().zip(starts).map(|(end, start)| end - start);
        let sum: f64 = numbers(series, path).iter().zip(lengths).map(|(rate, length)| rate * length).sum();
        // Numbers are rounded to thousandths.
        assert!((sum - total).abs() < 0.5, "{path}: {sum} for {total}");
    }
    assert_eq!(numbers(series, "/latencies/delivery/count").iter().sum::<f64>(), 150.0);
    assert_eq!(numbers(series, "/latencies/reply/count").iter().sum::<f64>(), 50.0);
    for path in ["/phase", "/open", "/problems", "/serverCpuPercent", "/serverMemoryMiB", "/testerCpuPercent"] {
        assert_eq!(column(series, path).len(), seconds.len(), "{path}");
    }
    assert!(column(series, "/phase").contains(&&Value::from("deliveries")));
    assert!(numbers(series, "/open").contains(&3.0));
    assert!(numbers(series, "/serverMemoryMiB").iter().any(|mib| *mib > 0.0));
}

#[tokio::test]
async fn problems_are_in_the_second_in_which_they_were_found() {
    let run = run(Fault::Refuse, &FANOUT).await;
    run.assert_only("postFailed", 1);
    assert_eq!(numbers(&run.report["series"], "/problems").iter().sum::<f64>(), 1.0);
}

#[tokio::test]
async fn the_last_second_is_shown_while_the_run_goes_on() {
    let scenario = ["idle", "--sockets", "4", "--sessions", "1", "--hold", "3", "--rest", "0"];
    let run = run(Fault::None, &scenario).await;
    run.assert_clean();
    let line = run.text.lines().find(|line| line.contains("open 4"));
    let line = line.unwrap_or_else(|| panic!("no such line: {}", run.text));
    assert!(line.starts_with("hold: ") && line.contains("tester CPU"), "{line}");
}
