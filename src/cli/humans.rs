//! `hiloop humans create`: creates a human; without a password, prints a one-time setup link.

use super::{CliError, DEFAULT_SPACE, print, space_to_use};
use crate::auth::secret::{SETUP_TOKEN, Secret};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{DatabaseSettings, JwtSettings, Quotas};
use crate::domain::people::Role;
use crate::domain::text::{check_name, normal_email};
use crate::server::Backend;
use crate::service::audit::AuditTrail;
use crate::service::directory::create_human;
use crate::store::NewHuman;
use clap::{Args, Subcommand};
use std::io::{BufRead as _, Read as _};
use std::sync::Arc;

/// Longest line of standard input that may hold a password, in bytes.
const MAX_LINE: u64 = 4096;

#[derive(Subcommand)]
pub(super) enum Humans {
    /// Create a human who can sign in to the chat
    Create(Create),
}

#[derive(Args)]
pub(super) struct Create {
    /// E-mail address for signing in
    #[arg(long)]
    email: String,
    /// Display name
    #[arg(long)]
    name: String,
    /// Initial password; without one, a setup link is printed. Visible to other users of this machine
    #[arg(long)]
    password: Option<String>,
    /// Read the initial password from standard input
    #[arg(long, conflicts_with = "password")]
    password_stdin: bool,
    /// Member or Admin
    #[arg(long, default_value = "Member")]
    role: String,
    /// Space of the human
    #[arg(long, default_value = DEFAULT_SPACE)]
    space: String,
    /// Public URL of the hub, for the setup link
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
    /// The first password: of the flag, or the first line of standard input.
    fn password(&self) -> Result<Option<String>, CliError> {
        if !self.password_stdin {
            return Ok(self.password.clone());
        }
        let mut line = String::new();
        // Bounded, for input without a line break.
        let read = std::io::stdin().lock().take(MAX_LINE).read_line(&mut line);
        read.map_err(|error| CliError::Other(format!("--password-stdin: cannot read standard input: {error}")))?;
        let password = line.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            return Err(CliError::Other("--password-stdin: standard input is empty".to_owned()));
        }
        Ok(Some(password.to_owned()))
    }

    async fn run(self) -> Result<(), CliError> {
        let email = normal_email("--email", &self.email)?;
        check_name("--name", &self.name)?;
        let role = Role::parse(&self.role)
            .ok_or_else(|| CliError::Other(format!("--role: '{}' must be Member or Admin", self.role)))?;
        let password = self.password()?;
        let jwt = self.jwt.check()?;
        let backend =
            Backend::open(&self.database.check()?, &jwt, None, Quotas::default(), Arc::new(SystemClock)).await?;
        let space = if self.space == DEFAULT_SPACE {
            space_to_use(&*backend.store, DEFAULT_SPACE).await?
        } else {
            let space = backend.store.space_by_name(&self.space).await?;
            space.ok_or_else(|| CliError::Other(format!("--space: there is no space '{}'", self.space)))?
        };
        let hash = backend.accounts.first_password(space.id, password, &email).await?;
        let hash = hash.as_deref();
        let new = NewHuman { space: space.id, email: &email, name: &self.name, role, password_hash: hash };
        let mut tx = backend.store.begin_directory().await?;
        let (trail, now) = (AuditTrail::command_line(space.id), SystemClock.now());
        let token = |_| Secret::generate(SETUP_TOKEN);
        let (human, setup) = create_human(&backend.accounts, &mut *tx, &trail, new, token, now).await?;
        tx.commit(None).await?;
        backend.store.close().await;
        match setup {
            Some(token) => print::line(&format!("{}/#setup={}", self.public_url.trim_end_matches('/'), token.as_str())),
            None => print::line(&human.id.to_string()),
        }
    }
}
