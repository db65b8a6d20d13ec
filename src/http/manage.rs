//! Managing a space: lists of its keys, agents and humans, and ending them; for owners the spaces themselves.
//! [`super::creation`] makes them.

use super::App;
use super::audience::{Manager, Owner};
use super::error::Conflict;
use super::path::Id;
use super::query::Query;
use super::reply::{self, Reply};
use crate::domain::people::{Agent, ApiKey, Human, Space};
use crate::domain::principal::ManagerPrincipal;
use crate::domain::{
    AgentId, AuditEvent, AuditSource, AuditTarget, AuditTargetType, HumanId, KeyId, Page, PageRequest, Refusal,
    SpaceId, Timestamp,
};
use crate::store::{Store, StoreResult};
use axum::extract::State;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::str::FromStr;
use uuid::Uuid;

/// Something of a space that managers list and deactivate.
pub trait Managed: Serialize + Send + Sized + 'static {
    type Id: Copy + Into<Uuid> + FromStr + DeserializeOwned + Send + 'static;
    /// What it is called in errors.
    const NAME: &'static str;
    /// What the audit log calls it, and its end.
    const AUDITED: (AuditTargetType, AuditEvent);

    fn page(
        store: &dyn Store,
        space: SpaceId,
        page: PageRequest,
    ) -> impl Future<Output = StoreResult<Page<Self>>> + Send;

    /// `false` if the space has none of this id, or no more.
    fn end(
        store: &dyn Store,
        space: SpaceId,
        id: Self::Id,
        now: Timestamp,
    ) -> impl Future<Output = StoreResult<bool>> + Send;
}

macro_rules! managed {
    ($kind:ident, $id:ident, $name:literal, $page:ident, $end:ident, $target:ident $event:ident) => {
        impl Managed for $kind {
            type Id = $id;
            const NAME: &'static str = $name;
            const AUDITED: (AuditTargetType, AuditEvent) = (AuditTargetType::$target, AuditEvent::$event);

            async fn page(store: &dyn Store, space: SpaceId, page: PageRequest) -> StoreResult<Page<Self>> {
                store.$page(space, page).await
            }

            async fn end(store: &dyn Store, space: SpaceId, id: $id, now: Timestamp) -> StoreResult<bool> {
                store.$end(space, id, now).await
            }
        }
    };
}
managed!(ApiKey, KeyId, "Key", keys, revoke_key, Key KeyRevoked);
managed!(Agent, AgentId, "Agent", agents, deactivate_agent, Agent AgentDeactivated);
managed!(Human, HumanId, "Human", humans, deactivate_human, Human HumanDeactivated);

async fn list<T: Managed>(manager: &ManagerPrincipal, app: &App, query: &Query) -> Reply {
    reply::ok(&T::page(&*app.store, manager.space, query.page()?).await?)
}

/// Ends it, and everything live that it has.
async fn deactivate<T: Managed>(manager: &ManagerPrincipal, app: &App, source: &AuditSource, id: T::Id) -> Reply {
    if !T::end(&*app.store, manager.space, id, app.clock.now()).await? {
        return Err(Refusal::NotFound(T::NAME).into());
    }
    app.revoke(id.into());
    let (kind, event) = T::AUDITED;
    let target = AuditTarget { kind, id: Some(id.into()), name: None, attempts: None };
    app.audit.record(app.audit.entry(event, Some(manager.space), source).by(manager.author()).on(target)).await;
    reply::no_content()
}

/// List API keys
///
/// Without their secrets.
#[utoipa::path(
    get, path = "/keys", operation_id = "listKeys",
    params(PageRequest),
    responses((status = 200, description = "A page of keys", body = Page<ApiKey>)),
)]
pub async fn keys(Manager(manager): Manager, State(app): State<App>, query: Query) -> Reply {
    list::<ApiKey>(&manager, &app, &query).await
}

/// Revoke an API key
#[utoipa::path(
    delete, path = "/keys/{id}", operation_id = "revokeKey",
    responses((status = 204, description = "Revoked")),
)]
pub async fn revoke_key(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    Id(id): Id<KeyId>,
) -> Reply {
    deactivate::<ApiKey>(&manager, &app, &source, id).await
}

/// List agents
#[utoipa::path(
    get, path = "/agents", operation_id = "listAgents",
    params(PageRequest),
    responses((status = 200, description = "A page of agents", body = Page<Agent>)),
)]
pub async fn agents(Manager(manager): Manager, State(app): State<App>, query: Query) -> Reply {
    list::<Agent>(&manager, &app, &query).await
}

/// Deactivate an agent
#[utoipa::path(
    delete, path = "/agents/{id}", operation_id = "deactivateAgent",
    responses((status = 204, description = "Deactivated")),
)]
pub async fn deactivate_agent(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    Id(id): Id<AgentId>,
) -> Reply {
    deactivate::<Agent>(&manager, &app, &source, id).await
}

/// List humans
#[utoipa::path(
    get, path = "/humans", operation_id = "listHumans",
    params(PageRequest),
    responses((status = 200, description = "A page of humans", body = Page<Human>)),
)]
pub async fn humans(Manager(manager): Manager, State(app): State<App>, query: Query) -> Reply {
    list::<Human>(&manager, &app, &query).await
}

/// Deactivate a human
#[utoipa::path(
    delete, path = "/humans/{id}", operation_id = "deactivateHuman",
    responses((status = 204, description = "Deactivated")),
)]
pub async fn deactivate_human(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    Id(id): Id<HumanId>,
) -> Reply {
    deactivate::<Human>(&manager, &app, &source, id).await
}

/// List spaces
#[utoipa::path(
    get, path = "/spaces", operation_id = "listSpaces",
    params(PageRequest),
    responses((status = 200, description = "A page of spaces", body = Page<Space>)),
)]
pub async fn spaces(_: Owner, State(app): State<App>, query: Query) -> Reply {
    reply::ok(&app.store.spaces(query.page()?).await?)
}

/// Deactivate a space
///
/// Not the space of the key itself (409).
#[utoipa::path(
    delete, path = "/spaces/{id}", operation_id = "deactivateSpace",
    responses((status = 204, description = "Deactivated"), Conflict),
)]
pub async fn deactivate_space(
    Owner(owner): Owner,
    State(app): State<App>,
    source: AuditSource,
    Id(id): Id<SpaceId>,
) -> Reply {
    if id == owner.space {
        return Err(Refusal::Conflict("The space of the key itself can't be deactivated".to_owned()).into());
    }
    let gone = app.store.deactivate_space(id, app.clock.now()).await?.ok_or(Refusal::NotFound("Space"))?;
    app.revoke(id.0);
    gone.into_iter().for_each(|human| app.revoke(human.0));
    let target = AuditTarget { kind: AuditTargetType::Space, id: Some(id.0), name: None, attempts: None };
    let entry = app.audit.entry(AuditEvent::SpaceDeactivated, Some(owner.space), &source);
    app.audit.record(entry.by(owner.author()).on(target)).await;
    reply::no_content()
}
