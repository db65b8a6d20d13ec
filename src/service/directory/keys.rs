//! API keys.

use super::{AuditTrail, DEFAULT_AGENT, as_json, create_key, ensure_agent, hold_manager, id_of};
use crate::auth::Secret;
use crate::auth::secret::{api_key, key_prefix, new_api_key};
use crate::context::Context;
use crate::domain::people::{Agent, ApiKey};
use crate::domain::principal::ManagerPrincipal;
use crate::domain::{AgentId, AuditSource, KeyId, Permission, Refusal, Timestamp};
use crate::protocol::body::directory::{KeyDraft, MadeKey, check_agent_name};
use crate::protocol::page::{Page, PageRequest};
use crate::service::Answer;
use crate::service::idempotency::{Begun, DirectoryChange, IdempotencyKey, with_secret};
use crate::store::{DirectoryTx, SecretHash, StoreResult, quotas};

/// Creates a key in a manager's space, for an agent that is created where its name is new.
pub async fn create(
    app: &Context,
    manager: &ManagerPrincipal,
    source: AuditSource,
    key: &IdempotencyKey,
    digest: SecretHash,
    draft: KeyDraft,
) -> Result<Answer, Refusal> {
    let permission = draft.permission()?;
    if permission > manager.permission {
        return Err(Refusal::Forbidden(
            "The permission of a new key must not be higher than the caller's own".to_owned(),
        ));
    }
    let lifetime = draft.lifetime()?;
    let mut change = match key.begin(app, manager.credential, digest).await? {
        Begun::New(change) => change,
        Begun::Replay(made) => {
            let secret = key.secret_of(app, manager, key_prefix(permission), id_of(&made));
            return Ok(with_secret(made, "apiKey", &secret).replay());
        }
    };
    hold_manager(&mut change, manager).await?;
    let trail = AuditTrail::of(manager, source);
    let agent = match permission {
        Permission::Provision => None,
        _ => {
            let wanted = draft.agent.as_deref().unwrap_or(DEFAULT_AGENT);
            Some(agent_of_key(app, &mut change, &trail, wanted).await?.id)
        }
    };
    let id = KeyId::new();
    let secret = key.secret_of(app, manager, key_prefix(permission), &id.to_string());
    let expires_at = lifetime.map(|seconds| change.now.plus_seconds(seconds));
    let new = api_key(id, &secret, manager.space, permission, agent, expires_at).made_by(manager.author());
    let made = create_key(&mut *change.tx, &trail, &new, change.now).await?;
    let body = as_json(&MadeKey { api_key: String::new(), key: made })?;
    change.keep(201, &body).await?;
    Ok(with_secret(body, "apiKey", &secret))
}

/// Creates a key in a transaction, without an end, for the agent of a name, which is created where it is new; a key that
/// provisions agents has none. `None` if the agent is deactivated.
pub async fn create_in(
    tx: &mut dyn DirectoryTx,
    trail: &AuditTrail,
    permission: Permission,
    agent: &str,
    now: Timestamp,
) -> StoreResult<Option<(Secret, KeyId)>> {
    let agent = match permission {
        Permission::Provision => None,
        _ => match ensure_agent(tx, trail, agent, None, now).await? {
            Some((agent, _)) => Some(agent.id),
            None => return Ok(None),
        },
    };
    let (secret, new) = new_api_key(trail.space, permission, agent, None);
    let key = create_key(tx, trail, &new.made_by(trail.author.clone()), now).await?;
    Ok(Some((secret, key.id)))
}

/// The agent `wanted` (a name or an id) of the space; one with a new name is created.
async fn agent_of_key(
    app: &Context,
    change: &mut DirectoryChange,
    trail: &AuditTrail,
    wanted: &str,
) -> Result<Agent, Refusal> {
    if let Ok(id) = wanted.parse::<AgentId>() {
        return change.tx.agent(trail.space, id).await?.ok_or(Refusal::NotFound("Agent"));
    }
    check_agent_name("agent", wanted)?;
    let found = ensure_agent(&mut *change.tx, trail, wanted, None, change.now).await?;
    let (agent, is_new) = found.ok_or(Refusal::NotFound("Agent"))?;
    if is_new {
        quotas::check_agents(&app.config.quotas, &mut *change.tx, trail.space).await?;
    }
    Ok(agent)
}

/// A page of the keys of a manager's space, without their secrets.
pub async fn list(app: &Context, manager: &ManagerPrincipal, page: PageRequest) -> Result<Page<ApiKey>, Refusal> {
    app.authenticator.show_uses().await;
    Ok(app.store.keys(manager.space, page).await?)
}
