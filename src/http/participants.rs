//! Participants of a session: list, add, remove.

use super::App;
use super::auth::{Agent, SessionCaller};
use super::body::Body;
use super::path::{Id, Ids};
use super::query::Query;
use super::reply::{self, HandlerResult};
use crate::domain::{AuditSource, Participant, ParticipantId, SessionId};
use crate::protocol::body::ParticipantDraft;
use crate::protocol::page::{Page, PageRequest};
use crate::service::idempotency::IdempotencyKey;
use crate::service::participants;
use axum::extract::State;

/// List participants
///
/// All principals with access to the session, with their public keys.
#[utoipa::path(
    get, path = "/sessions/{id}/participants", operation_id = "listParticipants",
    params(PageRequest),
    responses((status = 200, description = "A page of participants", body = Page<Participant>)),
)]
pub async fn list<C: SessionCaller>(
    caller: C,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    query: Query,
) -> HandlerResult {
    reply::ok(&participants::list(&app, caller.principal().scope(), session, query.page()?).await?)
}

/// Add a participant
#[utoipa::path(
    post, path = "/sessions/{id}/participants", operation_id = "addParticipant",
    request_body = ParticipantDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The participant", body = Participant), (status = 200, description = "The participant; it was added before", body = Participant)),
)]
pub async fn add(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    key: IdempotencyKey,
    body: Body<ParticipantDraft>,
) -> HandlerResult {
    reply::answer(participants::add(&app, &principal, session, &key, body.digest, body.value).await?)
}

/// Remove a participant
///
/// Ends the participant's live subscriptions to the session.
#[utoipa::path(
    delete, path = "/sessions/{id}/participants/{participantId}", operation_id = "removeParticipant",
    responses((status = 204, description = "Removed")),
)]
pub async fn remove(
    Agent(principal): Agent,
    State(app): State<App>,
    Ids(session, participant): Ids<SessionId, ParticipantId>,
    source: AuditSource,
) -> HandlerResult {
    participants::remove(&app, &principal, session, participant, &source).await?;
    reply::no_content()
}
