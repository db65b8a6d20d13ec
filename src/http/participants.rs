//! Participants of a session: list, add, remove.

use super::App;
use super::audience::{Agent, Audience};
use super::body::Body;
use super::idempotency::IdempotencyKey;
use super::path::{Id, Ids};
use super::query::Query;
use super::reply::{self, Reply};
use crate::domain::decide::{Command, WhichParticipant};
use crate::domain::draft::{Named, ParticipantDraft};
use crate::domain::participant::Member;
use crate::domain::{HumanId, Page, PageRequest, Participant, ParticipantId, Principal, Refusal, SessionId, SpaceId};
use crate::timeline::Outcome;
use axum::extract::State;

/// Finds who a draft names, in one space.
pub(super) async fn resolve(
    app: &App,
    space: SpaceId,
    draft: &ParticipantDraft,
    field: &str,
) -> Result<Member, Refusal> {
    match draft.named(field)? {
        Named::AgentId(id) => {
            let agent = app.store.agent(space, id).await?;
            Ok(agent.ok_or(Refusal::NotFound("Agent"))?.member())
        }
        Named::AgentName(name) => {
            let agent = app.store.agent_by_name(space, &name).await?;
            Ok(agent.ok_or(Refusal::NotFound("Agent"))?.member())
        }
        Named::HumanId(id) => member_of_space(app, space, id).await,
        Named::HumanEmail(email) => {
            let human = app.store.human_by_email(&email).await?.ok_or(Refusal::NotFound("Human"))?;
            member_of_space(app, space, human.id).await
        }
    }
}

pub(super) async fn member_of_space(app: &App, space: SpaceId, human: HumanId) -> Result<Member, Refusal> {
    let human = app.store.human_in_space(space, human).await?;
    Ok(human.ok_or(Refusal::NotFound("Human"))?.member())
}

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
    // Whoever may not see the session learns nothing of who is in the directory.
    app.store.head(principal.scope(), session).await?.ok_or(Refusal::NotFound("Session"))?;
    let member = resolve(&app, agent.space, &draft, "").await?;
    let role = draft.role.unwrap_or_else(|| Participant::MEMBER.to_owned());
    let command = Command::AddParticipant { member, role, guest: None };
    let outcome = app.command(&principal, session, command, key.of(&principal, body.digest)).await?;
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
) -> Reply {
    remove_named(&app, &principal, session, WhichParticipant::Id(participant)).await
}

/// Removes a participant; a guest's token ends with it.
pub(super) async fn remove_named(
    app: &App,
    principal: &std::sync::Arc<Principal>,
    session: SessionId,
    which: WhichParticipant,
) -> Reply {
    let outcome = app.command(principal, session, Command::RemoveParticipant(which), None).await?;
    if let Outcome::Removed(gone) = &outcome
        && let Some(guest) = gone.guest_id
    {
        app.revoke(guest.0);
    }
    reply::outcome(app, principal.scope(), outcome).await
}
