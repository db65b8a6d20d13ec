//! Participants of a session: list, add, remove; typing and read marks.

use super::idempotency::{IdempotencyKey, recall};
use super::{Answer, answer, audit, resolution, revocation, sessions};
use crate::context::Context;
use crate::domain::command::{Command, WhichParticipant};
use crate::domain::{
    AuditEvent, AuditSource, AuditTarget, AuditTargetType, Participant, ParticipantId, Principal, Refusal, Scope,
    SessionId,
};
use crate::protocol::body::ParticipantDraft;
use crate::protocol::page::{Page, PageRequest};
use crate::store::SecretHash;
use crate::timeline::Outcome;
use std::sync::Arc;

/// A page of the participants, with their presence.
pub async fn list(
    app: &Context,
    scope: Scope,
    session: SessionId,
    page: PageRequest,
) -> Result<Page<Participant>, Refusal> {
    let page = app.store.participants(scope, session, page).await?.ok_or(Refusal::NotFound("Session"))?;
    let online = app.hub.online(session).await;
    Ok(page.map(|participant| Participant { online: online.contains(&participant.principal()), ..participant }))
}

/// Adds the agent or human that an agent names.
pub async fn add(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    key: &IdempotencyKey,
    digest: SecretHash,
    draft: ParticipantDraft,
) -> Result<Answer, Refusal> {
    draft.named("")?;
    let member = async {
        // A caller without access to the session must not be able to query the directory through it.
        app.store.head(principal.scope(), session).await?.ok_or(Refusal::NotFound("Session"))?;
        resolution::resolve(app, principal.space(), &draft, "").await
    };
    let outcome = match member.await {
        Ok(member) => {
            let role = draft.role.unwrap_or_else(|| Participant::MEMBER.to_owned());
            let command = Command::AddParticipant { member, role, guest: None };
            sessions::command(app, principal, session, command, key.of(principal, digest)).await?
        }
        Err(refusal) => recall(app, principal, key.of(principal, digest), refusal).await?,
    };
    answer::of_outcome(app, principal.scope(), outcome).await
}

/// Removes a participant.
pub async fn remove(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    participant: ParticipantId,
    source: &AuditSource,
) -> Result<(), Refusal> {
    remove_which(app, principal, session, WhichParticipant::Id(participant), source).await
}

/// Removes a participant; a guest's token ends with it.
pub(super) async fn remove_which(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    which: WhichParticipant,
    source: &AuditSource,
) -> Result<(), Refusal> {
    let outcome = sessions::command(app, principal, session, Command::RemoveParticipant(which), None).await?;
    let Outcome::Removed(gone) = outcome else { return Err(Refusal::Internal) };
    if let Some(guest) = gone.guest_id {
        revocation::take_effect(app, [guest.0]);
        let target = AuditTarget::new(AuditTargetType::GuestToken, guest, gone.name.clone());
        audit::record(app, principal, source, AuditEvent::GuestTokenRevoked, target).await;
    }
    Ok(())
}

/// Notes that a principal types in a session that it sees, or has stopped.
pub async fn set_typing(app: &Context, principal: &Principal, session: SessionId, typing: bool) -> Result<(), Refusal> {
    let head = app.store.head(principal.scope(), session).await?;
    head.ok_or(Refusal::NotFound("Session"))?;
    app.hub.note_typing(session, principal.id(), principal.actor(), typing);
    Ok(())
}

/// Notes how far a participant has read, and shows it to the others.
pub async fn mark_read(app: &Context, principal: &Principal, session: SessionId, seq: i64) -> Result<(), Refusal> {
    if seq < 0 {
        return Err(Refusal::invalid("seq", "must not be negative"));
    }
    let mark = app.store.mark_read(principal.scope(), session, principal.id(), seq).await?;
    let mark = mark.ok_or(Refusal::NotFound("Session"))?;
    if mark.moved {
        app.hub.send_receipt(session, mark.participant, mark.seq);
    }
    Ok(())
}
