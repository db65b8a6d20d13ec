//! Who the caller is, public keys, and whom one may talk to.

use super::App;
use super::audience::{self, Audience, Member, Person};
use super::body::Body;
use super::query::Query;
use super::reply::{self, Reply};
use crate::domain::participant::Member as Entrant;
use crate::domain::people::{Agent, Role};
use crate::domain::text::check_text;
use crate::domain::{
    AgentId, HumanId, Page, PageRequest, ParticipantType, Permission, Principal, PrincipalId, Refusal, SessionId,
    Timestamp,
};
use axum::extract::State;
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Size of an X25519 public key.
const PUBLIC_KEY_BYTES: usize = 32;
const MAX_KEY_ID: usize = 128;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({ "publicKey": "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=", "keyId": "k1" })))]
pub struct PublicKey {
    /// The base64 of 32 bytes.
    #[schema(value_type = String, min_length = 44, max_length = 44, pattern = "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$")]
    public_key: Option<String>,
    #[schema(value_type = String, min_length = 1, max_length = 128, pattern = "PLAIN_TEXT")]
    key_id: Option<String>,
}

/// The agent that a key acts as.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AgentSelf {
    /// Always `Agent`.
    #[serde(rename = "type")]
    kind: ParticipantType,
    #[serde(flatten)]
    agent: Agent,
    permission: Permission,
    /// When the key ends, if it does.
    #[schema(required = true)]
    expires_at: Option<Timestamp>,
}

/// A human or a guest; who is one has no value for what only the other has.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PersonSelf {
    #[serde(rename = "type")]
    kind: ParticipantType,
    id: PrincipalId,
    name: String,
    email: Option<String>,
    /// What a human may do in their space; none for a guest.
    role: Option<Role>,
    /// The one session of a guest.
    session_id: Option<SessionId>,
    public_key: Option<String>,
    key_id: Option<String>,
    /// When the token ends.
    expires_at: Timestamp,
    created_at: Timestamp,
}

/// The caller's public key as the directory has it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PublishedKey {
    public_key: String,
    key_id: String,
}

/// One of the people of the space.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HumanEntry {
    id: HumanId,
    name: String,
    public_key: Option<String>,
    key_id: Option<String>,
}

/// Who the key acts as
#[utoipa::path(
    get, path = "/me", operation_id = "getMe",
    responses((status = 200, description = "The agent and its key", body = AgentSelf)),
)]
pub async fn agent(audience::Agent(principal): audience::Agent, State(app): State<App>) -> Reply {
    let Principal::Agent(caller) = &*principal else { return Err(Refusal::Internal.into()) };
    let agent = app.store.agent(caller.space, caller.agent).await?.ok_or(Refusal::NotFound("Agent"))?;
    reply::ok(&AgentSelf {
        kind: ParticipantType::Agent,
        agent,
        permission: caller.permission,
        expires_at: caller.expires_at,
    })
}

/// Who the token speaks for
#[utoipa::path(
    get, path = "/me", operation_id = "getMe",
    responses((status = 200, description = "The human or guest", body = PersonSelf)),
)]
pub async fn person(Person(principal): Person, State(app): State<App>) -> Reply {
    match &*principal {
        Principal::Human(caller) => {
            let human = app.store.human_in_space(caller.space, caller.id).await?.ok_or(Refusal::NotFound("Human"))?;
            reply::ok(&PersonSelf {
                kind: ParticipantType::Human,
                id: human.id.into(),
                name: human.name,
                email: Some(human.email),
                role: Some(human.role),
                session_id: None,
                public_key: human.public_key,
                key_id: human.key_id,
                expires_at: caller.expires_at,
                created_at: human.created_at,
            })
        }
        Principal::Guest(caller) => {
            let guest = app.store.guest(caller.space, caller.id).await?.ok_or(Refusal::NotFound("Guest"))?;
            reply::ok(&PersonSelf {
                kind: ParticipantType::Guest,
                id: guest.id.into(),
                name: guest.name,
                email: None,
                role: None,
                session_id: Some(guest.session_id),
                public_key: guest.public_key,
                key_id: guest.key_id,
                expires_at: guest.expires_at,
                created_at: guest.created_at,
            })
        }
        Principal::Agent(_) => Err(Refusal::Internal.into()),
    }
}

/// Publish a public key
///
/// X25519. Others find it in lists of participants; a new key does not rewrite old envelopes.
#[utoipa::path(
    put, path = "/public-key", operation_id = "putPublicKey",
    request_body = PublicKey,
    responses((status = 200, description = "The key", body = PublishedKey)),
)]
pub async fn put_public_key<A: Audience>(caller: A, State(app): State<App>, body: Body<PublicKey>) -> Reply {
    let public_key = body.value.public_key.ok_or_else(|| Refusal::required("publicKey"))?;
    let key_id = body.value.key_id.ok_or_else(|| Refusal::required("keyId"))?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(&public_key);
    if !decoded.is_ok_and(|bytes| bytes.len() == PUBLIC_KEY_BYTES) {
        return Err(Refusal::invalid("publicKey", "must be the base64 of 32 bytes").into());
    }
    if key_id.is_empty() {
        return Err(Refusal::invalid("keyId", "must not be empty").into());
    }
    check_text("keyId", &key_id, MAX_KEY_ID)?;
    let principal = caller.principal();
    let kind = match &**principal {
        Principal::Agent(_) => ParticipantType::Agent,
        Principal::Human(_) => ParticipantType::Human,
        Principal::Guest(_) => ParticipantType::Guest,
    };
    let member =
        Entrant { kind, id: principal.id(), name: principal.name().to_owned(), public_key: None, key_id: None };
    app.store.set_public_key(&member, &public_key, &key_id).await?;
    reply::ok(&PublishedKey { public_key, key_id })
}

/// List the people of the space
#[utoipa::path(
    get, path = "/humans", operation_id = "listHumans",
    params(PageRequest),
    responses((status = 200, description = "A page of people", body = Page<HumanEntry>)),
)]
pub async fn humans(audience::Agent(principal): audience::Agent, State(app): State<App>, query: Query) -> Reply {
    let Principal::Agent(agent) = &*principal else { return Err(Refusal::Internal.into()) };
    let page = app.store.humans(agent.space, query.page()?).await?;
    reply::ok(&page.map(|human| HumanEntry {
        id: human.id,
        name: human.name,
        public_key: human.public_key,
        key_id: human.key_id,
    }))
}

/// One of the agents of the space.
#[derive(Serialize, ToSchema)]
struct AgentEntry {
    id: AgentId,
    name: String,
    /// The current entry of its public keys.
    #[schema(required = true, value_type = Option<Object>)]
    key: Option<serde_json::Value>,
}

/// List the agents of the space
#[utoipa::path(
    get, path = "/agents", operation_id = "listAgents",
    params(PageRequest),
    responses((status = 200, description = "A page of agents", body = Page<AgentEntry>)),
)]
pub async fn agents_of_space(
    audience::Agent(principal): audience::Agent,
    State(app): State<App>,
    query: Query,
) -> Reply {
    let page = app.store.agents(principal.space(), query.page()?).await?;
    reply::ok(&page.map(|agent| AgentEntry { id: agent.id, name: agent.name, key: None }))
}

/// List the agents that a human may open a session with
#[utoipa::path(
    get, path = "/agents", operation_id = "listAgents",
    params(PageRequest),
    responses((status = 200, description = "A page of agents", body = Page<Agent>), Member),
)]
pub async fn agents(Member(_, human): Member, State(app): State<App>, query: Query) -> Reply {
    reply::ok(&app.store.agents(human.space, query.page()?).await?)
}
