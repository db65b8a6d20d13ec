//! `hiloop keys create`: creates an API key and prints nothing but the key.

use super::{CliError, DEFAULT_SPACE, print, space_to_use};
use crate::clock::{Clock as _, SystemClock};
use crate::config::DatabaseSettings;
use crate::domain::Permission;
use crate::domain::text::{check_name, is_agent_name};
use crate::service::audit::AuditTrail;
use crate::service::directory::{DEFAULT_AGENT, keys};
use crate::store::open::open;
use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(super) enum Keys {
    /// Create a key and print it; it can't be shown again
    Create(Create),
}

#[derive(Args)]
pub(super) struct Create {
    /// Space of the key; created if it does not exist
    #[arg(long, default_value = DEFAULT_SPACE)]
    space: String,
    /// Permission: agent, space, manage, owner or provision
    #[arg(long, default_value = "agent")]
    permission: String,
    /// Agent that the key acts as; created if it does not exist
    #[arg(long)]
    agent: Option<String>,
    #[command(flatten)]
    database: DatabaseSettings,
}

impl Keys {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let Self::Create(create) = self;
        create.run().await
    }
}

impl Create {
    async fn run(self) -> Result<(), CliError> {
        let permission = Permission::parse(&self.permission).ok_or_else(|| {
            CliError::Other(format!(
                "--permission: '{}' must be agent, space, manage, owner or provision",
                self.permission
            ))
        })?;
        let agent_name = self.agent.as_deref().unwrap_or(DEFAULT_AGENT);
        if !is_agent_name(agent_name) {
            return Err(CliError::Other("--agent: must be 1 to 64 of letters, digits, '.', '_' and '-'".to_owned()));
        }
        let store = open(&self.database.check()?).await?;
        let now = SystemClock.now();
        check_name("--space", &self.space)?;
        let space = space_to_use(&*store, &self.space).await?;
        let mut tx = store.begin_directory().await?;
        let trail = AuditTrail::command_line(space.id);
        let made = keys::create_in(&mut *tx, &trail, permission, agent_name, now).await?;
        let (secret, _) = made.ok_or_else(|| CliError::Other(format!("--agent: '{agent_name}' is deactivated")))?;
        tx.commit(None).await?;
        store.close().await;
        print::line(secret.as_str())
    }
}
