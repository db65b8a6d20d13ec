//! Participants of a session: list, add, remove.

use super::audience::{Agent, Audience};
use super::body::Body;
use super::idempotency::IdempotencyKey;
use super::path::{Id, Ids};
use super::query::Query;
use super::reply::{self, Reply};
use super::{App, entrants, guests};
use crate::domain::decide::{Command, WhichParticipant};
use crate::protocol::body::ParticipantDraft;
use crate::domain::{AuditEvent, AuditSource, AuditTarget, AuditTargetType, Participant, ParticipantId, Principal, Refusal, SessionId};
use crate::protocol::page::{Page, PageRequest};
use crate::timeline::Outcome;
use axum::extract::State;

/// List participants
///
/// Who can see the session, with their public keys.
#[utoipa::path(
    get, path = "/sessions/{id}/participants", operation_id = "listParticipants",
    params(PageRequest),
    responses((status = 200, description = "A page of participants", body = Page<Participant>)),
)]
pub async fn list<A: Audience>(caller: A, State(app): State<App>, Id(session): Id<SessionId>, query: Query) -> Reply {
    let page = app.store.participants(caller.principal().scope(), session, query.page()?).await?;
    let page = page.ok_or(Refusal::NotFound("Session"))?;
    let online = app.hub.online(session).await;
    reply::ok(&page.map(|participant| Participant { online: online.contains(&participant.principal()), ..participant }))
}

/// Add a participant
#[utoipa::path(
    post, path = "/sessions/{id}/participants", operation_id = "addParticipant",
    request_body = ParticipantDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The participant", body = Participant), (status = 200, description = "It was one already", body = Participant)),
)]
pub async fn add(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    key: IdempotencyKey,
    body: Body<ParticipantDraft>,
) -> Reply {
    let Principal::Agent(agent) = &*principal else { return Err(Refusal::Internal.into()) };
    let draft = body.value;
    draft.named("")?;
    let member = async {
        // Whoever may not see the session learns nothing of who is in the directory.
        app.store.head(principal.scope(), session).await?.ok_or(Refusal::NotFound("Session"))?;
        entrants::resolve(&app, agent.space, &draft, "").await
    };
    let outcome = match member.await {
        Ok(member) => {
            let role = draft.role.unwrap_or_else(|| Participant::MEMBER.to_owned());
            let command = Command::AddParticipant { member, role, guest: None };
            app.command(&principal, session, command, key.of(&principal, body.digest)).await?
        }
        Err(refusal) => key.recall(&app, &principal, body.digest, refusal).await?,
    };
    reply::outcome(&app, principal.scope(), outcome).await
}

/// Remove a participant
///
/// Its live subscriptions to the session end.
#[utoipa::path(
    delete, path = "/sessions/{id}/participants/{participantId}", operation_id = "removeParticipant",
    responses((status = 204, description = "Removed")),
)]
pub async fn remove(
    Agent(principal): Agent,
    State(app): State<App>,
    Ids(session, participant): Ids<SessionId, ParticipantId>,
    source: AuditSource,
) -> Reply {
    remove_named(&app, &principal, session, WhichParticipant::Id(participant), &source).await
}

/// Removes a participant; a guest's token ends with it.
pub(super) async fn remove_named(
    app: &App,
    principal: &std::sync::Arc<Principal>,
    session: SessionId,
    which: WhichParticipant,
    source: &AuditSource,
) -> Reply {
    let outcome = app.command(principal, session, Command::RemoveParticipant(which), None).await?;
    if let Outcome::Removed(gone) = &outcome
        && let Some(guest) = gone.guest_id
    {
        app.revoke([guest.0]);
        let target = AuditTarget::new(AuditTargetType::GuestToken, guest, gone.name.clone());
        guests::note(app, principal, source, AuditEvent::GuestTokenRevoked, target).await;
    }
    reply::outcome(app, principal.scope(), outcome).await
}
