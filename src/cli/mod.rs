//! The command line: one command per file.

mod demo;
mod healthcheck;
mod humans;
mod keys;
mod log;
mod migrate;
mod openapi;
mod print;
mod serve;
mod token;

use crate::clock::{Clock as _, SystemClock};
use crate::config::{ConfigError, DEFAULT_SPACE, LogSettings, Settings};
use crate::domain::Refusal;
use crate::domain::people::Space;
use crate::server::StartError;
use crate::service::directory::spaces;
use crate::store::{Store, StoreError};
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use thiserror::Error;

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
}

/// Why a command failed, in one line that names the cause.
#[derive(Debug, Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Open(#[from] crate::store::open::OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{0}")]
    Other(String),
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
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
        }
    });
    // A long blocking call, such as a password hash, must not delay the exit.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
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

/// Finds or creates a space.
async fn space_to_use(store: &dyn Store, name: &str) -> Result<Space, CliError> {
    let space = spaces::ensure(store, name, SystemClock.now()).await?;
    space.ok_or_else(|| CliError::Other(format!("the space '{name}' is deactivated")))
}
