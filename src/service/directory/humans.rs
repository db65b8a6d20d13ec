//! Humans of a space, and the setup links with which they choose a password.

use super::{AuditTrail, as_json, create_human, hold_manager, id_of};
use crate::auth::Accounts;
use crate::auth::secret::SETUP_TOKEN;
use crate::context::Context;
use crate::domain::people::Role;
use crate::domain::principal::ManagerPrincipal;
use crate::domain::text::{check_name, normal_email};
use crate::domain::{AuditEvent, AuditSource, AuditTarget, AuditTargetType, HumanId, Refusal};
use crate::protocol::body::directory::{HumanDraft, MadeHuman, SetupLink};
use crate::service::Answer;
use crate::service::idempotency::{Begun, IdempotencyKey, with_secret};
use crate::store::{NewHuman, SecretHash, quotas};

/// Creates a human in a manager's space.
pub async fn create(
    app: &Context,
    manager: &ManagerPrincipal,
    source: AuditSource,
    key: &IdempotencyKey,
    digest: SecretHash,
    draft: HumanDraft,
) -> Result<Answer, Refusal> {
    let email = normal_email("email", &draft.email.ok_or_else(|| Refusal::required("email"))?)?;
    let name = draft.name.ok_or_else(|| Refusal::required("name"))?;
    check_name("name", &name)?;
    Accounts::check_first_password(draft.password.as_deref(), &email)?;
    // A retry gets the first reply. Any other request with an address in use is refused here, before the expensive hash.
    let is_taken = app.store.human_by_address(manager.space, &email).await?.is_some();
    let password = draft.password.filter(|_| !is_taken);
    // Hashed before the transaction begins, which blocks other changes.
    let password_hash = app.accounts.first_password(manager.space, password, &email).await?;
    let mut change = match key.begin(app, manager.credential, digest).await? {
        Begun::New(change) => change,
        Begun::Replay(made) => {
            let token = key.secret_of(app, manager, SETUP_TOKEN, id_of(&made));
            return Ok(with_secret(made, "setupUrl", &token).replay());
        }
    };
    hold_manager(&mut change, manager).await?;
    if is_taken {
        return Err(Accounts::address_taken());
    }
    let new = NewHuman {
        space: manager.space,
        email: &email,
        name: &name,
        role: draft.role.unwrap_or(Role::Member),
        password_hash: password_hash.as_deref(),
    };
    let token_of = |id: HumanId| key.secret_of(app, manager, SETUP_TOKEN, &id.to_string());
    let trail = AuditTrail::of(manager, source);
    let (human, token) = create_human(&app.accounts, &mut *change.tx, &trail, new, token_of, change.now).await?;
    quotas::check_humans(&app.config.quotas, &mut *change.tx, manager.space).await?;
    let setup_url = token.as_ref().map(|_| setup_url(app));
    let made = as_json(&MadeHuman { human, setup_url })?;
    change.keep(201, &made).await?;
    Ok(match token {
        Some(token) => with_secret(made, "setupUrl", &token),
        None => Answer::created(made.to_string()),
    })
}

/// Creates a setup link for a human of a manager's space. Earlier links become invalid.
pub async fn create_setup_link(
    app: &Context,
    manager: &ManagerPrincipal,
    source: AuditSource,
    key: &IdempotencyKey,
    digest: SecretHash,
    human: HumanId,
) -> Result<Answer, Refusal> {
    let token_of = |expires_at: &str| key.secret_of(app, manager, SETUP_TOKEN, &format!("{human} {expires_at}"));
    let mut change = match key.begin(app, manager.credential, digest).await? {
        Begun::New(change) => change,
        Begun::Replay(made) => {
            let token = token_of(made["expiresAt"].as_str().unwrap_or_default());
            return Ok(with_secret(made, "setupUrl", &token).replay());
        }
    };
    hold_manager(&mut change, manager).await?;
    let human = change.tx.human(manager.space, human).await?.ok_or(Refusal::NotFound("Human"))?;
    let expires_at = Accounts::setup_link_ends(change.now);
    let made = as_json(&SetupLink { setup_url: setup_url(app), expires_at })?;
    let token = token_of(made["expiresAt"].as_str().unwrap_or_default());
    app.accounts.renew_setup_link(&mut *change.tx, human.id, change.now, &token).await?;
    let target = AuditTarget::new(AuditTargetType::Human, human.id, human.name);
    let trail = AuditTrail::of(manager, source);
    trail.note(&mut *change.tx, AuditEvent::SetupLinkCreated, target, change.now).await?;
    change.keep(201, &made).await?;
    Ok(with_secret(made, "setupUrl", &token))
}

/// The URL of a setup link, which its token completes.
fn setup_url(app: &Context) -> String {
    format!("{}/#setup=", app.config.public_url.as_deref().unwrap_or_default())
}
