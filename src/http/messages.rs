//! Messages of a session: post, list, get, cancel.

use super::App;
use super::audience::{Agent, Audience};
use super::body::Body;
use super::idempotency::IdempotencyKey;
use super::path::{Id, Ids};
use super::query::Query;
use super::reply::{self, Reply};
use crate::domain::decide::Command;
use crate::domain::draft::MessageDraft;
use crate::domain::{MessageId, Refusal, SessionId};
use axum::extract::State;
use axum::http::StatusCode;
use serde::de::IgnoredAny;

pub async fn post<A: Audience>(
    caller: A,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    key: IdempotencyKey,
    body: Body<MessageDraft>,
) -> Reply {
    let principal = caller.principal();
    let idempotency = key.of(principal, body.digest);
    let posted = app.post(principal, session, body.value, idempotency).await?;
    let response = reply::raw_json(StatusCode::CREATED, posted.json);
    Ok(if posted.replayed { reply::replayed(response) } else { response })
}

pub async fn list<A: Audience>(caller: A, State(app): State<App>, Id(session): Id<SessionId>, query: Query) -> Reply {
    let messages = app.store.messages(caller.principal().scope(), session, query.page()?).await?;
    reply::ok(&messages.ok_or(Refusal::NotFound("Session"))?)
}

pub async fn get<A: Audience>(
    caller: A,
    State(app): State<App>,
    Ids(session, message): Ids<SessionId, MessageId>,
) -> Reply {
    let message = app.store.message(caller.principal().scope(), session, message).await?;
    reply::ok(&message.ok_or(Refusal::NotFound("Message"))?)
}

pub async fn cancel(
    Agent(principal): Agent,
    State(app): State<App>,
    Ids(session, message): Ids<SessionId, MessageId>,
    key: IdempotencyKey,
    body: Body<IgnoredAny>,
) -> Reply {
    let idempotency = key.of(&principal, body.digest);
    let outcome = app.command(&principal, session, Command::Cancel(message), idempotency).await?;
    reply::outcome(&app, principal.scope(), outcome).await
}
