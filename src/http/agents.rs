//! `/v1/manage/agents` and `/v1/provision/agents`: the agents of a space.

use super::App;
use super::auth::Manager;
use super::body::Body;
use super::path::Id;
use super::query::Query;
use super::reply::{self, HandlerResult};
use crate::auth::Provisioner;
use crate::domain::people::Agent;
use crate::domain::{AgentId, AuditSource};
use crate::protocol::body::directory::{AgentDraft, Provisioned};
use crate::protocol::openapi::errors::Conflict;
use crate::protocol::page::{Page, PageRequest};
use crate::service::directory::agents;
use crate::service::idempotency::IdempotencyKey;
use crate::service::revocation;
use axum::extract::State;

/// Create an agent
#[utoipa::path(
    post, path = "/agents", operation_id = "createAgent",
    request_body = AgentDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The agent", body = Agent)),
)]
pub async fn create(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    key: IdempotencyKey,
    body: Body<AgentDraft>,
) -> HandlerResult {
    reply::answer(agents::create(&app, &manager, source, &key, body.digest, body.value).await?)
}

/// Provision an agent
///
/// Creates an agent and an API key for it. The key is returned only in this reply.
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
) -> HandlerResult {
    reply::answer(agents::provision(&app, &provisioner, source, &key, body.digest, body.value).await?)
}

/// List agents
#[utoipa::path(
    get, path = "/agents", operation_id = "listAgents",
    params(PageRequest),
    responses((status = 200, description = "A page of agents", body = Page<Agent>)),
)]
pub async fn list(Manager(manager): Manager, State(app): State<App>, query: Query) -> HandlerResult {
    reply::ok(&app.store.agents(manager.space, query.page()?).await?)
}

/// Deactivate an agent
///
/// The keys of the agent are revoked. 403 if one of them has a higher permission than the caller, 409 if one of them is the
/// last key of the hub with `owner`.
#[utoipa::path(
    delete, path = "/agents/{id}", operation_id = "deactivateAgent",
    responses((status = 204, description = "Deactivated"), Conflict),
)]
pub async fn deactivate(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    Id(id): Id<AgentId>,
) -> HandlerResult {
    revocation::deactivate_agent(&app, &manager, source, id).await?;
    reply::no_content()
}
