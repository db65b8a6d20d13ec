//! `hiloop token`: prints an access token of a human, alone.

use super::{CliError, print};
use crate::app::rooms;
use crate::clock::SystemClock;
use crate::config::{DatabaseSettings, JwtSettings};
use clap::Args;
use std::sync::Arc;

#[derive(Args)]
pub(super) struct Token {
    /// E-mail address of the human
    #[arg(long)]
    email: String,
    /// How long it holds, in seconds
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(i64).range(1..=31_536_000))]
    ttl: i64,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    jwt: JwtSettings,
}

impl Token {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let jwt = self.jwt.check()?;
        let rooms = rooms(&self.database.check()?, &jwt, None, Arc::new(SystemClock)).await?;
        let human = rooms.store.human_by_email(&self.email.to_lowercase()).await?;
        let human = human.ok_or_else(|| CliError::Other(format!("--email: there is no human '{}'", self.email)))?;
        let (token, _) = rooms.accounts.access_token(&human, self.ttl)?;
        rooms.store.close().await;
        print::line(&token)
    }
}
