//! Setup links: how a human chooses a password who has none, or has lost it.

use super::App;
use super::audience::Manager;
use super::body::{Body, NoBody};
use super::creation::hold_manager;
use super::idempotency::{Begun, IdempotencyKey, with_secret};
use super::path::Id;
use super::reply::{self, Reply};
use crate::auth::Accounts;
use crate::auth::secret::SETUP_TOKEN;
use crate::domain::{AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType, HumanId, Refusal, Timestamp};
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// A one-time link; shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SetupLink {
    /// The token stands in its fragment.
    setup_url: String,
    expires_at: Timestamp,
}

/// Make a setup link for a human
///
/// A new one-time link with which they choose a password; the ones before it are void. When it is used, every sign-in of
/// the human ends.
#[utoipa::path(
    post, path = "/humans/{id}/setup-link", operation_id = "createSetupLink",
    request_body = NoBody,
    params(IdempotencyKey),
    responses((status = 201, description = "The link", body = SetupLink)),
)]
pub async fn create(
    Manager(manager): Manager,
    State(app): State<App>,
    Id(human): Id<HumanId>,
    source: AuditSource,
    key: IdempotencyKey,
    body: Body<serde::de::IgnoredAny>,
) -> Reply {
    let token_of = |expires_at: &str| key.secret_of(&app, &manager, SETUP_TOKEN, &format!("{human} {expires_at}"));
    let mut making = match key.begin(&app, manager.credential, body.digest).await? {
        Begun::Now(making) => making,
        Begun::Before(made) => {
            let token = token_of(made["expiresAt"].as_str().unwrap_or_default());
            return Ok(reply::replayed(with_secret(made, "setupUrl", &token)?));
        }
    };
    hold_manager(&mut making, &manager).await?;
    let human = making.tx.human(manager.space, human).await?.ok_or(Refusal::NotFound("Human"))?;
    let expires_at = Accounts::setup_link_ends(making.now);
    let base = app.config.public_url.as_deref().unwrap_or_default();
    let made = SetupLink { setup_url: format!("{base}/#setup="), expires_at };
    let made = serde_json::to_value(made).map_err(|_| Refusal::Internal)?;
    let token = token_of(made["expiresAt"].as_str().unwrap_or_default());
    app.accounts.renew_setup_link(&mut *making.tx, human.id, making.now, &token).await?;
    let target = AuditTarget::new(AuditTargetType::Human, human.id, human.name);
    let entry = AuditEntry::new(AuditEvent::SetupLinkCreated, Some(manager.space), &source, making.now);
    making.tx.audit(entry.by(manager.author()).on(target)).await?;
    making.keep(axum::http::StatusCode::CREATED, &made).await?;
    with_secret(made, "setupUrl", &token)
}
