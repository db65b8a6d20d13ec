//! The caller, and the people and agents of its space.

use super::App;
use super::auth::{self, HumanOnly, Person};
use super::query::Query;
use super::reply::{self, HandlerResult};
use crate::domain::people::Agent;
use crate::domain::{ParticipantType, Principal, Refusal};
use crate::protocol::body::me::{AgentSelf, Contact, PersonSelf};
use crate::protocol::page::{Page, PageRequest};
use axum::extract::State;

/// Get the agent of the key
#[utoipa::path(
    get, path = "/me", operation_id = "getMe",
    responses((status = 200, description = "The agent and its key", body = AgentSelf)),
)]
pub async fn agent(caller: auth::Agent, State(app): State<App>) -> HandlerResult {
    let caller = caller.agent()?;
    let agent = app.store.agent(caller.space, caller.agent).await?.ok_or(Refusal::NotFound("Agent"))?;
    reply::ok(&AgentSelf {
        kind: ParticipantType::Agent,
        agent,
        permission: caller.permission,
        expires_at: caller.expires_at,
    })
}

/// Get the human or guest of the token
#[utoipa::path(
    get, path = "/me", operation_id = "getMe",
    responses((status = 200, description = "The human or guest", body = PersonSelf)),
)]
pub async fn person(Person(principal): Person, State(app): State<App>) -> HandlerResult {
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
                key: human.key,
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
                key: guest.key,
                expires_at: guest.expires_at,
                created_at: guest.created_at,
            })
        }
        Principal::Agent(_) => Err(Refusal::Internal.into()),
    }
}

/// List the people of the space
#[utoipa::path(
    get, path = "/humans", operation_id = "listHumans",
    params(PageRequest),
    responses((status = 200, description = "A page of people", body = Page<Contact>)),
)]
pub async fn humans(caller: auth::Agent, State(app): State<App>, query: Query) -> HandlerResult {
    let page = app.store.humans(caller.0.space(), query.page()?).await?;
    reply::ok(&page.map(|human| Contact { id: human.id.into(), name: human.name, key: human.key }))
}

/// List the agents of the space
#[utoipa::path(
    get, path = "/agents", operation_id = "listAgents",
    params(PageRequest),
    responses((status = 200, description = "A page of agents", body = Page<Contact>)),
)]
pub async fn agents(caller: auth::Agent, State(app): State<App>, query: Query) -> HandlerResult {
    let page = app.store.agents(caller.0.space(), query.page()?).await?;
    reply::ok(&page.map(|agent| Contact { id: agent.id.into(), name: agent.name, key: agent.key }))
}

/// List the agents with which the caller may open a session
#[utoipa::path(
    get, path = "/agents", operation_id = "listAgents",
    params(PageRequest),
    responses((status = 200, description = "A page of agents", body = Page<Agent>), HumanOnly),
)]
pub async fn agents_of_human(HumanOnly(_, human): HumanOnly, State(app): State<App>, query: Query) -> HandlerResult {
    reply::ok(&app.store.agents(human.space, query.page()?).await?)
}
