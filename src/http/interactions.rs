//! Interactions: the older names for a session with one message that requires a response.
//!
//! An interaction's id is that of its session, which stays open when it has settled. All that happens here are the
//! sessions' own commands; a session that was not made as an interaction is not found.

use super::audience::{Agent, Audience, Person};
use super::body::{Body, NoBody};
use super::idempotency::IdempotencyKey;
use super::path::Id;
use super::pieces::{self, Piece};
use super::query::Query;
use super::reply::{self, Reply};
use super::sessions::Opening;
use super::{ApiError, App, entrants, messages};
use crate::domain::decide::{Acknowledgement, Command};
use crate::protocol::body::{AnswerDraft, BlocksDraft, InteractionDraft, MessageDraft};
use crate::domain::interaction::Interaction;
use crate::domain::{Message, MessageId, MessageStatus, Principal, Refusal, Scope, SessionId};
use crate::protocol::page::{Page, PageRequest};
use crate::store::{Moment, SavedReplyKind};
use crate::timeline::Outcome;
use crate::protocol::openapi::errors::Forbidden;
use axum::extract::State;
use axum::http::StatusCode;
use serde::de::IgnoredAny;
use std::sync::Arc;

const MISSING: Refusal = Refusal::NotFound("Interaction");

/// Open an interaction
///
/// A session and the message in it that asks, in one transaction. 409 `CONFLICT` where the `id` is taken.
#[utoipa::path(
    post, path = "/interactions", operation_id = "createInteraction",
    request_body = InteractionDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The interaction", body = Interaction)),
)]
pub async fn create(
    Agent(principal): Agent,
    State(app): State<App>,
    key: IdempotencyKey,
    body: Body<InteractionDraft>,
) -> Reply {
    let Principal::Agent(agent) = &*principal else { return Err(Refusal::Internal.into()) };
    let (mut draft, interaction) = body.value.check(app.config.max_field_bytes)?;
    let entrants = entrants::of_agent(&app, agent, draft.participants.take()).await;
    let outcome = match entrants.and_then(|entrants| Opening::new(&app, entrants, draft)) {
        Ok(opening) => {
            let idempotency = key.of(&principal, body.digest);
            opening.submit(&app, &principal, Some(Box::new(interaction)), idempotency).await?
        }
        Err(refusal) => key.recall(&app, &principal, body.digest, refusal).await?,
    };
    done(&app, principal.scope(), StatusCode::CREATED, outcome).await
}

/// List interactions
///
/// Newest activity first.
#[utoipa::path(
    get, path = "/interactions", operation_id = "listInteractions",
    params(PageRequest, ("status" = Option<MessageStatus>, Query, description = "Only interactions of this status.")),
    responses((status = 200, description = "A page of interactions", body = Page<Interaction>)),
)]
pub async fn list<A: Audience>(caller: A, State(app): State<App>, query: Query) -> Reply {
    let words: Vec<_> = MessageStatus::ALL.iter().map(|status| status.as_str()).collect();
    let status = query.word("status", MessageStatus::parse, &words)?;
    let (scope, page) = (caller.principal().scope(), query.page()?);
    let found = app.store.interactions(scope, status, page).await?;
    let (total, count, ids) = (found.total, found.data.len(), Arc::from(found.data));
    let read = move |done: usize| {
        let (app, ids): (_, Arc<[SessionId]>) = (App::clone(&app), Arc::clone(&ids));
        async move {
            let found = app.store.interactions_of(scope, &ids[done..], pieces::MAX_BYTES).await?;
            Piece::new(found.count, &found.data)
        }
    };
    pieces::page(page, total, count, read(0).await?, read)
}

/// Get an interaction
#[utoipa::path(
    get, path = "/interactions/{id}", operation_id = "getInteraction",
    responses((status = 200, description = "The interaction", body = Interaction)),
)]
pub async fn get<A: Audience>(caller: A, State(app): State<App>, Id(session): Id<SessionId>) -> Reply {
    show(&app, caller.principal().scope(), session, Moment::Now, StatusCode::OK).await
}

/// Cancel a pending interaction
///
/// 409 `ALREADY_SETTLED` where it is not pending any more.
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
) -> Reply {
    let command = Command::Cancel(message_of(&app, &principal, session).await?);
    let outcome = app.command(&principal, session, command, key.of(&principal, body.digest)).await?;
    done(&app, principal.scope(), StatusCode::OK, outcome).await
}

/// Acknowledge the outcome
///
/// By the agent that asked. Once is enough. 409 while it is pending.
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
) -> Reply {
    let message = message_of(&app, &principal, session).await?;
    let command = Command::Acknowledge(Acknowledgement { message, exclusive: false, of_interaction: true });
    let outcome = app.command(&principal, session, command, key.of(&principal, body.digest)).await?;
    done(&app, principal.scope(), StatusCode::OK, outcome).await
}

/// Push a block
///
/// Also to an interaction that has settled. 409 once its session is closed, or it holds as much as it may.
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
) -> Reply {
    let command = Command::PushBlocks(body.value.check(app.config.max_field_bytes)?);
    message_of(&app, &principal, session).await?;
    let outcome = app.command(&principal, session, command, key.of(&principal, body.digest)).await?;
    done(&app, principal.scope(), StatusCode::CREATED, outcome).await
}

/// Post a message beside the question
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
) -> Reply {
    message_of(&app, caller.principal(), session).await?;
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
pub async fn messages(caller: Agent, State(app): State<App>, Id(session): Id<SessionId>, query: Query) -> Reply {
    message_of(&app, caller.principal(), session).await?;
    messages::list(caller, State(app), Id(session), query).await
}

/// Answer
///
/// Settles the interaction; of any number of racing answers one wins, and the others get 409 `ALREADY_RESPONDED`. 403 for one who may not answer it.
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
) -> Reply {
    let asked = message_of(&app, &principal, session).await?;
    let posted = app.post(&principal, session, body.value.to(asked), key.of(&principal, body.digest)).await?;
    let response = show(&app, principal.scope(), session, Moment::Settled, StatusCode::OK).await?;
    Ok(if posted.replayed { reply::replayed(response) } else { response })
}

/// The message of an interaction that this principal sees.
async fn message_of(app: &App, principal: &Principal, session: SessionId) -> Result<MessageId, ApiError> {
    Ok(app.store.interaction_message(principal.scope(), session).await?.ok_or(MISSING)?)
}

async fn show(app: &App, scope: Scope, session: SessionId, at: Moment, status: StatusCode) -> Reply {
    reply::json(status, &app.store.interaction(scope, session, at).await?.ok_or(MISSING)?)
}

/// The interaction as the command left it: the same for whoever asks again with the same `Idempotency-Key`.
async fn done(app: &App, scope: Scope, status: StatusCode, outcome: Outcome) -> Reply {
    let (session, at, replayed) = match outcome {
        Outcome::Interaction { session, seq } => (session, Moment::Seq(seq), false),
        Outcome::Settled(session, _) => (session, Moment::Settled, false),
        Outcome::Replayed { reply: SavedReplyKind::Interaction(session, seq), .. } => (session, Moment::Seq(seq), true),
        Outcome::Replayed { reply: SavedReplyKind::Settled(session, _), .. } => (session, Moment::Settled, true),
        _ => return Err(Refusal::Internal.into()),
    };
    let response = show(app, scope, session, at, status).await?;
    Ok(if replayed { reply::replayed(response) } else { response })
}
