//! Statements that find an active agent or human of a space, by its id, its name or its address.

use super::sql;
use crate::domain::{AgentId, HumanId, SpaceId};
use crate::store::engine::Engine;
use crate::store::statement::Statement;

pub(super) fn agent_by_id<E: Engine>(space: SpaceId, id: AgentId) -> Statement<E> {
    sql::<E>(select_agent!("FROM agents a WHERE a.space_id = $1 AND a.id = $2 AND a.deactivated_at IS NULL"))
        .bind(space.0)
        .bind(id.0)
}

pub(super) fn agent_by_name<E: Engine>(space: SpaceId, name: &str) -> Statement<E> {
    sql::<E>(select_agent!("FROM agents a WHERE a.space_id = $1 AND a.name = $2 AND a.deactivated_at IS NULL"))
        .bind(space.0)
        .bind(name.to_owned())
}

pub(super) fn human_by_id<E: Engine>(space: SpaceId, id: HumanId) -> Statement<E> {
    sql::<E>(select_human!("FROM humans h WHERE h.space_id = $1 AND h.id = $2 AND h.deactivated_at IS NULL"))
        .bind(space.0)
        .bind(id.0)
}

pub(super) fn human_by_address<E: Engine>(space: SpaceId, address: &str) -> Statement<E> {
    sql::<E>(select_human!("FROM humans h WHERE h.space_id = $1 AND h.address = $2 AND h.deactivated_at IS NULL"))
        .bind(space.0)
        .bind(address.to_owned())
}
