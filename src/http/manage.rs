//! Managing a space: lists of its keys, agents and humans, and ending them; for owners the spaces themselves.
//! [`super::creation`] makes them.

use super::App;
use super::audience::{Manager, Owner};
use super::path::Id;
use super::query::Query;
use super::reply::{self, Reply};
use crate::domain::decide::{Command, WhichParticipant};
use crate::domain::people::{Agent, ApiKey, Human, Space};
use crate::domain::principal::ManagerPrincipal;
use crate::domain::{AgentId, AuditEvent, AuditSource, AuditTarget, AuditTargetType, HumanId, KeyId, Refusal, SpaceId};
use crate::protocol::page::{Page, PageRequest};
use crate::store::{GuestOf, Revoked, Revoker, Store, StoreResult};
use crate::timeline::{Action, By, Request};
use crate::protocol::openapi::errors::Conflict;
use axum::extract::State;
use futures::future::join_all;
use serde::Serialize;
use uuid::Uuid;

/// Most guests who leave their sessions at a time.
const LEAVE_AT_ONCE: usize = 16;

/// Something of a space that managers list.
pub trait Managed: Serialize + Send + Sized + 'static {
    fn page(
        store: &dyn Store,
        space: SpaceId,
        page: PageRequest,
    ) -> impl Future<Output = StoreResult<Page<Self>>> + Send;
}

macro_rules! managed {
    ($kind:ident, $page:ident) => {
        impl Managed for $kind {
            async fn page(store: &dyn Store, space: SpaceId, page: PageRequest) -> StoreResult<Page<Self>> {
                store.$page(space, page).await
            }
        }
    };
}
managed!(ApiKey, keys);
managed!(Agent, agents);
managed!(Human, humans);

async fn list<T: Managed>(manager: &ManagerPrincipal, app: &App, query: &Query) -> Reply {
    reply::ok(&T::page(&*app.store, manager.space, query.page()?).await?)
}

fn revoker(manager: &ManagerPrincipal, app: &App, source: AuditSource) -> Revoker {
    let ManagerPrincipal { space, permission, .. } = *manager;
    Revoker { space, permission, author: manager.author(), source, at: app.clock.now() }
}

/// Ends everything live that rests on what was revoked.
async fn end(app: &App, what: impl Into<Uuid>, revoked: &Revoked) {
    let keys = revoked.keys.iter().map(|key| key.0);
    let guests = revoked.guests.iter().map(|guest| guest.id.0);
    let humans = revoked.humans.iter().map(|human| human.0);
    app.revoke(keys.chain(guests).chain(humans).chain([what.into()]));
    // Their tokens are void already; that they leave their sessions is for those who look at these.
    let leave = |guest: GuestOf| Request {
        space: guest.space,
        session: guest.session,
        by: By::System,
        action: Action::Command(Command::RemoveParticipant(WhichParticipant::Guest(guest.id))),
        idempotency: None,
    };
    for some in revoked.guests.chunks(LEAVE_AT_ONCE) {
        let leaving: Vec<_> = some.iter().map(|guest| app.timeline.submit(leave(*guest))).collect();
        join_all(leaving).await;
    }
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
    app.authenticator.show_uses().await;
    list::<ApiKey>(&manager, &app, &query).await
}

/// Revoke an API key
///
/// Nobody revokes a key above their own permission (403), nor the last key of the hub with `owner` (409). With `cascade`,
/// the keys and guest tokens that it made end too, those that these made, and so on, all of them or none; the key itself
/// may then be revoked already.
#[utoipa::path(
    delete, path = "/keys/{id}", operation_id = "revokeKey",
    params(("cascade" = Option<bool>, Query, description = "Also what the key made; `false` unless given.")),
    responses((status = 204, description = "Revoked"), Conflict),
)]
pub async fn revoke_key(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    Id(id): Id<KeyId>,
    query: Query,
) -> Reply {
    let cascade = query.flag("cascade")?.unwrap_or(false);
    let revoked = app.store.revoke_key(&revoker(&manager, &app, source), id, cascade).await?;
    end(&app, id, &revoked.map_err(|refused| refused.refusal("Key"))?).await;
    reply::no_content()
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
///
/// Its keys are revoked with it; 403 if one of them is above the caller's own permission, 409 if it is the last key of the
/// hub with `owner`.
#[utoipa::path(
    delete, path = "/agents/{id}", operation_id = "deactivateAgent",
    responses((status = 204, description = "Deactivated"), Conflict),
)]
pub async fn deactivate_agent(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    Id(id): Id<AgentId>,
) -> Reply {
    let revoked = app.store.deactivate_agent(&revoker(&manager, &app, source), id).await?;
    end(&app, id, &revoked.map_err(|refused| refused.refusal("Agent"))?).await;
    reply::no_content()
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
    if !app.store.deactivate_human(manager.space, id, app.clock.now()).await? {
        return Err(Refusal::NotFound("Human").into());
    }
    app.revoke([id.0]);
    let target = AuditTarget { kind: AuditTargetType::Human, id: Some(id.0), name: None, attempts: None };
    let entry = app.audit.entry(AuditEvent::HumanDeactivated, Some(manager.space), &source);
    app.audit.record(entry.by(manager.author()).on(target)).await;
    reply::no_content()
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
    let by = Revoker {
        space: owner.space,
        permission: owner.permission,
        author: owner.author(),
        source,
        at: app.clock.now(),
    };
    let revoked = app.store.deactivate_space(&by, id).await?;
    end(&app, id, &revoked.map_err(|refused| refused.refusal("Space"))?).await;
    reply::no_content()
}
