//! Resolves the names in a request to agents and humans, with a few statements for any number of names.

use super::rows;
use crate::domain::participant::{Member, MemberRef};
use crate::domain::people::Human;
use crate::domain::{AgentId, HumanId, SpaceId};
use crate::store::StoreResult;
use crate::store::engine::{Column, Engine};
use crate::store::pool::PooledConnection;
use crate::store::statement::{Fields, Statement, large_groups};
use std::collections::HashMap;
use uuid::Uuid;

/// The active agents and humans of a space with these names. Unknown names are left out.
pub(super) async fn members<E: Engine>(
    db: &mut PooledConnection<E>,
    space: SpaceId,
    named: &[MemberRef],
) -> StoreResult<HashMap<MemberRef, Member>> {
    let mut found = HashMap::with_capacity(named.len());
    let (mut agents, mut agent_names, mut humans, mut addresses) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for name in named {
        match name {
            MemberRef::AgentId(id) => agents.push(id.0),
            MemberRef::AgentName(name) => agent_names.push(name.clone()),
            MemberRef::HumanId(id) => humans.push(id.0),
            MemberRef::HumanEmail(address) => addresses.push(address.clone()),
        }
    }
    let head = select_agent!("FROM (VALUES");
    let tail = ") AS v CROSS JOIN agents a WHERE a.space_id = $1 AND a.id = v.column1 AND a.deactivated_at IS NULL";
    for agent in all::<E, Uuid, _>(db, space, head, tail, agents, rows::agent).await? {
        found.insert(MemberRef::AgentId(AgentId(agent.id.0)), agent.member());
    }
    let tail = ") AS v CROSS JOIN agents a WHERE a.space_id = $1 AND a.name = v.column1 AND a.deactivated_at IS NULL";
    for agent in all::<E, String, _>(db, space, head, tail, agent_names, rows::agent).await? {
        found.insert(MemberRef::AgentName(agent.name.clone()), agent.member());
    }
    let tail = ") AS v CROSS JOIN humans h WHERE h.space_id = $1 AND h.id = v.column1 AND h.deactivated_at IS NULL";
    let head = select_human!("FROM (VALUES");
    for human in all::<E, Uuid, _>(db, space, head, tail, humans, rows::human).await? {
        found.insert(MemberRef::HumanId(HumanId(human.id.0)), human.member());
    }
    let tail =
        ") AS v CROSS JOIN humans h WHERE h.space_id = $1 AND h.address = v.column1 AND h.deactivated_at IS NULL";
    let head = select_human!(", h.address FROM (VALUES");
    for (human, address) in all::<E, String, _>(db, space, head, tail, addresses, addressed).await? {
        found.insert(MemberRef::HumanEmail(address), human.member());
    }
    Ok(found)
}

/// The rows that `head`, a list of values, and `tail` select in a space.
async fn all<E: Engine + Column<T>, T: Ord + Clone, R>(
    db: &mut PooledConnection<E>,
    space: SpaceId,
    head: &'static str,
    tail: &'static str,
    mut values: Vec<T>,
    read: fn(&mut Fields<'_, E>) -> StoreResult<R>,
) -> StoreResult<Vec<R>> {
    values.sort_unstable();
    values.dedup();
    let mut found = Vec::with_capacity(values.len());
    for group in large_groups(&values) {
        let mut statement = Statement::<E>::with_rows(head, tail, 2, group.len(), 1).bind(space.0);
        group.iter().for_each(|value| statement.push(value.clone()));
        found.extend(statement.all(db, read).await?);
    }
    Ok(found)
}

/// A human, and the address that was looked up.
fn addressed<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<(Human, String)> {
    Ok((rows::human(row)?, row.read()?))
}
