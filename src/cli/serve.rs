//! `hiloop serve`: starts the hub, and on an empty store creates the first key and human.

use super::{CliError, DEFAULT_SPACE};
use crate::auth::Secret;
use crate::auth::secret::SETUP_TOKEN;
use crate::config::Settings;
use crate::context::Context;
use crate::domain::people::Role;
use crate::domain::{Permission, Refusal};
use crate::server::{self, Server};
use crate::service::audit::AuditTrail;
use crate::service::directory::{DEFAULT_AGENT, create_human, ensure_space, keys, spaces};
use crate::store::NewHuman;
use std::io::Write as _;
use tokio::signal::unix::{SignalKind, signal};

/// The address of the first human, who signs in with it and the printed password.
const FIRST_EMAIL: &str = "owner@hiloop.local";

pub(super) async fn run(settings: Settings) -> Result<(), CliError> {
    let config = settings.check()?;
    let failed = |error: std::io::Error| CliError::Other(format!("cannot listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let server = server::start(config).await?;
    let first = first_secrets(&server.context).await?;
    // After that: an existing space `default` means that the store is not new.
    space_of_outside_issuer(&server.context).await?;
    announce(&server, first.as_ref());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("draining");
    server.stop().await;
    Ok(())
}

struct FirstSecrets {
    api_key: Secret,
    password: Secret,
}

/// On an empty store: the space `default`, an owner key, a human. They are shown once.
async fn first_secrets(context: &Context) -> Result<Option<FirstSecrets>, CliError> {
    let now = context.clock.now();
    // One transaction: a hub that is killed here must not leave a store without an owner key.
    let mut tx = context.store.begin_directory().await?;
    // An existing or deactivated space means that the store is not new.
    let found = ensure_space(&mut *tx, DEFAULT_SPACE, now, |space| AuditTrail::command_line(space.id)).await?;
    let Some((space, true)) = found else { return Ok(None) };
    let trail = AuditTrail::command_line(space.id);
    let made = keys::create_in(&mut *tx, &trail, Permission::Owner, DEFAULT_AGENT, now).await?;
    let (api_key, _) = made.ok_or(Refusal::Internal)?;
    let password = Secret::generate("");
    let first = Some(password.as_str()[..20].to_owned());
    let hash = context.accounts.first_password(space.id, first, FIRST_EMAIL).await?;
    let owner = NewHuman {
        space: space.id,
        email: FIRST_EMAIL,
        name: "Owner",
        role: Role::Admin,
        password_hash: hash.as_deref(),
    };
    create_human(&context.accounts, &mut *tx, &trail, owner, |_| Secret::generate(SETUP_TOKEN), now).await?;
    tx.commit(None).await?;
    Ok(Some(FirstSecrets { api_key, password }))
}

/// Creates the space that people of an outside issuer join: otherwise the first of them could not sign in.
async fn space_of_outside_issuer(context: &Context) -> Result<(), CliError> {
    let jwt = &context.config.jwt;
    if !jwt.has_external_issuer()
        || spaces::ensure(&*context.store, &jwt.jwt_space, context.clock.now()).await?.is_some()
    {
        return Ok(());
    }
    let problem = format!("HILOOP_JWT_SPACE: the space '{}' is deactivated", jwt.jwt_space);
    if jwt.jwks_url.is_none() && jwt.jwt_space == DEFAULT_SPACE {
        // The JWT secret may be the hub's own, and the space not configured on purpose.
        tracing::warn!("{problem}: tokens of an outside issuer can't create humans");
        return Ok(());
    }
    Err(CliError::Other(problem))
}

fn announce(server: &Server, first: Option<&FirstSecrets>) {
    let url = server.context.config.public_url.as_deref().unwrap_or_default();
    let mut out = std::io::stdout().lock();
    // A closed standard output is no reason to stop.
    let _ = writeln!(out, "hiloop {} listening on http://{}", env!("CARGO_PKG_VERSION"), server.address);
    if let Some(address) = server.metrics_address {
        let _ = writeln!(out, "metrics at http://{address}/metrics");
    }
    if let Some(first) = first {
        let _ = writeln!(out, "\nThis is a new store. These secrets are shown only now:\n");
        let _ = writeln!(out, "  chat      {url}/");
        let _ = writeln!(out, "  e-mail    {FIRST_EMAIL}");
        let _ = writeln!(out, "  password  {}", &first.password.as_str()[..20]);
        let _ = writeln!(out, "  API key   {}\n", first.api_key.as_str());
    } else {
        let _ = writeln!(out, "chat at {url}/");
    }
    let _ = out.flush();
}
