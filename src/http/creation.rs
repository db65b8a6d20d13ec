//! Making keys, agents, humans and spaces, once for each `Idempotency-Key`; and provisioning.

use super::App;
use super::audience::{Manager, Owner};
use super::body::Body;
use super::idempotency::{Begun, IdempotencyKey, with_secret};
use super::reply::{self, Reply};
use crate::auth::secret::{API_KEY, SETUP_TOKEN, api_key, key_prefix};
use crate::auth::{Accounts, NewHuman, Provisioner};
use crate::domain::people::Agent;
use crate::domain::text::{check_name, check_text, is_agent_name, normal_email};
use crate::domain::{AgentId, KeyId, Permission, Refusal, SpaceId, Timestamp};
use crate::store::DirectoryTx;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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

pub async fn key(
    Manager(manager): Manager,
    State(app): State<App>,
    key: IdempotencyKey,
    body: Body<KeyDraft>,
) -> Reply {
    let draft = body.value;
    let text = draft.permission.ok_or_else(|| Refusal::required("permission"))?;
    let permission = Permission::parse(&text)
        .ok_or_else(|| Refusal::invalid("permission", "must be one of provision, agent, space, manage, owner"))?;
    if permission > manager.permission {
        return Err(Refusal::Forbidden("Nobody creates a key above their own permission".to_owned()).into());
    }
    let lifetime = draft.expires_in_seconds;
    if lifetime.is_some_and(|seconds| !(1..=MAX_KEY_SECONDS).contains(&seconds)) {
        let problem = format!("must be from 1 to {MAX_KEY_SECONDS}");
        return Err(Refusal::invalid("expiresInSeconds", &problem).into());
    }
    let mut making = match key.begin(&app, manager.key, body.digest).await? {
        Begun::Now(making) => making,
        Begun::Before(made) => {
            let secret = key.secret(key_prefix(permission), id_of(&made));
            return Ok(reply::replayed(with_secret(made, "apiKey", &secret)?));
        }
    };
    let agent = match permission {
        Permission::Provision => None,
        _ => {
            let wanted = draft.agent.as_deref().unwrap_or(DEFAULT_AGENT);
            Some(agent_for_key(&mut *making.tx, manager.space, wanted, making.now).await?.id)
        }
    };
    let id = KeyId::new();
    let secret = key.secret(key_prefix(permission), &id.to_string());
    let expires_at = lifetime.map(|seconds| making.now.plus_seconds(seconds));
    let new = api_key(id, &secret, manager.space, permission, agent, expires_at);
    let made = making.tx.create_key(&new, making.now).await?;
    let body = json!({
        "id": made.id,
        "apiKey": "",
        "permission": made.permission,
        "agentId": made.agent_id,
        "prefix": made.prefix,
        "expiresAt": made.expires_at,
        "createdAt": made.created_at,
    });
    making.keep(&body).await?;
    with_secret(body, "apiKey", &secret)
}

/// The id of what a kept reply tells of.
fn id_of(made: &Value) -> &str {
    made["id"].as_str().unwrap_or_default()
}

/// Finds the agent `wanted` (a name or an id) of a space; one with a new name is created.
async fn agent_for_key(
    tx: &mut dyn DirectoryTx,
    space: SpaceId,
    wanted: &str,
    now: Timestamp,
) -> Result<Agent, Refusal> {
    if let Ok(id) = wanted.parse::<AgentId>() {
        return tx.agent(space, id).await?.ok_or(Refusal::NotFound("Agent"));
    }
    check_agent_name("agent", wanted)?;
    Ok(tx.ensure_agent(space, wanted, None, now).await?.ok_or(Refusal::NotFound("Agent"))?.0)
}

fn check_agent_name(field: &str, name: &str) -> Result<(), Refusal> {
    if is_agent_name(name) {
        return Ok(());
    }
    Err(Refusal::invalid(field, "must be 1 to 64 of letters, digits, '.', '_' and '-'"))
}

/// An agent to create, checked.
struct NewAgent {
    name: String,
    description: Option<String>,
}

impl AgentDraft {
    fn check(self) -> Result<NewAgent, Refusal> {
        let name = self.name.ok_or_else(|| Refusal::required("name"))?;
        check_agent_name("name", &name)?;
        if let Some(description) = &self.description {
            check_text("description", description, MAX_DESCRIPTION)?;
        }
        Ok(NewAgent { name, description: self.description })
    }
}

impl NewAgent {
    async fn create(self, tx: &mut dyn DirectoryTx, space: SpaceId, now: Timestamp) -> Result<Agent, Refusal> {
        match tx.ensure_agent(space, &self.name, self.description.as_deref(), now).await? {
            Some((agent, true)) => Ok(agent),
            _ => Err(Refusal::Conflict("Field 'name' names an agent that exists".to_owned())),
        }
    }
}

pub async fn agent(
    Manager(manager): Manager,
    State(app): State<App>,
    key: IdempotencyKey,
    body: Body<AgentDraft>,
) -> Reply {
    let new = body.value.check()?;
    match key.begin(&app, manager.key, body.digest).await? {
        Begun::Before(made) => Ok(reply::replayed(reply::created(&made)?)),
        Begun::Now(mut making) => {
            let made = as_json(&new.create(&mut *making.tx, manager.space, making.now).await?)?;
            making.keep(&made).await?;
            reply::created(&made)
        }
    }
}

pub async fn human(
    Manager(manager): Manager,
    State(app): State<App>,
    key: IdempotencyKey,
    body: Body<HumanDraft>,
) -> Reply {
    let draft = body.value;
    let email = normal_email("email", &draft.email.ok_or_else(|| Refusal::required("email"))?)?;
    let name = draft.name.ok_or_else(|| Refusal::required("name"))?;
    check_name("name", &name)?;
    // Hashing takes long: not while the transaction holds others up.
    let password_hash = Accounts::first_password(draft.password).await?;
    let mut making = match key.begin(&app, manager.key, body.digest).await? {
        Begun::Now(making) => making,
        Begun::Before(made) => {
            let token = key.secret(SETUP_TOKEN, id_of(&made));
            return Ok(reply::replayed(with_secret(made, "setupUrl", &token)?));
        }
    };
    let new = NewHuman { space: manager.space, email: &email, name: &name, password_hash: password_hash.as_deref() };
    let token_of = |id: crate::domain::HumanId| key.secret(SETUP_TOKEN, &id.to_string());
    let (human, token) = app.accounts.create_in(&mut *making.tx, new, token_of).await?;
    let base = app.config.public_url.as_deref().unwrap_or_default();
    let mut made = as_json(&human)?;
    made["setupUrl"] = token.as_ref().map(|_| format!("{base}/#setup=")).into();
    making.keep(&made).await?;
    match token {
        Some(token) => with_secret(made, "setupUrl", &token),
        None => reply::created(&made),
    }
}

pub async fn space(Owner(owner): Owner, State(app): State<App>, key: IdempotencyKey, body: Body<SpaceDraft>) -> Reply {
    let name = body.value.name.ok_or_else(|| Refusal::required("name"))?;
    check_name("name", &name)?;
    let mut making = match key.begin(&app, owner.key, body.digest).await? {
        Begun::Now(making) => making,
        Begun::Before(made) => {
            let secret = key.secret(API_KEY, id_of(&made));
            return Ok(reply::replayed(with_secret(made, "apiKey", &secret)?));
        }
    };
    let Some((space, true)) = making.tx.ensure_space(&name, making.now).await? else {
        return Err(Refusal::Conflict("Field 'name' names a space that exists or has existed".to_owned()).into());
    };
    // Without a key nobody could manage the new space.
    let agent = making.tx.ensure_agent(space.id, DEFAULT_AGENT, None, making.now).await?;
    let secret = key.secret(API_KEY, &space.id.to_string());
    let agent = agent.map(|(agent, _)| agent.id);
    let new = api_key(KeyId::new(), &secret, space.id, Permission::Manage, agent, None);
    making.tx.create_key(&new, making.now).await?;
    let mut made = as_json(&space)?;
    made["apiKey"] = "".into();
    making.keep(&made).await?;
    with_secret(made, "apiKey", &secret)
}

/// Makes an agent with a key of its own.
pub async fn provision(
    provisioner: Provisioner,
    State(app): State<App>,
    key: IdempotencyKey,
    body: Body<AgentDraft>,
) -> Reply {
    let new = body.value.check()?;
    let mut making = match key.begin(&app, provisioner.key, body.digest).await? {
        Begun::Now(making) => making,
        Begun::Before(made) => {
            let secret = key.secret(API_KEY, id_of(&made["agent"]));
            return Ok(reply::replayed(with_secret(made, "apiKey", &secret)?));
        }
    };
    let agent = new.create(&mut *making.tx, provisioner.space, making.now).await?;
    let secret = key.secret(API_KEY, &agent.id.to_string());
    let new = api_key(KeyId::new(), &secret, provisioner.space, Permission::Agent, Some(agent.id), None);
    making.tx.create_key(&new, making.now).await?;
    let made = json!({ "agent": agent, "apiKey": "" });
    making.keep(&made).await?;
    with_secret(made, "apiKey", &secret)
}

fn as_json(made: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(made).map_err(|_| Refusal::Internal)
}
