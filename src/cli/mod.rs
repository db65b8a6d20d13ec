//! The command line: one command per file.

mod config_file;
mod demo;
mod digest;
mod error;
mod folders;
mod healthcheck;
mod hook;
mod humans;
mod keys;
mod log;
mod mcp;
mod migrate;
mod openapi;
mod print;
mod quote;
mod serve;
mod space;
mod token;

use crate::config::{DEFAULT_SPACE, LogSettings, Settings};
use clap::{Parser, Subcommand};
use error::CliError;
use space::space_to_use;
use std::process::ExitCode;
use tokio::runtime::Builder;

#[derive(Parser)]
#[command(name = "hiloop", version, about = "A self-hosted real-time messaging hub for AI agents and people")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    log: LogSettings,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the hub (the default)
    Serve(Box<Settings>),
    /// Create the store, or bring its schema up to date
    Migrate(migrate::Migrate),
    /// Manage API keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Manage people
    #[command(subcommand)]
    Humans(humans::Humans),
    /// Print an access token of a human
    Token(token::Token),
    /// Check that the hub on this machine is ready, for container health checks
    Healthcheck(healthcheck::Healthcheck),
    /// Print the OpenAPI document of the HTTP API
    Openapi,
    /// Run a scripted agent that talks to people in the chat
    Demo(demo::Demo),
    /// Let people answer the permission prompts of coding agents
    #[command(subcommand)]
    Hook(hook::Hook),
    /// Serve the Model Context Protocol on standard input and output: tools with which an agent asks people
    Mcp(mcp::Mcp),
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Command::Hook(command)) = cli.command {
        // Its exit code is part of its reply.
        return command.run();
    }
    if let Some(Command::Mcp(command)) = cli.command {
        // Standard output is the protocol's.
        return finish(command.run());
    }
    let runtime = match runtime(&cli).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    if let Err(error) = log::start(&cli.log) {
        return fail(&error.to_string());
    }
    let outcome = runtime.block_on(async {
        match cli.command {
            None => serve::run(cli.settings).await,
            Some(Command::Serve(settings)) => serve::run(*settings).await,
            Some(Command::Migrate(command)) => command.run().await,
            Some(Command::Keys(command)) => command.run().await,
            Some(Command::Humans(command)) => command.run().await,
            Some(Command::Token(command)) => command.run().await,
            Some(Command::Healthcheck(command)) => command.run().await,
            Some(Command::Openapi) => openapi::run(),
            Some(Command::Demo(command)) => command.run().await,
            Some(Command::Hook(_) | Command::Mcp(_)) => unreachable!("it ran before"),
        }
    });
    // A long blocking call, such as a password hash, must not delay the exit.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    finish(outcome)
}

/// A runtime with a thread for each core; without one core for a hub on SQLite, whose thread needs it: as many threads as
/// cores would take turns, and each message would move between them. `TOKIO_WORKER_THREADS` overrides both.
fn runtime(cli: &Cli) -> Builder {
    let mut runtime = Builder::new_multi_thread();
    let settings = match &cli.command {
        None => Some(&cli.settings),
        Some(Command::Serve(settings)) => Some(&**settings),
        Some(_) => None,
    };
    let is_on_sqlite = settings.is_some_and(|settings| settings.database.names_sqlite());
    if is_on_sqlite && std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        runtime.worker_threads(cores.saturating_sub(1).max(1));
    }
    runtime
}

fn finish(outcome: Result<(), CliError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(problem: &str) -> ExitCode {
    // Some errors of libraries run over several lines.
    let line: Vec<&str> = problem.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    print::problem(&format!("hiloop: {}", line.join(" ")));
    ExitCode::FAILURE
}
