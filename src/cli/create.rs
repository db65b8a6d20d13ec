//! What commands and the first start make in the directory, each with its entry of the audit log in the same
//! transaction.

use crate::domain::people::{Agent, Human, Space};
use crate::domain::{AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType, Author, SpaceId, Timestamp};
use crate::store::{DirectoryTx, NewHuman, NewKey, Store, StoreResult};

async fn note(
    tx: &mut dyn DirectoryTx,
    event: AuditEvent,
    space: SpaceId,
    target: AuditTarget,
    now: Timestamp,
) -> StoreResult<()> {
    let entry = AuditEntry::new(event, Some(space), &AuditSource::default(), now);
    tx.audit(entry.by(Author::command_line()).on(target)).await
}

/// Finds or makes a space, in a transaction of its own; `None` if it is deactivated.
pub(super) async fn ensure_space(store: &dyn Store, name: &str, now: Timestamp) -> StoreResult<Option<Space>> {
    let mut tx = store.begin_directory().await?;
    let space = space(&mut *tx, name, now).await?;
    tx.commit(None).await?;
    Ok(space.map(|(space, _)| space))
}

/// Finds or makes a space, and whether it is new; `None` if it is deactivated.
pub(super) async fn space(tx: &mut dyn DirectoryTx, name: &str, now: Timestamp) -> StoreResult<Option<(Space, bool)>> {
    let found = tx.ensure_space(name, now).await?;
    if let Some((space, true)) = &found {
        let target = AuditTarget::new(AuditTargetType::Space, space.id, space.name.clone());
        note(tx, AuditEvent::SpaceCreated, space.id, target, now).await?;
    }
    Ok(found)
}

/// Finds or makes an agent; `None` if it is deactivated.
pub(super) async fn agent(
    tx: &mut dyn DirectoryTx,
    space: SpaceId,
    name: &str,
    now: Timestamp,
) -> StoreResult<Option<Agent>> {
    let found = tx.ensure_agent(space, name, None, now).await?;
    if let Some((agent, true)) = &found {
        let target = AuditTarget::new(AuditTargetType::Agent, agent.id, agent.name.clone());
        note(tx, AuditEvent::AgentCreated, space, target, now).await?;
    }
    Ok(found.map(|(agent, _)| agent))
}

pub(super) async fn key(tx: &mut dyn DirectoryTx, key: &NewKey, now: Timestamp) -> StoreResult<()> {
    let key = tx.create_key(key, now).await?;
    let target = AuditTarget::new(AuditTargetType::Key, key.id, key.permission.as_str());
    note(tx, AuditEvent::KeyCreated, key.space_id, target, now).await
}

/// Makes a human; `None` if the space has somebody of this address.
pub(super) async fn human(tx: &mut dyn DirectoryTx, new: &NewHuman<'_>, now: Timestamp) -> StoreResult<Option<Human>> {
    let made = tx.create_human(new, now).await?;
    if let Some(human) = &made {
        note_human(tx, human, now).await?;
    }
    Ok(made)
}

pub(super) async fn note_human(tx: &mut dyn DirectoryTx, human: &Human, now: Timestamp) -> StoreResult<()> {
    let target = AuditTarget::new(AuditTargetType::Human, human.id, human.name.clone());
    note(tx, AuditEvent::HumanCreated, human.space_id, target, now).await
}
