//! Managing a space: lists of its keys, agents and humans, and ending them; for owners the spaces themselves.
//! [`super::creation`] makes them.

use super::App;
use super::audience::{Manager, Owner};
use super::path::Id;
use super::query::Query;
use super::reply::{self, Reply};
use crate::domain::people::{Agent, ApiKey, Human};
use crate::domain::{AgentId, HumanId, KeyId, Page, PageRequest, Refusal, SpaceId, Timestamp};
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
    ($kind:ident, $id:ident, $name:literal, $page:ident, $end:ident) => {
        impl Managed for $kind {
            type Id = $id;
            const NAME: &'static str = $name;

            async fn page(store: &dyn Store, space: SpaceId, page: PageRequest) -> StoreResult<Page<Self>> {
                store.$page(space, page).await
            }

            async fn end(store: &dyn Store, space: SpaceId, id: $id, now: Timestamp) -> StoreResult<bool> {
                store.$end(space, id, now).await
            }
        }
    };
}
managed!(ApiKey, KeyId, "Key", keys, revoke_key);
managed!(Agent, AgentId, "Agent", agents, deactivate_agent);
managed!(Human, HumanId, "Human", humans, deactivate_human);

pub async fn list<T: Managed>(Manager(manager): Manager, State(app): State<App>, query: Query) -> Reply {
    reply::ok(&T::page(&*app.store, manager.space, query.page()?).await?)
}

/// Ends it, and everything live that it has.
pub async fn deactivate<T: Managed>(Manager(manager): Manager, State(app): State<App>, Id(id): Id<T::Id>) -> Reply {
    if !T::end(&*app.store, manager.space, id, app.clock.now()).await? {
        return Err(Refusal::NotFound(T::NAME).into());
    }
    app.revoke(id.into());
    reply::no_content()
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
