//! `hiloop hook`: people answer the permission prompts of a coding agent through the hub. One process handles one event.
#![allow(clippy::disallowed_methods)] // a client: its tasks end with it

mod agent;
mod diff;
mod event;
mod hub;
mod install;
mod outcome;
mod remarks;
mod reply;
mod report;
mod request;
mod rule;
mod run;
mod settings_file;
mod shown;
mod state;

use self::agent::CodingAgent;
use self::event::Event;
use self::install::{Install, Uninstall};
use self::reply::Output;
use clap::{Args, Subcommand};
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// The most that an event may have. Results of tools can be large.
const MAX_EVENT: u64 = 64 * 1024 * 1024;

#[derive(Subcommand)]
pub(super) enum Hook {
    /// Handle one event of Claude Code: the event on standard input, the decision on standard output
    ClaudeCode(Asking),
    /// Handle one event of Codex: the event on standard input, the decision on standard output
    Codex(Asking),
    /// Write the hooks into the settings of a coding agent
    Install(Install),
    /// Remove the hooks from the settings of a coding agent
    Uninstall(Uninstall),
}

/// How people are asked.
#[derive(Args, Clone, Debug)]
pub(super) struct Asking {
    /// How long to wait for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Whom to ask: the e-mail address of a person of the space; may be given more than once. Everyone unless given
    #[arg(long, value_name = "EMAIL")]
    to: Vec<String>,
}

impl Asking {
    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

impl Hook {
    /// Runs the command. The exit code is part of what a coding agent goes by, and 1 would not stop it.
    pub(super) fn run(self) -> ExitCode {
        let (agent, asking) = match self {
            Self::ClaudeCode(asking) => (CodingAgent::ClaudeCode, asking),
            Self::Codex(asking) => (CodingAgent::Codex, asking),
            Self::Install(install) => return super::finish(install.run()),
            Self::Uninstall(uninstall) => return super::finish(uninstall.run()),
        };
        let output = catch_unwind(AssertUnwindSafe(|| handle(agent, &asking)));
        output.unwrap_or_else(|_| Output::refused("an internal error")).print()
    }
}

/// Reads the event and decides.
fn handle(agent: CodingAgent, asking: &Asking) -> Output {
    let mut text = Vec::new();
    let read = std::io::stdin().lock().take(MAX_EVENT + 1).read_to_end(&mut text);
    if let Err(error) = read {
        return Output::refused(&format!("the event cannot be read: {error}"));
    }
    if text.len() as u64 > MAX_EVENT {
        return Output::refused("the event is too large");
    }
    let event = match Event::parse(&text) {
        Ok(event) => event,
        Err(problem) => return Output::refused(&format!("the event is malformed: {problem}")),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return Output::failed(agent, &event, &format!("cannot start: {error}")),
    };
    let output = runtime.block_on(async {
        // A task of its own, so that a panic is a result.
        let task = tokio::spawn(run::answer(agent, asking.clone(), event.clone()));
        tokio::select! {
            done = task => match done {
                Ok(Ok(reply)) => reply.output(agent, &event),
                Ok(Err(problem)) => Output::failed(agent, &event, &problem),
                Err(_) => Output::failed(agent, &event, "an internal error"),
            },
            () = ended() => Output::failed(agent, &event, "the hook was ended"),
        }
    });
    runtime.shutdown_background();
    output
}

/// Returns at a signal to end.
async fn ended() {
    let of = |kind| async move {
        match signal(kind) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = of(SignalKind::terminate()) => {}
        () = of(SignalKind::interrupt()) => {}
        () = of(SignalKind::hangup()) => {}
    }
}
