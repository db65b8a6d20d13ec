//! Making keys, agents, humans and spaces, once for each `Idempotency-Key`; and provisioning.

use super::App;
use super::audience::{Manager, Owner};
use super::body::Body;
use super::idempotency::{Begun, IdempotencyKey, Making, with_secret};
use super::reply::{self, Reply};
use crate::auth::secret::{API_KEY, SETUP_TOKEN, api_key, key_prefix};
use crate::auth::{Accounts, Provisioner};
use crate::domain::people::{Agent, ApiKey, Human, Role, Space};
use crate::domain::principal::ManagerPrincipal;
use crate::domain::text::{check_name, check_text, is_agent_name, normal_email};
use crate::domain::{
    AgentId, AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType, Author, HumanId, KeyId, Permission,
    Refusal, SpaceId, Timestamp,
};
use crate::limits::directory;
use crate::store::{DirectoryTx, NewHuman, NewKey};
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The agent that a key acts as when none is named.
pub const DEFAULT_AGENT: &str = "default";
const MAX_DESCRIPTION: usize = 500;
const MAX_KEY_SECONDS: i64 = 10 * 365 * 24 * 60 * 60;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({ "permission": "agent", "agent": "deployer" })))]
pub struct KeyDraft {
    #[schema(value_type = Permission)]
    permission: Option<String>,
    /// Name or id of the agent that the key acts as; one with a new name is created. `default` unless given.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    agent: Option<String>,
    /// Without an end unless given.
    #[schema(minimum = 1, maximum = 315360000)]
    expires_in_seconds: Option<i64>,
}

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "name": "deployer" })))]
pub struct AgentDraft {
    #[schema(value_type = String, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    name: Option<String>,
    #[schema(max_length = 500, pattern = "PLAIN_TEXT")]
    description: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "email": "ada@example.org", "name": "Ada" })))]
pub struct HumanDraft {
    #[schema(value_type = String, format = Email, max_length = 254)]
    email: Option<String>,
    #[schema(value_type = String, max_length = 64, pattern = "PLAIN_NAME")]
    name: Option<String>,
    /// `Member` unless given.
    role: Option<Role>,
    #[schema(format = Password, min_length = 8, max_length = 256)]
    password: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "name": "Research" })))]
pub struct SpaceDraft {
    #[schema(value_type = String, max_length = 64, pattern = "PLAIN_NAME")]
    name: Option<String>,
}

/// A new key; `apiKey` is shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MadeKey {
    /// `hlp_` (or `hlp_prov_`) and 64 hex digits.
    api_key: String,
    #[serde(flatten)]
    key: ApiKey,
}

/// A human who was created.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MadeHuman {
    #[serde(flatten)]
    human: Human,
    /// Where a new human without a password chooses one, once.
    #[schema(required = true)]
    setup_url: Option<String>,
}

/// A new space; `apiKey` is a key with `manage`, shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MadeSpace {
    #[serde(flatten)]
    space: Space,
    /// Null where the space was there already.
    #[schema(required = true)]
    api_key: Option<String>,
}

/// A new agent; `apiKey` is shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Provisioned {
    agent: Agent,
    api_key: String,
}

/// Create an API key
///
/// Nobody creates one above their own permission (403). The key is shown here and never again.
#[utoipa::path(
    post, path = "/keys", operation_id = "createKey",
    request_body = KeyDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The key", body = MadeKey)),
)]
pub async fn key(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
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
    let mut making = match key.begin(&app, manager.credential, body.digest).await? {
        Begun::Now(making) => making,
        Begun::Before(made) => {
            let secret = key.secret_of(&app, &manager, key_prefix(permission), id_of(&made));
            return Ok(reply::replayed(with_secret(made, "apiKey", &secret)?));
        }
    };
    hold_manager(&mut making, &manager).await?;
    let log = AuditTrail { space: manager.space, author: manager.author(), source };
    let agent = match permission {
        Permission::Provision => None,
        _ => {
            let wanted = draft.agent.as_deref().unwrap_or(DEFAULT_AGENT);
            Some(agent_for_key(&app, &mut making, &log, wanted).await?.id)
        }
    };
    let id = KeyId::new();
    let secret = key.secret_of(&app, &manager, key_prefix(permission), &id.to_string());
    let expires_at = lifetime.map(|seconds| making.now.plus_seconds(seconds));
    let new = api_key(id, &secret, manager.space, permission, agent, expires_at).made_by(manager.author());
    let made = making.tx.create_key(&new, making.now).await?;
    log.note_key(&mut making, &made).await?;
    let body = as_json(&MadeKey { api_key: String::new(), key: made })?;
    making.keep(StatusCode::CREATED, &body).await?;
    with_secret(body, "apiKey", &secret)
}

/// The id of what a kept reply tells of.
fn id_of(made: &Value) -> &str {
    made["id"].as_str().unwrap_or_default()
}

/// Finds the agent `wanted` (a name or an id) of a space; one with a new name is created.
async fn agent_for_key(app: &App, making: &mut Making, log: &AuditTrail, wanted: &str) -> Result<Agent, Refusal> {
    if let Ok(id) = wanted.parse::<AgentId>() {
        return making.tx.agent(log.space, id).await?.ok_or(Refusal::NotFound("Agent"));
    }
    check_agent_name("agent", wanted)?;
    let found = making.tx.ensure_agent(log.space, wanted, None, making.now).await?;
    let (agent, is_new) = found.ok_or(Refusal::NotFound("Agent"))?;
    if is_new {
        directory::check_agents(&app.config.quotas, &mut *making.tx, log.space).await?;
        log.note_agent(making, &agent).await?;
    }
    Ok(agent)
}

/// As [`hold_key`] for a manager, who may be a human: one who is no longer an admin makes nothing.
pub(super) async fn hold_manager(making: &mut Making, manager: &ManagerPrincipal) -> Result<(), Refusal> {
    if let Some(key) = manager.key {
        return hold_key(making, key).await;
    }
    let human = making.tx.human(manager.space, HumanId(manager.credential)).await?;
    match human {
        Some(human) if human.role == Role::Admin => Ok(()),
        _ => Err(Refusal::Unauthorized("The credential is not valid any more".to_owned())),
    }
}

/// Holds the key that something is made with: one that is revoked meanwhile makes nothing that outlives it.
async fn hold_key(making: &mut Making, key: KeyId) -> Result<(), Refusal> {
    if making.tx.hold_key(key).await? {
        return Ok(());
    }
    Err(Refusal::Unauthorized("The API key is not valid".to_owned()))
}

/// Who makes things of which space, for the audit log.
struct AuditTrail {
    space: SpaceId,
    author: Author,
    source: AuditSource,
}

impl AuditTrail {
    async fn note(&self, making: &mut Making, event: AuditEvent, target: AuditTarget) -> Result<(), Refusal> {
        let entry = AuditEntry::new(event, Some(self.space), &self.source, making.now);
        Ok(making.tx.audit(entry.by(self.author.clone()).on(target)).await?)
    }

    async fn note_key(&self, making: &mut Making, key: &ApiKey) -> Result<(), Refusal> {
        let target = AuditTarget::new(AuditTargetType::Key, key.id, key.permission.as_str());
        self.note(making, AuditEvent::KeyCreated, target).await
    }

    async fn note_agent(&self, making: &mut Making, agent: &Agent) -> Result<(), Refusal> {
        let target = AuditTarget::new(AuditTargetType::Agent, agent.id, agent.name.clone());
        self.note(making, AuditEvent::AgentCreated, target).await
    }
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
    async fn create(
        self,
        app: &App,
        tx: &mut dyn DirectoryTx,
        space: SpaceId,
        now: Timestamp,
    ) -> Result<Agent, Refusal> {
        match tx.ensure_agent(space, &self.name, self.description.as_deref(), now).await? {
            Some((agent, true)) => {
                directory::check_agents(&app.config.quotas, tx, space).await?;
                Ok(agent)
            }
            Some((_, false)) => Err(Refusal::Conflict("Field 'name' names an agent that exists".to_owned())),
            // Its messages still bear the name.
            None => Err(Refusal::Conflict("Field 'name' names an agent that is deactivated".to_owned())),
        }
    }
}

/// Create an agent
#[utoipa::path(
    post, path = "/agents", operation_id = "createAgent",
    request_body = AgentDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The agent", body = Agent)),
)]
pub async fn agent(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    key: IdempotencyKey,
    body: Body<AgentDraft>,
) -> Reply {
    let new = body.value.check()?;
    match key.begin(&app, manager.credential, body.digest).await? {
        Begun::Before(made) => Ok(reply::replayed(reply::created(&made)?)),
        Begun::Now(mut making) => {
            hold_manager(&mut making, &manager).await?;
            let agent = new.create(&app, &mut *making.tx, manager.space, making.now).await?;
            let log = AuditTrail { space: manager.space, author: manager.author(), source };
            log.note_agent(&mut making, &agent).await?;
            let made = as_json(&agent)?;
            making.keep(StatusCode::CREATED, &made).await?;
            reply::created(&made)
        }
    }
}

/// Create a human
///
/// Without a password they get a one-time `setupUrl`. An address that an active human of the space has is a 409.
#[utoipa::path(
    post, path = "/humans", operation_id = "createHuman",
    request_body = HumanDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The human", body = MadeHuman)),
)]
pub async fn human(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    key: IdempotencyKey,
    body: Body<HumanDraft>,
) -> Reply {
    let draft = body.value;
    let email = normal_email("email", &draft.email.ok_or_else(|| Refusal::required("email"))?)?;
    let name = draft.name.ok_or_else(|| Refusal::required("name"))?;
    check_name("name", &name)?;
    Accounts::check_first_password(draft.password.as_deref(), &email)?;
    // A request that was made before is answered as it was then; any other that names a taken address ends here, since
    // hashing takes long.
    let is_taken = app.store.human_by_address(manager.space, &email).await?.is_some();
    let password = draft.password.filter(|_| !is_taken);
    // Nor is it done while the transaction holds others up.
    let password_hash = app.accounts.first_password(manager.space, password, &email).await?;
    let mut making = match key.begin(&app, manager.credential, body.digest).await? {
        Begun::Now(making) => making,
        Begun::Before(made) => {
            let token = key.secret_of(&app, &manager, SETUP_TOKEN, id_of(&made));
            return Ok(reply::replayed(with_secret(made, "setupUrl", &token)?));
        }
    };
    hold_manager(&mut making, &manager).await?;
    if is_taken {
        return Err(Accounts::address_taken().into());
    }
    let new = NewHuman {
        space: manager.space,
        email: &email,
        name: &name,
        role: draft.role.unwrap_or(Role::Member),
        password_hash: password_hash.as_deref(),
    };
    let token_of = |id: HumanId| key.secret_of(&app, &manager, SETUP_TOKEN, &id.to_string());
    let (human, token) = app.accounts.create_in(&mut *making.tx, new, token_of).await?;
    directory::check_humans(&app.config.quotas, &mut *making.tx, manager.space).await?;
    let log = AuditTrail { space: manager.space, author: manager.author(), source };
    let target = AuditTarget::new(AuditTargetType::Human, human.id, human.name.clone());
    log.note(&mut making, AuditEvent::HumanCreated, target).await?;
    let base = app.config.public_url.as_deref().unwrap_or_default();
    let setup_url = token.as_ref().map(|_| format!("{base}/#setup="));
    let made = as_json(&MadeHuman { human, setup_url })?;
    making.keep(StatusCode::CREATED, &made).await?;
    match token {
        Some(token) => with_secret(made, "setupUrl", &token),
        None => reply::created(&made),
    }
}

/// Create a space
///
/// With a first key of the permission `manage`, shown here and never again. Where an active space has that name already,
/// 200 with that space and without a key.
#[utoipa::path(
    post, path = "/spaces", operation_id = "createSpace",
    request_body = SpaceDraft,
    params(IdempotencyKey),
    responses(
        (status = 201, description = "The space", body = MadeSpace),
        (status = 200, description = "It was there already; without a key", body = MadeSpace),
    ),
)]
pub async fn space(
    Owner(owner): Owner,
    State(app): State<App>,
    source: AuditSource,
    key: IdempotencyKey,
    body: Body<SpaceDraft>,
) -> Reply {
    let name = body.value.name.ok_or_else(|| Refusal::required("name"))?;
    check_name("name", &name)?;
    let mut making = match key.begin(&app, owner.key.0, body.digest).await? {
        Begun::Now(making) => making,
        Begun::Before(made) => {
            if made["apiKey"].is_null() {
                return Ok(reply::replayed(reply::ok(&made)?));
            }
            let secret = key.secret(API_KEY, id_of(&made));
            return Ok(reply::replayed(with_secret(made, "apiKey", &secret)?));
        }
    };
    let (space, is_new) = making.tx.ensure_space(&name, making.now).await?.ok_or_else(|| {
        Refusal::Conflict("Field 'name' names a space that has existed and is deactivated".to_owned())
    })?;
    if !is_new {
        // Without a key: whoever names a space that is there must not come into it by that.
        let found = as_json(&MadeSpace { space, api_key: None })?;
        making.keep(StatusCode::OK, &found).await?;
        return reply::ok(&found);
    }
    hold_key(&mut making, owner.key).await?;
    // Without a key nobody could manage the new space.
    let agent = making.tx.ensure_agent(space.id, DEFAULT_AGENT, None, making.now).await?;
    let secret = key.secret(API_KEY, &space.id.to_string());
    let agent = agent.map(|(agent, _)| agent.id);
    let new = api_key(KeyId::new(), &secret, space.id, Permission::Manage, agent, None);
    let new = NewKey { created_by_key: Some(owner.key), ..new.made_by(Author::hub_owner()) };
    let first = making.tx.create_key(&new, making.now).await?;
    // The space's own log begins with its key; that there is a new space concerns the owner's.
    let log = AuditTrail { space: owner.space, author: owner.author(), source };
    let target = AuditTarget::new(AuditTargetType::Space, space.id, space.name.clone());
    log.note(&mut making, AuditEvent::SpaceCreated, target).await?;
    // Which space's key did it, and from where, is none of the new space's business.
    let log = AuditTrail { space: space.id, author: Author::hub_owner(), source: AuditSource::default() };
    log.note_key(&mut making, &first).await?;
    let made = as_json(&MadeSpace { space, api_key: Some(String::new()) })?;
    making.keep(StatusCode::CREATED, &made).await?;
    with_secret(made, "apiKey", &secret)
}

/// Provision an agent
///
/// Makes an agent with a key of its own, which is shown here and never again.
#[utoipa::path(
    post, path = "/agents", operation_id = "createAgent",
    request_body = AgentDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The agent and its key", body = Provisioned)),
)]
pub async fn provision(
    provisioner: Provisioner,
    State(app): State<App>,
    source: AuditSource,
    key: IdempotencyKey,
    body: Body<AgentDraft>,
) -> Reply {
    let new = body.value.check()?;
    let mut making = match key.begin(&app, provisioner.key.0, body.digest).await? {
        Begun::Now(making) => making,
        Begun::Before(made) => {
            let secret = key.secret(API_KEY, id_of(&made["agent"]));
            return Ok(reply::replayed(with_secret(made, "apiKey", &secret)?));
        }
    };
    hold_key(&mut making, provisioner.key).await?;
    let agent = new.create(&app, &mut *making.tx, provisioner.space, making.now).await?;
    let log = AuditTrail { space: provisioner.space, author: Author::provisioner(provisioner.key), source };
    log.note_agent(&mut making, &agent).await?;
    let secret = key.secret(API_KEY, &agent.id.to_string());
    let new = api_key(KeyId::new(), &secret, provisioner.space, Permission::Agent, Some(agent.id), None)
        .made_by(Author::provisioner(provisioner.key));
    let made = making.tx.create_key(&new, making.now).await?;
    log.note_key(&mut making, &made).await?;
    let made = as_json(&Provisioned { agent, api_key: String::new() })?;
    making.keep(StatusCode::CREATED, &made).await?;
    with_secret(made, "apiKey", &secret)
}

fn as_json(made: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(made).map_err(|_| Refusal::Internal)
}
