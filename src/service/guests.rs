//! Guest tokens: a link that opens one session.

use super::idempotency::IdempotencyKey;
use super::{Answer, audit, participants, sessions};
use crate::auth::Secret;
use crate::auth::secret::GUEST_TOKEN;
use crate::context::Context;
use crate::domain::command::{Command, NewGuest, WhichParticipant};
use crate::domain::participant::Member;
use crate::domain::people::Guest;
use crate::domain::principal::AgentPrincipal;
use crate::domain::{
    AuditEvent, AuditSource, AuditTarget, AuditTargetType, GuestId, Participant, ParticipantType, Permission,
    Principal, Refusal, Scope, SessionId, Timestamp,
};
use crate::protocol::body::guest::{GuestDraft, GuestInvitation, GuestToken};
use crate::protocol::page::{Page, PageRequest};
use crate::store::{SavedReplyKind, SecretHash};
use crate::timeline::Outcome;
use std::sync::Arc;

/// The context of a guest invitation: the inviting agent and the session.
pub struct Inviting<'a> {
    pub principal: &'a Arc<Principal>,
    pub agent: &'a AgentPrincipal,
    pub session: SessionId,
    pub source: &'a AuditSource,
}

/// Creates a guest token.
pub async fn create(
    app: &Context,
    by: Inviting<'_>,
    key: &IdempotencyKey,
    digest: SecretHash,
    draft: GuestDraft,
) -> Result<Answer, Refusal> {
    let Inviting { principal, agent, session, source } = by;
    let GuestInvitation { name, has_default_name, lifetime } = draft.check()?;
    let guest = GuestId::new();
    let token = key.secret(GUEST_TOKEN, &guest.to_string());
    let expires_at = app.clock.now().plus_seconds(lifetime);
    let member = Member { kind: ParticipantType::Guest, id: guest.into(), name, key: None };
    let command = Command::AddParticipant {
        member,
        role: Participant::MEMBER.to_owned(),
        guest: Some(NewGuest {
            token_hash: token.hash(),
            expires_at,
            created_by: principal.author(),
            limit: app.config.quotas.session_guests,
            // A key with `space` acts for the whole space, any other key only for its agent.
            answers_agent: (agent.permission < Permission::Space).then_some(agent.agent),
            has_default_name,
        }),
    };
    match sessions::command(app, principal, session, command, key.of(principal, digest)).await? {
        Outcome::Participant { participant, .. } => {
            let target = AuditTarget::new(AuditTargetType::GuestToken, guest, participant.name.clone());
            audit::record(app, principal, source, AuditEvent::GuestTokenCreated, target).await;
            Answer::of(201, &made(app, &token, *participant, expires_at)?)
        }
        // The token is derived again, not stored: from the caller's credential, the key and the guest's id.
        Outcome::Replayed { reply: SavedReplyKind::Body(body), .. } => {
            let participant: Participant = serde_json::from_str(&body).map_err(|_| Refusal::Internal)?;
            let guest = participant.guest_id.ok_or(Refusal::Internal)?;
            let token = key.secret(GUEST_TOKEN, &guest.to_string());
            let stored = app.store.guest_by_secret(&token.hash()).await?.ok_or(Refusal::NotFound("Guest token"))?;
            Ok(Answer::of(201, &made(app, &token, participant, stored.expires_at)?)?.replay())
        }
        _ => Err(Refusal::Internal),
    }
}

fn made(app: &Context, token: &Secret, participant: Participant, expires_at: Timestamp) -> Result<GuestToken, Refusal> {
    let base = app.config.public_url.as_deref().unwrap_or_default();
    Ok(GuestToken {
        id: participant.guest_id.ok_or(Refusal::Internal)?,
        token: token.as_str().to_owned(),
        url: format!("{base}/#guest={}", token.as_str()),
        expires_at,
        participant,
    })
}

/// A page of the guests of a session whose tokens are not revoked.
pub async fn list(app: &Context, scope: Scope, session: SessionId, page: PageRequest) -> Result<Page<Guest>, Refusal> {
    app.authenticator.show_uses().await;
    app.store.guests(scope, session, page).await?.ok_or(Refusal::NotFound("Session"))
}

/// Revokes a guest token: the guest leaves the session.
pub async fn revoke(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    guest: GuestId,
    source: &AuditSource,
) -> Result<(), Refusal> {
    participants::remove_which(app, principal, session, WhichParticipant::Guest(guest), source).await
}
