//! Messages of a session: post, list, get, cancel, acknowledge.

use super::App;
use super::auth::{Agent, SessionCaller};
use super::body::Body;
use super::paged_stream::{self, Chunk};
use super::path::{Id, Ids};
use super::query::Query;
use super::reply::{self, HandlerResult};
use crate::domain::{Message, MessageId, Refusal, SessionId};
use crate::protocol::body::{AcknowledgementDraft, MessageDraft, NoBody};
use crate::protocol::openapi::errors::Forbidden;
use crate::protocol::page::{Page, PageRequest};
use crate::service::idempotency::IdempotencyKey;
use crate::service::messages;
use crate::store::MessagePage;
use axum::extract::State;
use serde::de::IgnoredAny;
use std::sync::Arc;

/// Post a message
///
/// The message is durable when the reply is sent. A person's message whose `inReplyTo` names a pending message is its response and settles it, unless `settles` is `false`. Of several concurrent responses one wins; the others get 409 `ALREADY_RESPONDED`. 403 if the caller may not answer the message. 409 `SESSION_CLOSED` if the session is closed. 409 `CONFLICT` for a message with `responseRequired` if 1,000 messages of the session are pending.
#[utoipa::path(
    post, path = "/sessions/{id}/messages", operation_id = "postMessage",
    request_body = MessageDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The message", body = Message), Forbidden),
)]
pub async fn post<C: SessionCaller>(
    caller: C,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    key: IdempotencyKey,
    body: Body<MessageDraft>,
) -> HandlerResult {
    let principal = caller.principal();
    let idempotency = key.of(principal, body.digest);
    reply::answer(messages::post(&app, principal, session, body.value, idempotency).await?)
}

/// List messages
///
/// Oldest first.
#[utoipa::path(
    get, path = "/sessions/{id}/messages", operation_id = "listMessages",
    params(PageRequest),
    responses((status = 200, description = "A page of messages", body = Page<Message>)),
)]
pub async fn list<C: SessionCaller>(
    caller: C,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    query: Query,
) -> HandlerResult {
    let scope = caller.principal().scope();
    let page = query.page()?;
    let offset = page.offset();
    let found = app.store.messages_after(scope, session, offset, page.size, paged_stream::MAX_BYTES).await?;
    let MessagePage { total, messages } = found.ok_or(Refusal::NotFound("Session"))?;
    let count = paged_stream::count(page, total);
    paged_stream::page(page, total, count, Chunk::new(messages.len(), &messages)?, move |done| {
        let app = App::clone(&app);
        async move {
            let done = i64::try_from(done).unwrap_or(i64::MAX);
            let (after, limit) = (offset.saturating_add(done), page.size.min(total - offset) - done);
            let found = app.store.messages_after(scope, session, after, limit, paged_stream::MAX_BYTES).await?;
            let messages = found.ok_or(Refusal::NotFound("Session"))?.messages;
            Chunk::new(messages.len(), &messages)
        }
    })
}

/// Get a message
#[utoipa::path(
    get, path = "/sessions/{id}/messages/{messageId}", operation_id = "getMessage",
    responses((status = 200, description = "The message", body = Message)),
)]
pub async fn get<C: SessionCaller>(
    caller: C,
    State(app): State<App>,
    Ids(session, message): Ids<SessionId, MessageId>,
) -> HandlerResult {
    let message = app.store.message(caller.principal().scope(), session, message).await?;
    reply::ok(&message.ok_or(Refusal::NotFound("Message"))?)
}

/// Cancel a pending message
///
/// 409 `ALREADY_SETTLED` if the message is no longer pending.
#[utoipa::path(
    post, path = "/sessions/{id}/messages/{messageId}/cancel", operation_id = "cancelMessage",
    request_body = NoBody,
    params(IdempotencyKey),
    responses((status = 200, description = "The message, cancelled", body = Message)),
)]
pub async fn cancel(
    Agent(principal): Agent,
    State(app): State<App>,
    Ids(session, message): Ids<SessionId, MessageId>,
    key: IdempotencyKey,
    body: Body<IgnoredAny>,
) -> HandlerResult {
    let idempotency = key.of(&principal, body.digest);
    reply::answer(messages::cancel(&app, &principal, session, message, idempotency).await?)
}

/// Acknowledge the outcome of a question
///
/// The agent that asked confirms that it has processed the outcome. Sets `acknowledgedAt` once. 409 `CONFLICT` while the message is pending. With `exclusive`, every request but the first gets 409 `ALREADY_ACKNOWLEDGED`, so that only one of several processes of an agent continues.
#[utoipa::path(
    post, path = "/sessions/{id}/messages/{messageId}/acknowledge", operation_id = "acknowledgeMessage",
    request_body = AcknowledgementDraft,
    params(IdempotencyKey),
    responses((status = 200, description = "The message, acknowledged", body = Message)),
)]
pub async fn acknowledge(
    Agent(principal): Agent,
    State(app): State<App>,
    Ids(session, message): Ids<SessionId, MessageId>,
    key: IdempotencyKey,
    body: Body<AcknowledgementDraft>,
) -> HandlerResult {
    let exclusive = body.value.exclusive.unwrap_or(false);
    let idempotency = key.of(&principal, body.digest);
    reply::answer(messages::acknowledge(&app, &principal, session, message, exclusive, idempotency).await?)
}

/// List unacknowledged answers
///
/// The settled questions of the calling agent that are not acknowledged, in the order in which they settled. A restarted agent reads them to continue.
#[utoipa::path(
    get, path = "/answers", operation_id = "listAnswers",
    params(PageRequest),
    responses((status = 200, description = "A page of messages", body = Page<Message>)),
)]
pub async fn answers(caller: Agent, State(app): State<App>, query: Query) -> HandlerResult {
    let (scope, page) = (caller.0.scope(), query.page()?);
    let found = app.store.unacknowledged(scope, caller.agent()?.agent, page).await?;
    let (total, count, ids) = (found.total, found.data.len(), Arc::from(found.data));
    let read = move |done: usize| {
        let (app, ids): (_, Arc<[(SessionId, MessageId)]>) = (App::clone(&app), Arc::clone(&ids));
        async move {
            let found = app.store.messages_of(scope, &ids[done..], paged_stream::MAX_BYTES).await?;
            Chunk::new(found.count, &found.data)
        }
    };
    paged_stream::page(page, total, count, read(0).await?, read)
}
