//! Interactions: the older names for a session with one message that requires a response.
//!
//! An interaction's id is that of its session.

use super::auth::{Agent, Person, SessionCaller};
use super::body::Body;
use super::paged_stream::{self, Chunk};
use super::path::Id;
use super::query::Query;
use super::reply::{self, HandlerResult};
use super::{App, messages};
use crate::domain::{Interaction, Message, MessageStatus, SessionId};
use crate::protocol::body::{AnswerDraft, BlocksDraft, InteractionDraft, MessageDraft, NoBody};
use crate::protocol::openapi::errors::Forbidden;
use crate::protocol::page::{Page, PageRequest};
use crate::service::idempotency::IdempotencyKey;
use crate::service::interactions;
use axum::extract::State;
use serde::de::IgnoredAny;
use std::sync::Arc;

/// Open an interaction
///
/// Creates a session and the message that asks, in one transaction. 409 `CONFLICT` if the `id` is in use.
#[utoipa::path(
    post, path = "/interactions", operation_id = "createInteraction",
    request_body = InteractionDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The interaction", body = Interaction)),
)]
pub async fn create(
    caller: Agent,
    State(app): State<App>,
    key: IdempotencyKey,
    body: Body<InteractionDraft>,
) -> HandlerResult {
    let (principal, agent) = (&caller.0, caller.agent()?);
    let idempotency = key.of(principal, body.digest);
    reply::answer(interactions::open(&app, principal, agent, body.value, idempotency).await?)
}

/// List interactions
///
/// By latest activity, newest first.
#[utoipa::path(
    get, path = "/interactions", operation_id = "listInteractions",
    params(PageRequest, ("status" = Option<MessageStatus>, Query, description = "Only interactions of this status.")),
    responses((status = 200, description = "A page of interactions", body = Page<Interaction>)),
)]
pub async fn list<C: SessionCaller>(caller: C, State(app): State<App>, query: Query) -> HandlerResult {
    let words: Vec<_> = MessageStatus::ALL.iter().map(|status| status.as_str()).collect();
    let status = query.word("status", MessageStatus::parse, &words)?;
    let (scope, page) = (caller.principal().scope(), query.page()?);
    let found = app.store.interactions(scope, status, page).await?;
    let (total, count, ids) = (found.total, found.data.len(), Arc::from(found.data));
    let read = move |done: usize| {
        let (app, ids): (_, Arc<[SessionId]>) = (App::clone(&app), Arc::clone(&ids));
        async move {
            let found = app.store.interactions_of(scope, &ids[done..], paged_stream::MAX_BYTES).await?;
            Chunk::new(found.count, &found.data)
        }
    };
    paged_stream::page(page, total, count, read(0).await?, read)
}

/// Get an interaction
#[utoipa::path(
    get, path = "/interactions/{id}", operation_id = "getInteraction",
    responses((status = 200, description = "The interaction", body = Interaction)),
)]
pub async fn get<C: SessionCaller>(caller: C, State(app): State<App>, Id(session): Id<SessionId>) -> HandlerResult {
    reply::ok(&interactions::get(&app, caller.principal(), session).await?)
}

/// Cancel a pending interaction
///
/// 409 `ALREADY_SETTLED` if the interaction is no longer pending.
#[utoipa::path(
    post, path = "/interactions/{id}/cancel", operation_id = "cancelInteraction",
    request_body = NoBody,
    params(IdempotencyKey),
    responses((status = 200, description = "The interaction, cancelled", body = Interaction)),
)]
pub async fn cancel(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    key: IdempotencyKey,
    body: Body<IgnoredAny>,
) -> HandlerResult {
    reply::answer(interactions::cancel(&app, &principal, session, key.of(&principal, body.digest)).await?)
}

/// Acknowledge the outcome
///
/// The agent that asked confirms that it has processed the outcome. Idempotent. 409 while the interaction is pending.
#[utoipa::path(
    post, path = "/interactions/{id}/acknowledge", operation_id = "acknowledgeInteraction",
    request_body = NoBody,
    params(IdempotencyKey),
    responses((status = 200, description = "The interaction", body = Interaction)),
)]
pub async fn acknowledge(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    key: IdempotencyKey,
    body: Body<IgnoredAny>,
) -> HandlerResult {
    reply::answer(interactions::acknowledge(&app, &principal, session, key.of(&principal, body.digest)).await?)
}

/// Append a block
///
/// The interaction may be settled. 409 if its session is closed, or if the interaction has the maximum number of blocks.
#[utoipa::path(
    post, path = "/interactions/{id}/blocks", operation_id = "pushBlocks",
    request_body = BlocksDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The interaction with the block", body = Interaction)),
)]
pub async fn push_blocks(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    key: IdempotencyKey,
    body: Body<BlocksDraft>,
) -> HandlerResult {
    let idempotency = key.of(&principal, body.digest);
    reply::answer(interactions::push_blocks(&app, &principal, session, body.value, idempotency).await?)
}

/// Post a message to an interaction
#[utoipa::path(
    post, path = "/interactions/{id}/messages", operation_id = "postInteractionMessage",
    request_body = MessageDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The message", body = Message)),
)]
pub async fn post_message(
    caller: Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    key: IdempotencyKey,
    body: Body<MessageDraft>,
) -> HandlerResult {
    interactions::message_of(&app, caller.principal(), session).await?;
    messages::post(caller, State(app), Id(session), key, body).await
}

/// List the messages of an interaction
///
/// Oldest first.
#[utoipa::path(
    get, path = "/interactions/{id}/messages", operation_id = "listInteractionMessages",
    params(PageRequest),
    responses((status = 200, description = "A page of messages", body = Page<Message>)),
)]
pub async fn messages(
    caller: Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    query: Query,
) -> HandlerResult {
    interactions::message_of(&app, caller.principal(), session).await?;
    messages::list(caller, State(app), Id(session), query).await
}

/// Answer an interaction
///
/// Settles the interaction. Of several concurrent answers one wins; the others get 409 `ALREADY_RESPONDED`. 403 if the caller may not answer the interaction.
#[utoipa::path(
    post, path = "/interactions/{id}/respond", operation_id = "respondToInteraction",
    request_body = AnswerDraft,
    params(IdempotencyKey),
    responses((status = 200, description = "The interaction, settled", body = Interaction), Forbidden),
)]
pub async fn respond(
    Person(principal): Person,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    key: IdempotencyKey,
    body: Body<AnswerDraft>,
) -> HandlerResult {
    let idempotency = key.of(&principal, body.digest);
    reply::answer(interactions::respond(&app, &principal, session, body.value, idempotency).await?)
}
