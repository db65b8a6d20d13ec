//! The directory of a space: keys, agents, humans and spaces, with the audit entry of each in the same transaction.
//!
//! This module has the changes within a transaction, for HTTP and the command line. Its submodules have the use cases of
//! HTTP, with `Idempotency-Key`.

pub mod agents;
pub mod humans;
pub mod keys;
pub mod spaces;

use super::audit::AuditTrail;
use super::idempotency::DirectoryChange;
use crate::auth::{Accounts, Secret};
use crate::domain::people::{Agent, ApiKey, Human, Role, Space};
use crate::domain::principal::ManagerPrincipal;
use crate::domain::{AuditEvent, AuditTarget, AuditTargetType, HumanId, KeyId, Refusal, Timestamp};
use crate::store::{DirectoryTx, NewHuman, NewKey, StoreResult};
use serde::Serialize;
use serde_json::Value;

/// The agent that a key acts as when none is named.
pub const DEFAULT_AGENT: &str = "default";

/// Creates a space, or returns the one of that name; `None` if that one is deactivated. `true` if it is new. The entry
/// goes into the log that `trail` gives for the new space.
pub async fn ensure_space(
    tx: &mut dyn DirectoryTx,
    name: &str,
    now: Timestamp,
    trail: impl FnOnce(&Space) -> AuditTrail,
) -> StoreResult<Option<(Space, bool)>> {
    let found = tx.ensure_space(name, now).await?;
    if let Some((space, true)) = &found {
        let target = AuditTarget::new(AuditTargetType::Space, space.id, space.name.clone());
        trail(space).note(tx, AuditEvent::SpaceCreated, target, now).await?;
    }
    Ok(found)
}

/// Creates an agent, or returns the one of that name; `None` if that one is deactivated. `true` if it is new.
pub async fn ensure_agent(
    tx: &mut dyn DirectoryTx,
    trail: &AuditTrail,
    name: &str,
    description: Option<&str>,
    now: Timestamp,
) -> StoreResult<Option<(Agent, bool)>> {
    let found = tx.ensure_agent(trail.space, name, description, now).await?;
    if let Some((agent, true)) = &found {
        let target = AuditTarget::new(AuditTargetType::Agent, agent.id, agent.name.clone());
        trail.note(tx, AuditEvent::AgentCreated, target, now).await?;
    }
    Ok(found)
}

/// Creates a key.
pub async fn create_key(
    tx: &mut dyn DirectoryTx,
    trail: &AuditTrail,
    new: &NewKey,
    now: Timestamp,
) -> StoreResult<ApiKey> {
    let key = tx.create_key(new, now).await?;
    let target = AuditTarget::new(AuditTargetType::Key, key.id, key.permission.as_str());
    trail.note(tx, AuditEvent::KeyCreated, target, now).await?;
    Ok(key)
}

/// Creates a human. Without a password the second value is the token of a one-time setup link, which `setup_token` gives
/// for the new human.
pub async fn create_human(
    accounts: &Accounts,
    tx: &mut dyn DirectoryTx,
    trail: &AuditTrail,
    new: NewHuman<'_>,
    setup_token: impl FnOnce(HumanId) -> Secret + Send,
    now: Timestamp,
) -> Result<(Human, Option<Secret>), Refusal> {
    let (human, token) = accounts.create_in(tx, new, setup_token).await?;
    let target = AuditTarget::new(AuditTargetType::Human, human.id, human.name.clone());
    trail.note(tx, AuditEvent::HumanCreated, target, now).await?;
    Ok((human, token))
}

/// As [`hold_key`] for a manager, who may be a human: one who is no longer an admin changes nothing.
async fn hold_manager(change: &mut DirectoryChange, manager: &ManagerPrincipal) -> Result<(), Refusal> {
    if let Some(key) = manager.key {
        return hold_key(change, key).await;
    }
    let human = change.tx.human(manager.space, HumanId(manager.credential)).await?;
    match human {
        Some(human) if human.role == Role::Admin => Ok(()),
        _ => Err(Refusal::Unauthorized("The credential is no longer valid".to_owned())),
    }
}

/// Locks the key of the caller, so that it is not revoked before the change is durable.
async fn hold_key(change: &mut DirectoryChange, key: KeyId) -> Result<(), Refusal> {
    if change.tx.hold_key(key).await? {
        return Ok(());
    }
    Err(Refusal::Unauthorized("The API key is not valid".to_owned()))
}

fn as_json(made: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(made).map_err(|_| Refusal::Internal)
}

/// The id in the body of a first reply.
fn id_of(body: &Value) -> &str {
    body["id"].as_str().unwrap_or_default()
}
