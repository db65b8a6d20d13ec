//! Revocation: keys, agents, humans, spaces, and the live connections that depend on them.

use super::{audit, sessions};
use crate::context::Context;
use crate::domain::command::{Command, WhichParticipant};
use crate::domain::principal::{AgentPrincipal, ManagerPrincipal};
use crate::domain::{AgentId, AuditEvent, AuditSource, AuditTargetType, HumanId, KeyId, Refusal, SpaceId};
use crate::store::{GuestOf, NotRevoked, Revoked, Revoker};
use futures::future::join_all;
use uuid::Uuid;

/// Most guests who leave their sessions at a time.
const LEAVE_AT_ONCE: usize = 16;

/// Makes revocations take effect at once on this node, and soon on the others.
pub fn take_effect(app: &Context, ids: impl IntoIterator<Item = Uuid>) {
    app.hub.revoke(&ids.into_iter().collect());
}

/// Revokes a key; with `cascade` also the keys and guest tokens that it made.
pub async fn revoke_key(
    app: &Context,
    manager: &ManagerPrincipal,
    source: AuditSource,
    id: KeyId,
    cascade: bool,
) -> Result<(), Refusal> {
    let revoked = app.store.revoke_key(&revoker(app, manager, source), id, cascade).await?;
    end(app, id, revoked, "Key").await
}

/// Deactivates an agent, with its keys.
pub async fn deactivate_agent(
    app: &Context,
    manager: &ManagerPrincipal,
    source: AuditSource,
    id: AgentId,
) -> Result<(), Refusal> {
    let revoked = app.store.deactivate_agent(&revoker(app, manager, source), id).await?;
    end(app, id, revoked, "Agent").await
}

/// Deactivates a human.
pub async fn deactivate_human(
    app: &Context,
    manager: &ManagerPrincipal,
    source: &AuditSource,
    id: HumanId,
) -> Result<(), Refusal> {
    if !app.store.deactivate_human(manager.space, id, app.clock.now()).await? {
        return Err(Refusal::NotFound("Human"));
    }
    take_effect(app, [id.0]);
    audit::record_by_id(app, manager, source, AuditEvent::HumanDeactivated, AuditTargetType::Human, id.0).await;
    Ok(())
}

/// Deactivates a space other than the owner's own.
pub async fn deactivate_space(
    app: &Context,
    owner: &AgentPrincipal,
    source: AuditSource,
    id: SpaceId,
) -> Result<(), Refusal> {
    if id == owner.space {
        return Err(Refusal::Conflict("The space of the key itself can't be deactivated".to_owned()));
    }
    let by = Revoker {
        space: owner.space,
        permission: owner.permission,
        author: owner.author(),
        source,
        at: app.clock.now(),
    };
    let revoked = app.store.deactivate_space(&by, id).await?;
    end(app, id, revoked, "Space").await
}

fn revoker(app: &Context, manager: &ManagerPrincipal, source: AuditSource) -> Revoker {
    let ManagerPrincipal { space, permission, .. } = *manager;
    Revoker { space, permission, author: manager.author(), source, at: app.clock.now() }
}

/// Ends the live connections that rest on revoked credentials. A refusal names `what` was to be revoked.
async fn end(
    app: &Context,
    id: impl Into<Uuid>,
    revoked: Result<Revoked, NotRevoked>,
    what: &'static str,
) -> Result<(), Refusal> {
    let revoked = revoked.map_err(|refused| refused.refusal(what))?;
    let keys = revoked.keys.iter().map(|key| key.0);
    let guests = revoked.guests.iter().map(|guest| guest.id.0);
    let humans = revoked.humans.iter().map(|human| human.0);
    take_effect(app, keys.chain(guests).chain(humans).chain([id.into()]));
    // Their tokens are revoked already. The other participants get an event that they have left.
    let leave = |guest: &GuestOf| {
        let command = Command::RemoveParticipant(WhichParticipant::Guest(guest.id));
        sessions::system_command(app, guest.space, guest.session, command)
    };
    for some in revoked.guests.chunks(LEAVE_AT_ONCE) {
        join_all(some.iter().map(leave)).await;
    }
    Ok(())
}
