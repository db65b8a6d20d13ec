//! `hiloop humans create`: makes a human; without a password, prints a one-time setup link.

use super::{CliError, DEFAULT_SPACE, print, space_to_use};
use crate::app::rooms;
use crate::clock::SystemClock;
use crate::config::{DatabaseSettings, JwtSettings};
use crate::domain::text::{check_name, normal_email};
use clap::{Args, Subcommand};
use std::sync::Arc;

#[derive(Subcommand)]
pub(super) enum Humans {
    /// Make a human who can sign in to the chat
    Create(Create),
}

#[derive(Args)]
pub(super) struct Create {
    /// E-mail address, with which they sign in
    #[arg(long)]
    email: String,
    /// Name that others see
    #[arg(long)]
    name: String,
    /// First password; without one a link is printed with which they choose it
    #[arg(long)]
    password: Option<String>,
    /// Space that they become a member of
    #[arg(long, default_value = DEFAULT_SPACE)]
    space: String,
    /// The URL under which people reach the hub, for the link
    #[arg(long, env = "HILOOP_PUBLIC_URL", default_value = "http://127.0.0.1:8080")]
    public_url: String,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    jwt: JwtSettings,
}

impl Humans {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let Self::Create(create) = self;
        create.run().await
    }
}

impl Create {
    async fn run(self) -> Result<(), CliError> {
        let email = normal_email("--email", &self.email)?;
        check_name("--name", &self.name)?;
        let jwt = self.jwt.check()?;
        let rooms = rooms(&self.database.check()?, &jwt, None, Arc::new(SystemClock)).await?;
        let space = if self.space == DEFAULT_SPACE {
            space_to_use(&*rooms.store, DEFAULT_SPACE).await?.0
        } else {
            let space = rooms.store.space_by_name(&self.space).await?;
            space.ok_or_else(|| CliError::Other(format!("--space: there is no space '{}'", self.space)))?
        };
        let (human, setup) = rooms.accounts.create(space.id, &email, &self.name, self.password).await?;
        rooms.store.close().await;
        match setup {
            Some(token) => print::line(&format!("{}/#setup={}", self.public_url.trim_end_matches('/'), token.as_str())),
            None => print::line(&human.id.to_string()),
        }
    }
}
