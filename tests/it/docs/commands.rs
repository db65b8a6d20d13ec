//! The commands of the README and the quick start, run by bash against a hub of their own.
//!
//! What follows the language of a block says what becomes of it: `sh run` is run, `sh run answer` is run while a person
//! answers the pending question, `sh run follow` is stopped once its output has come, `js file=NAME` is saved, and
//! `output` is what the block before prints, in which `…` stands for anything. Other shell blocks may only build and
//! start things.

use super::markdown::{Block, Document};
use crate::cli::{bearer, login, printed, run};
use crate::support::hub::{at_human, text};
use crate::support::process::{Process, hiloop};
use crate::support::{Client, PATIENCE, eventually};
use serde_json::json;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// The line that ends a block's output.
const DONE: &str = "--- the block is done ---";

/// One bash for a whole document, so that variables and functions last from block to block.
struct Shell {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Shell {
    async fn start(folder: &Path) -> Self {
        let mut child = Command::new("bash")
            .arg("--norc")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("bash runs");
        let input = child.stdin.take().expect("its input");
        let output = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut shell = Self { _child: child, input, output };
        // A background command in a process group of its own, so that all of it can be stopped.
        shell.write("set -meuo pipefail; exec 2>&1\n").await;
        shell
    }

    async fn write(&mut self, script: &str) {
        self.input.write_all(script.as_bytes()).await.expect("bash reads");
    }

    async fn line(&mut self, so_far: &str) -> String {
        let line = timeout(PATIENCE, self.output.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("nothing more after {so_far}")).expect("text");
        line.unwrap_or_else(|| panic!("a command failed: {so_far}"))
    }

    /// Runs a block to its end; returns its output.
    async fn run(&mut self, script: &str) -> String {
        self.write(&format!("{{\n{script}\n}} </dev/null\nprintf '\\n%s\\n' '{DONE}'\n")).await;
        let mut printed = String::new();
        loop {
            let line = self.line(&printed).await;
            if line == DONE {
                return printed;
            }
            printed += &line;
            printed.push('\n');
        }
    }

    /// Runs a block that does not end by itself, until it has printed what is expected.
    async fn follow(&mut self, script: &str, expected: &str) {
        self.write(&format!("{{\n{script}\n}} </dev/null &\n")).await;
        let mut printed = String::new();
        while missing(expected, &printed).is_some() {
            printed += &self.line(&printed).await;
            printed.push('\n');
        }
        self.write("kill -- -$!; wait $! || true\n").await;
        self.run("true").await;
    }
}

/// The first part of `expected`, between `…` and line ends, that is missing from `printed` or out of order.
fn missing<'e>(expected: &'e str, mut printed: &str) -> Option<&'e str> {
    for piece in expected.split(['…', '\n']).map(str::trim).filter(|piece| !piece.is_empty()) {
        match printed.split_once(piece) {
            Some((_, rest)) => printed = rest,
            None => return Some(piece),
        }
    }
    None
}

/// Waits for a pending question and answers it.
async fn answer(person: &Client) {
    let session = eventually("a question", async || {
        let feed = person.get("/v1/human/feed").await.expect(200);
        let first = feed["data"].get(0).filter(|item| item["pendingCount"] != 0)?;
        Some(text(&first["session"]["id"]).to_owned())
    })
    .await;
    let messages = person.get(&at_human(&session, "/messages?pageSize=100")).await.expect(200);
    let messages = messages["data"].as_array().expect("messages");
    let question = messages.iter().find(|message| message["status"] == "Pending").expect("the question");
    let body = json!({ "encryptedContent": "Yes.", "inReplyTo": question["id"], "outcome": "Approved" });
    person.post(&at_human(&session, "/messages"), body).await.expect(201);
}

/// Checks a block that is not run here: it builds with make, or starts the built program.
fn only_builds_or_starts(block: &Block, folder: &Path) {
    for line in block.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("target/release/hiloop ") {
            // Targets of make are looked up by `links`.
            None => assert!(line.starts_with("make "), "line {}: is neither run nor built: {line}", block.line),
            Some(rest) => {
                let command = rest.split(' ').next().expect("a command");
                assert!(run(hiloop(folder).args([command, "--help"])).status.success(), "{line}");
            }
        }
    }
}

async fn every_command_works(path: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = Process::start(folder.path(), "127.0.0.1:0");
    let signed_in = login(&hub, "owner@hiloop.local", printed(&hub, "password")).await;
    let person = bearer(&hub, text(&signed_in["accessToken"]));
    let key = printed(&hub, "API key").to_owned();
    let here = |text: &str| text.replace("http://127.0.0.1:8080", &hub.base).replace("hlp_…", &key);

    let mut shell = Shell::start(folder.path()).await;
    let blocks = Document::read(path).blocks();
    let mut runs = 0;
    for (number, block) in blocks.iter().enumerate() {
        let place = format!("{path}:{}", block.line);
        let next = blocks.get(number + 1).filter(|next| next.is("output"));
        let expected = next.map_or("", |next| next.text.as_str());
        if let Some(name) = block.value("file") {
            std::fs::write(folder.path().join(name), &block.text).expect("a file");
        }
        if block.language() != "sh" {
            continue;
        }
        if !block.is("run") {
            only_builds_or_starts(block, folder.path());
            continue;
        }
        runs += 1;
        let script = here(&block.text);
        if block.is("follow") {
            assert!(!expected.is_empty(), "{place}: says what it prints");
            shell.follow(&script, expected).await;
            continue;
        }
        let answering = async {
            if block.is("answer") {
                answer(&person).await;
            }
        };
        let (output, ()) = tokio::join!(shell.run(&script), answering);
        assert!(!output.contains(r#"{"error":"#), "{place}: {output}");
        assert_eq!(missing(expected, &output), None, "{place}: {output}");
    }
    assert!(runs > 0, "{path} has commands");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_readme_succeeds() {
    every_command_works("README.md").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_quick_start_succeeds() {
    every_command_works("docs/quick-start.md").await;
}
