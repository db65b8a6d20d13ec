//! Several nodes with a failing dependency: the behaviour in metrics and log, and for clients.

mod clocks;
mod database_failures;
mod redis_failures;

use crate::support::hub::{at_agent, text};
use crate::support::process::{Process, hiloop};
use crate::support::{Client, Socket, eventually};
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// The delay of unannounced events: the reconcile tick of a second, with a margin for a busy machine.
const BY_THE_STORE: Duration = Duration::from_secs(5);

/// A long-poll that settles at its end, rather than by an answer, takes this long.
const LONG: Duration = Duration::from_secs(30);

/// A node in a process of its own, whose log can be read.
struct Node {
    process: Process,
    owner: Client,
    log: PathBuf,
    _folder: TempDir,
}

impl Node {
    fn start(database: &str, redis_port: u16, owner: Option<&Client>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let mut command = hiloop(folder.path());
        command
            .env("DATABASE_URL", database)
            .env("REDIS_URL", format!("redis://127.0.0.1:{redis_port}"))
            .env("HILOOP_LISTEN", "127.0.0.1:0")
            .env("HILOOP_METRICS_LISTEN", "127.0.0.1:0")
            .env("HILOOP_LOG", "info")
            .stderr(File::create(&log).expect("a file"));
        let process = Process::spawn(&mut command);
        let owner = match owner {
            Some(owner) => Client { base: process.base.clone(), ..owner.clone() },
            None => process.owner(),
        };
        Self { process, owner, log, _folder: folder }
    }

    /// The value of a metric without labels.
    async fn metric(&self, name: &str) -> f64 {
        let text = Client::anonymous(self.process.metrics()).get("/metrics").await.expect(200);
        let text = text.as_str().expect("text").to_owned();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is among the metrics")).parse().expect("a number")
    }

    async fn shows(&self, name: &str, value: f64) {
        let what = format!("{name} to be {value}");
        eventually(&what, async || (self.metric(name).await == value).then_some(())).await;
    }

    async fn logs(&self, words: &str) {
        self.logs_after(0, words).await;
    }

    /// The log after this offset.
    fn log_after(&self, length: usize) -> String {
        std::fs::read_to_string(&self.log).expect("the log").split_off(length)
    }

    async fn logs_after(&self, length: usize, words: &str) {
        let what = format!("a line in the log: {words}");
        eventually(&what, async || self.log_after(length).contains(words).then_some(())).await;
    }

    async fn ask(&self, session: &str) -> String {
        let question = json!({ "encryptedContent": "?", "responseRequired": true });
        let question = self.owner.post(&at_agent(session, "/messages"), question).await.expect(201);
        text(&question["id"]).to_owned()
    }

    /// A long-poll on a message, registered when this returns.
    async fn wait_for(&self, session: &str, message: &str) -> tokio::task::JoinHandle<Value> {
        let waiting = self.metric("hiloop_waiters").await;
        let path = at_agent(session, &format!("/messages/{message}/await?timeout={}", LONG.as_secs()));
        let owner = self.owner.clone();
        let poll = tokio::spawn(async move { owner.get(&path).await.expect(200) });
        self.shows("hiloop_waiters", waiting + 1.0).await;
        poll
    }
}

async fn session(node: &Node) -> String {
    text(&node.owner.post("/v1/agent/sessions", json!({})).await.expect(201)["id"]).to_owned()
}

async fn post(client: &Client, session: &str, content: &str) -> Value {
    client.post(&at_agent(session, "/messages"), json!({ "encryptedContent": content })).await.expect(201)
}

/// Takes the next event, which is this message.
async fn takes(socket: &mut Socket, message: &Value) {
    assert_eq!(socket.event().await["data"]["message"]["id"], message["id"]);
}
