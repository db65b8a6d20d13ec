//! `hiloop mcp`: a server of the Model Context Protocol over standard input and output, with which an agent asks people.
//! It encrypts where it runs. Standard output carries the protocol's messages alone.
#![allow(clippy::disallowed_methods)] // a client: its tasks end with it

mod answer;
mod answerers;
mod args;
mod entry;
mod entry_json;
mod entry_toml;
mod install;
mod problem;
mod program;
mod progress;
mod questions;
mod server;
mod tools;

use self::answerers::Answerers;
use self::install::{Install, Uninstall};
use self::problem::problem;
use self::questions::Questions;
use self::server::Server;
use self::tools::Agent;
use super::CliError;
use super::print;
use clap::{Args, Subcommand};
use hiloop_sdk::ClientBuilder;
use rmcp::ServiceExt as _;
use rmcp::service::ServerInitializeError;
use std::time::Duration;

/// How long a call of the hub may take, retries included. A tool replies within a minute.
const CALL: Duration = Duration::from_secs(20);

/// Without a command, it serves: programs start it so. Settings: HILOOP_API_KEY (required), HILOOP_BASE_URL,
/// HILOOP_AGENT_NAME, HILOOP_ANSWERERS, HILOOP_ENCRYPTION, HILOOP_SECRET_KEY, HILOOP_SPACE_KEY
#[derive(Args)]
pub(super) struct Mcp {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Write the server into the settings of a program
    Install(Install),
    /// Remove the server from the settings of a program
    Uninstall(Uninstall),
}

impl Mcp {
    pub(super) fn run(self) -> Result<(), CliError> {
        match self.command {
            Some(Command::Install(install)) => return install.run(),
            Some(Command::Uninstall(uninstall)) => return uninstall.run(),
            None => {}
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| CliError::Other(format!("cannot start: {error}")))?;
        let served = runtime.block_on(serve());
        // A read of standard input cannot be interrupted.
        runtime.shutdown_background();
        served
    }
}

/// Serves one client, until it closes standard input.
async fn serve() -> Result<(), CliError> {
    let client = ClientBuilder::from_env().timeout(CALL).on_retry(|line| print::problem(&format!("hiloop: {line}")));
    let client = client.build().map_err(|error| (error.to_string(), problem(&error)));
    let agent = client.and_then(|client| match Answerers::from_env() {
        Ok(answerers) => Ok(Agent { client, questions: Questions::default(), answerers }),
        Err(problem) => Err((problem.clone(), problem)),
    });
    let agent = agent.map_err(|(error, problem)| {
        print::problem(&format!("hiloop: {error}"));
        format!(
            "This server is not set up: {problem}. Set it in the environment of the server (HILOOP_API_KEY, \
             HILOOP_BASE_URL), and start it again."
        )
    });
    match Server::new(agent).serve(rmcp::transport::io::stdio()).await {
        Ok(running) => {
            let ended = running.waiting().await;
            ended.map(drop).map_err(|_| CliError::Other("the server ended with an internal error".to_owned()))
        }
        // Standard input ended before anything was asked.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
        // Without what was received, which may hold content.
        Err(ServerInitializeError::ExpectedInitializeRequest(_)) => {
            Err(CliError::Other("the client did not begin with a request".to_owned()))
        }
        Err(_) => Err(CliError::Other("the client could not be greeted".to_owned())),
    }
}
