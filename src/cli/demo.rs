//! `hiloop demo`: a scripted agent that talks to whoever opens the chat.

use super::CliError;
use clap::Args;

#[derive(Args)]
pub(super) struct Demo {}

impl Demo {
    pub(super) async fn run(self) -> Result<(), CliError> {
        Err(CliError::Other("not yet".to_owned()))
    }
}
