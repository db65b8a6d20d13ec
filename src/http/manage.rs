//! Managing a space: keys, agents, humans; spaces themselves; and provisioning.

use super::App;
use super::audience::{Manager, Owner};
use super::body::Body;
use super::idempotency::IdempotencyKey;
use super::path::Id;
use super::query::Query;
use super::reply::{self, Reply};
use crate::auth::Provisioner;
use crate::auth::secret::new_api_key;
use crate::domain::people::Agent;
use crate::domain::text::{check_name, check_text, is_agent_name, normal_email};
use crate::domain::{AgentId, HumanId, KeyId, Permission, Refusal, SpaceId};
use axum::extract::State;
use serde::Deserialize;
use serde_json::json;

/// The agent that a key acts as when none is named.
pub const DEFAULT_AGENT: &str = "default";
const MAX_DESCRIPTION: usize = 500;
const MAX_KEY_SECONDS: i64 = 10 * 365 * 24 * 60 * 60;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyDraft {
    permission: Option<String>,
    agent: Option<String>,
    expires_in_seconds: Option<i64>,
}

#[derive(Deserialize)]
pub struct AgentDraft {
    name: Option<String>,
    description: Option<String>,
}

#[derive(Deserialize)]
pub struct HumanDraft {
    email: Option<String>,
    name: Option<String>,
    password: Option<String>,
}

#[derive(Deserialize)]
pub struct SpaceDraft {
    name: Option<String>,
}

/// Finds the agent `wanted` (a name or an id) of a space; one with a new name is created.
async fn agent_for_key(app: &App, space: SpaceId, wanted: &str) -> Result<Agent, Refusal> {
    if let Ok(id) = wanted.parse::<AgentId>() {
        return app.store.agent(space, id).await?.ok_or(Refusal::NotFound("Agent"));
    }
    check_agent_name("agent", wanted)?;
    let made = app.store.ensure_agent(space, wanted, None, app.clock.now()).await?;
    Ok(made.ok_or(Refusal::NotFound("Agent"))?.0)
}

fn check_agent_name(field: &str, name: &str) -> Result<(), Refusal> {
    if is_agent_name(name) {
        return Ok(());
    }
    Err(Refusal::invalid(field, "must be 1 to 64 of letters, digits, '.', '_' and '-'"))
}

pub async fn create_key(
    Manager(manager): Manager,
    State(app): State<App>,
    _: IdempotencyKey,
    body: Body<KeyDraft>,
) -> Reply {
    let draft = body.value;
    let text = draft.permission.ok_or_else(|| Refusal::required("permission"))?;
    let permission = Permission::parse(&text)
        .ok_or_else(|| Refusal::invalid("permission", "must be one of provision, agent, space, manage, owner"))?;
    if permission > manager.permission {
        return Err(Refusal::Forbidden("Nobody creates a key above their own permission".to_owned()).into());
    }
    let now = app.clock.now();
    let expires_at = match draft.expires_in_seconds {
        None => None,
        Some(seconds) if (1..=MAX_KEY_SECONDS).contains(&seconds) => Some(now.plus_seconds(seconds)),
        Some(_) => {
            let problem = format!("must be from 1 to {MAX_KEY_SECONDS}");
            return Err(Refusal::invalid("expiresInSeconds", &problem).into());
        }
    };
    let agent = match permission {
        Permission::Provision => None,
        _ => {
            let wanted = draft.agent.as_deref().unwrap_or(DEFAULT_AGENT);
            Some(agent_for_key(&app, manager.space, wanted).await?.id)
        }
    };
    let (secret, new) = new_api_key(manager.space, permission, agent, expires_at);
    let key = app.store.create_key(&new, now).await?;
    reply::created(&json!({
        "id": key.id,
        "apiKey": secret.as_str(),
        "permission": key.permission,
        "agentId": key.agent_id,
        "prefix": key.prefix,
        "expiresAt": key.expires_at,
        "createdAt": key.created_at,
    }))
}

pub async fn keys(Manager(manager): Manager, State(app): State<App>, query: Query) -> Reply {
    reply::ok(&app.store.keys(manager.space, query.page()?).await?)
}

pub async fn revoke_key(Manager(manager): Manager, State(app): State<App>, Id(id): Id<KeyId>) -> Reply {
    if !app.store.revoke_key(manager.space, id, app.clock.now()).await? {
        return Err(Refusal::NotFound("Key").into());
    }
    app.revoke(id.0);
    reply::no_content()
}

pub async fn create_agent(
    Manager(manager): Manager,
    State(app): State<App>,
    _: IdempotencyKey,
    body: Body<AgentDraft>,
) -> Reply {
    let (name, description) = checked_agent(body.value)?;
    let made = app.store.ensure_agent(manager.space, &name, description.as_deref(), app.clock.now()).await?;
    match made {
        Some((agent, true)) => reply::created(&agent),
        _ => Err(Refusal::Conflict("Field 'name' names an agent that exists".to_owned()).into()),
    }
}

fn checked_agent(draft: AgentDraft) -> Result<(String, Option<String>), Refusal> {
    let name = draft.name.ok_or_else(|| Refusal::required("name"))?;
    check_agent_name("name", &name)?;
    if let Some(description) = &draft.description {
        check_text("description", description, MAX_DESCRIPTION)?;
    }
    Ok((name, draft.description))
}

pub async fn agents(Manager(manager): Manager, State(app): State<App>, query: Query) -> Reply {
    reply::ok(&app.store.agents(manager.space, query.page()?).await?)
}

pub async fn deactivate_agent(Manager(manager): Manager, State(app): State<App>, Id(id): Id<AgentId>) -> Reply {
    if !app.store.deactivate_agent(manager.space, id, app.clock.now()).await? {
        return Err(Refusal::NotFound("Agent").into());
    }
    app.revoke(id.0);
    reply::no_content()
}

pub async fn create_human(
    Manager(manager): Manager,
    State(app): State<App>,
    _: IdempotencyKey,
    body: Body<HumanDraft>,
) -> Reply {
    let draft = body.value;
    let email = normal_email("email", &draft.email.ok_or_else(|| Refusal::required("email"))?)?;
    let name = draft.name.ok_or_else(|| Refusal::required("name"))?;
    check_name("name", &name)?;
    let (human, setup) = app.accounts.create(manager.space, &email, &name, draft.password).await?;
    let base = app.config.public_url.as_deref().unwrap_or_default();
    let mut body = serde_json::to_value(&human).map_err(|_| Refusal::Internal)?;
    body["setupUrl"] = setup.map(|token| format!("{base}/#setup={}", token.as_str())).into();
    reply::created(&body)
}

pub async fn humans(Manager(manager): Manager, State(app): State<App>, query: Query) -> Reply {
    reply::ok(&app.store.humans(manager.space, query.page()?).await?)
}

pub async fn deactivate_human(Manager(manager): Manager, State(app): State<App>, Id(id): Id<HumanId>) -> Reply {
    if !app.store.deactivate_human(manager.space, id, app.clock.now()).await? {
        return Err(Refusal::NotFound("Human").into());
    }
    app.revoke(id.0);
    reply::no_content()
}

pub async fn create_space(_: Owner, State(app): State<App>, _: IdempotencyKey, body: Body<SpaceDraft>) -> Reply {
    let name = body.value.name.ok_or_else(|| Refusal::required("name"))?;
    check_name("name", &name)?;
    let Some((space, true)) = app.store.ensure_space(&name, app.clock.now()).await? else {
        return Err(Refusal::Conflict("Field 'name' names a space that exists or has existed".to_owned()).into());
    };
    // Without a key nobody could manage the new space.
    let agent = app.store.ensure_agent(space.id, DEFAULT_AGENT, None, app.clock.now()).await?;
    let (secret, new) = new_api_key(space.id, Permission::Manage, agent.map(|(agent, _)| agent.id), None);
    app.store.create_key(&new, app.clock.now()).await?;
    let mut body = serde_json::to_value(&space).map_err(|_| Refusal::Internal)?;
    body["apiKey"] = secret.as_str().into();
    reply::created(&body)
}

pub async fn spaces(_: Owner, State(app): State<App>, query: Query) -> Reply {
    reply::ok(&app.store.spaces(query.page()?).await?)
}

pub async fn deactivate_space(Owner(owner): Owner, State(app): State<App>, Id(id): Id<SpaceId>) -> Reply {
    if id == owner.space {
        return Err(Refusal::Conflict("The space of the key itself can't be deactivated".to_owned()).into());
    }
    let homeless = app.store.deactivate_space(id, app.clock.now()).await?.ok_or(Refusal::NotFound("Space"))?;
    app.revoke(id.0);
    homeless.into_iter().for_each(|human| app.revoke(human.0));
    reply::no_content()
}

/// Makes an agent with a key of its own.
pub async fn provision(
    provisioner: Provisioner,
    State(app): State<App>,
    _: IdempotencyKey,
    body: Body<AgentDraft>,
) -> Reply {
    let (name, description) = checked_agent(body.value)?;
    let now = app.clock.now();
    let made = app.store.ensure_agent(provisioner.space, &name, description.as_deref(), now).await?;
    let Some((agent, true)) = made else {
        return Err(Refusal::Conflict("Field 'name' names an agent that exists".to_owned()).into());
    };
    let (secret, new) = new_api_key(provisioner.space, Permission::Agent, Some(agent.id), None);
    app.store.create_key(&new, now).await?;
    reply::created(&json!({ "agent": agent, "apiKey": secret.as_str() }))
}
