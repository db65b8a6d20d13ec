//! Quotas of agents and humans in a space, checked in the transaction that adds one (contract section 10).

use super::DirectoryTx;
use crate::config::Quotas;
use crate::domain::{Refusal, SpaceId};

/// Refuses an agent that this transaction has added, if the space now has too many.
pub async fn check_agents(quotas: &Quotas, tx: &mut dyn DirectoryTx, space: SpaceId) -> Result<(), Refusal> {
    let Some(limit) = quotas.space_agents else { return Ok(()) };
    check("Agents of the space", tx.count_agents(space).await?, limit)
}

/// The same for a human.
pub async fn check_humans(quotas: &Quotas, tx: &mut dyn DirectoryTx, space: SpaceId) -> Result<(), Refusal> {
    let Some(limit) = quotas.space_humans else { return Ok(()) };
    check("Humans of the space", tx.count_humans(space).await?, limit)
}

fn check(what: &'static str, count: i64, limit: u64) -> Result<(), Refusal> {
    if count.unsigned_abs() > limit { Err(Refusal::LimitReached { what, limit }) } else { Ok(()) }
}
