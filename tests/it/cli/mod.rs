//! The program: the command line, its settings and its output.

mod commands;
mod logs;
mod settings;
mod shutdown;
mod start;

use crate::support::process::Process;
use crate::support::{Client, PATIENCE};
pub use logs::Recorded;
use serde_json::{Value, json};
use std::process::{Command, Output, Stdio};

const FREE_PORT: &str = "127.0.0.1:0";

/// Runs a command to its end, which must come by itself.
pub fn run(command: &mut Command) -> Output {
    run_with_input(command, Stdio::null())
}

/// The same of a program that reads standard input.
pub fn run_with_input(command: &mut Command, input: impl Into<Stdio>) -> Output {
    let command = command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program runs");
    let pid = child.id().to_string();
    // A full pipe would hold it up: it is read while it runs.
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match ended.recv_timeout(PATIENCE) {
        Ok(output) => output.expect("its output"),
        Err(_) => {
            let killed = Command::new("kill").args(["-KILL", &pid]).status().expect("kill runs");
            panic!("it does not end by itself ({killed})");
        }
    }
}

pub fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("text")
}

pub fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

/// The one line that a command prints, if it ended well.
#[track_caller]
pub fn line(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    let printed = out(output);
    let line = printed.strip_suffix('\n').expect("a line");
    assert!(!line.is_empty() && !line.contains(char::is_whitespace), "alone on its line: {printed:?}");
    line
}

/// Checks that a command failed with exactly one line that names `what`, and printed nothing else.
#[track_caller]
pub fn failed(output: &Output, what: &str) {
    assert!(!output.status.success() && output.status.code().is_some(), "{what}: {output:?}");
    let lines: Vec<_> = err(output).lines().collect();
    assert_eq!(lines.len(), 1, "{what}: {lines:#?}");
    assert!(lines[0].contains(what), "{what} in {lines:?}");
    assert_eq!(out(output), "", "{what}");
}

/// The value after a label in the output of a first start.
pub fn printed<'a>(hub: &'a Process, label: &str) -> &'a str {
    let line = hub.output.lines().find(|line| line.trim_start().starts_with(label));
    line.and_then(|line| line.split_whitespace().last()).unwrap_or_else(|| panic!("{label} in {:?}", hub.output))
}

fn anonymous(hub: &Process) -> Client {
    Client::anonymous(&hub.base)
}

pub async fn login(hub: &Process, email: &str, password: &str) -> Value {
    let body = json!({ "email": email, "password": password });
    anonymous(hub).post("/v1/auth/login", body).await.expect(200)
}

pub fn bearer(hub: &Process, token: &str) -> Client {
    anonymous(hub).with("authorization", &format!("Bearer {token}"))
}

pub fn api_key(hub: &Process, key: &str) -> Client {
    anonymous(hub).with("x-api-key", key)
}

pub fn is_secret(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}
