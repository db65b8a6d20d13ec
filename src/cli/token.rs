//! `hiloop token`: prints an access token of a human, and nothing else.

use super::{CliError, print};
use crate::clock::SystemClock;
use crate::config::{DatabaseSettings, JwtSettings, Quotas};
use crate::domain::people::Human;
use crate::domain::text::normal_email;
use crate::server::Backend;
use crate::store::Store;
use clap::Args;
use std::sync::Arc;

#[derive(Args)]
pub(super) struct Token {
    /// E-mail address of the human
    #[arg(long)]
    email: String,
    /// Name of the human's space; required if several spaces have the address
    #[arg(long)]
    space: Option<String>,
    /// Lifetime of the token, in seconds
    #[arg(long, default_value_t = 3600, value_parser = clap::value_parser!(i64).range(1..=31_536_000))]
    ttl: i64,
    #[command(flatten)]
    database: DatabaseSettings,
    #[command(flatten)]
    jwt: JwtSettings,
}

impl Token {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let jwt = self.jwt.clone().check()?;
        let backend =
            Backend::open(&self.database.clone().check()?, &jwt, None, Quotas::default(), Arc::new(SystemClock))
                .await?;
        let human = self.human(&*backend.store).await?;
        let (token, _) = backend.accounts.access_token(&human, self.ttl)?;
        backend.store.close().await;
        print::line(&token)
    }

    async fn human(&self, store: &dyn Store) -> Result<Human, CliError> {
        let email = normal_email("--email", &self.email)?;
        let missing = |whose: &str| CliError::Other(format!("--email: there is no human '{}'{whose}", self.email));
        if let Some(name) = &self.space {
            let space = store.space_by_name(name).await?;
            let space = space.ok_or_else(|| CliError::Other(format!("--space: there is no space '{name}'")))?;
            let human = store.human_by_address(space.id, &email).await?;
            return human.ok_or_else(|| missing(&format!(" in the space '{name}'")));
        }
        let mut found = store.humans_by_address(&email, 2).await?;
        match (found.pop(), found.pop()) {
            (Some(_), Some(_)) => {
                let problem = format!("--space: '{}' is an address in several spaces; one must be given", self.email);
                Err(CliError::Other(problem))
            }
            (Some(human), None) => Ok(human),
            (None, _) => Err(missing("")),
        }
    }
}
