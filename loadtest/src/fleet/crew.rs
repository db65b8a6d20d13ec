//! The worker processes of a tester: each has a share of the sockets.

use std::{io::Write as _, process::Stdio, sync::Arc};

use anyhow::{Context as _, Result, anyhow};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout},
    sync::mpsc,
    task::JoinHandle,
};

use super::{
    shared::Shared,
    wire::{Command, Reply, Totals},
};
use crate::stop::Stop;

/// The hidden option that makes a process a worker.
const WORKER: &str = "--worker-part";

/// Running workers. They end with the tester.
pub(super) struct Crew {
    workers: Vec<Worker>,
}

struct Worker {
    part: usize,
    child: Child,
    stdin: ChildStdin,
    replies: mpsc::UnboundedReceiver<Reply>,
    reading: JoinHandle<()>,
}

impl Crew {
    /// Starts copies of this program with its own command line; they wait for their first command.
    pub(super) fn start(processes: usize, shared: &Arc<Shared>) -> Result<Self, Stop> {
        let workers = (1..processes).map(|part| Worker::start(part, shared).map_err(Stop::Tool));
        Ok(Self { workers: workers.collect::<Result<_, _>>()? })
    }

    /// Sends a command to all, without waiting for what they reply.
    pub(super) async fn send(&mut self, command: &Command) -> Result<(), Stop> {
        let line = serde_json::to_string(command).map_err(|error| Stop::Tool(error.into()))? + "\n";
        for worker in &mut self.workers {
            let sent = worker.stdin.write_all(line.as_bytes()).await;
            if sent.is_err() {
                return Err(worker.ended().await);
            }
        }
        Ok(())
    }

    /// The next reply of each.
    pub(super) async fn replies(&mut self) -> Result<Vec<Reply>, Stop> {
        let mut replies = Vec::with_capacity(self.workers.len());
        for worker in &mut self.workers {
            match worker.replies.recv().await {
                Some(Reply::Failed(text)) => {
                    return Err(Stop::Hub(anyhow!("{text}").context(worker.name())));
                }
                Some(reply) => replies.push(reply),
                None => return Err(worker.ended().await),
            }
        }
        Ok(replies)
    }

    /// Waits for all to end, which they do once they have nothing to read.
    pub(super) async fn end(self) -> Result<(), Stop> {
        for Worker { part, mut child, stdin, reading, .. } in self.workers {
            drop(stdin);
            reading.abort();
            let status = child.wait().await.map_err(|error| Stop::Tool(error.into()))?;
            if !status.success() {
                return Err(Stop::Tool(anyhow!("worker {part}: {status}")));
            }
        }
        Ok(())
    }
}

impl Worker {
    fn start(part: usize, shared: &Arc<Shared>) -> Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let mut child = tokio::process::Command::new(program)
            .arg(WORKER)
            .arg(part.to_string())
            .args(std::env::args_os().skip(1))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting worker {part}"))?;
        if let Some(pid) = child.id() {
            shared.live.add_worker(pid);
        }
        let stdin = child.stdin.take().context("a worker without stdin")?;
        let stdout = child.stdout.take().context("a worker without stdout")?;
        let (sender, replies) = mpsc::unbounded_channel();
        let reading = tokio::spawn(read(stdout, Arc::clone(shared), sender));
        Ok(Self { part, child, stdin, replies, reading })
    }

    fn name(&self) -> String {
        match self.child.id() {
            Some(id) => format!("worker {} (process {id})", self.part),
            None => format!("worker {}", self.part),
        }
    }

    /// Why it says nothing any more.
    async fn ended(&mut self) -> Stop {
        let name = self.name();
        // It closes its stdout only when it ends.
        let status = match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        Stop::Tool(anyhow!("{name} ended before the run did: {status}"))
    }
}

/// Adds totals as they come, and passes on the other replies.
async fn read(stdout: ChildStdout, shared: Arc<Shared>, replies: mpsc::UnboundedSender<Reply>) {
    let mut lines = BufReader::new(stdout).lines();
    // A line that can't be read is the end of this worker, too.
    while let Ok(Some(line)) = lines.next_line().await {
        let reply = match serde_json::from_str(&line) {
            Ok(Reply::Totals(totals)) => {
                shared.add(&totals);
                continue;
            }
            Ok(Reply::Collected(totals)) => {
                shared.add(&totals);
                Reply::Collected(Totals::default())
            }
            Ok(Reply::Finished { totals, problems }) => {
                shared.add(&totals);
                Reply::Finished { totals: Totals::default(), problems }
            }
            Ok(reply) => reply,
            Err(_) => break,
        };
        if replies.send(reply).is_err() {
            break;
        }
    }
}

/// Writes a reply of this worker.
pub(super) fn reply(reply: &Reply) -> Result<()> {
    let line = serde_json::to_string(reply)? + "\n";
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).context("writing to the tester")?;
    out.flush().context("writing to the tester")
}
