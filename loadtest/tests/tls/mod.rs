//! Hubs behind TLS.

use crate::support::{
    Fault, Hub, KEY,
    run::{FANOUT, MESSAGES, loadtest},
    tls::Front,
};

/// Runs a scenario against a hub behind TLS; its exit code and its output.
async fn run(fault: Fault, certified: &str, url: &str, trusted: bool, scenario: &[&str]) -> (Option<i32>, String) {
    let hub = Hub::start(fault, MESSAGES).await;
    let front = Front::start(certified, &hub).await;
    let url = format!("{url}:{}", front.port);
    let mut options = vec!["--url", &url, "--key", KEY, "--drain", "0.2", "--settle", "0"];
    if trusted {
        options.extend(["--ca", front.certificate.path().to_str().expect("UTF-8")]);
    }
    options.extend(scenario);
    let output = loadtest(&options).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

#[tokio::test]
async fn sockets_and_requests_go_through_tls() {
    for url in ["https://localhost", "wss://localhost"] {
        let (code, text) = run(Fault::None, "localhost", url, true, &FANOUT).await;
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("PASS"), "{text}");
    }
}

#[tokio::test]
async fn long_polls_go_through_tls() {
    let scenario = ["await", "--waiters", "6", "--sessions", "2", "--hold", "0.2", "--rest", "0", "--rate", "500"];
    let (code, text) = run(Fault::None, "localhost", "https://localhost", true, &scenario).await;
    assert_eq!(code, Some(0), "{text}");
}

#[tokio::test]
async fn sockets_of_all_processes_go_through_tls() {
    let scenario = [&FANOUT[..], &["--processes", "3", "--drain", "20"]].concat();
    let (code, text) = run(Fault::None, "localhost", "wss://localhost", true, &scenario).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("PASS"), "{text}");
    let (code, text) = run(Fault::Double, "localhost", "wss://localhost", true, &scenario).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("deliveries duplicated"), "{text}");
    let (code, text) = run(Fault::None, "localhost", "wss://localhost", false, &scenario).await;
    assert_ne!(code, Some(0), "{text}");
    assert!(text.contains("UnknownIssuer") || text.contains("no authorities"), "{text}");
}

#[tokio::test]
async fn a_lost_delivery_is_found_behind_tls() {
    let (code, text) = run(Fault::Lose, "localhost", "https://localhost", true, &FANOUT).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("deliveries lost"), "{text}");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let (code, text) = run(Fault::None, "localhost", "https://localhost", false, &FANOUT).await;
    assert_ne!(code, Some(0), "{text}");
    assert!(text.contains("UnknownIssuer") || text.contains("no authorities"), "{text}");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let (code, text) = run(Fault::None, "elsewhere.example", "https://localhost", true, &FANOUT).await;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("not valid for name"), "{text}");
    let (code, text) = run(Fault::None, "localhost", "https://127.0.0.1", true, &FANOUT).await;
    assert_eq!(code, Some(2), "{text}");
}
