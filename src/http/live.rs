//! Typing and read marks over HTTP.

use super::App;
use super::auth::{Person, SessionCaller};
use super::body::Body;
use super::path::Id;
use super::reply::{self, HandlerResult};
use crate::domain::{Refusal, SessionId};
use crate::protocol::body::{ReadBody, TypingBody};
use crate::service::participants;
use axum::extract::State;

/// Show the caller as typing
///
/// The notice expires after 6 seconds unless it is repeated.
#[utoipa::path(
    post, path = "/sessions/{id}/typing", operation_id = "setTyping",
    request_body = TypingBody,
    responses((status = 204, description = "Shown")),
)]
pub async fn typing<C: SessionCaller>(
    caller: C,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    body: Body<TypingBody>,
) -> HandlerResult {
    participants::set_typing(&app, caller.principal(), session, body.value.typing.unwrap_or(true)).await?;
    reply::no_content()
}

/// Mark as read up to an event
#[utoipa::path(
    post, path = "/sessions/{id}/read", operation_id = "markRead",
    request_body = ReadBody,
    responses((status = 204, description = "Recorded")),
)]
pub async fn read(
    Person(principal): Person,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    body: Body<ReadBody>,
) -> HandlerResult {
    let seq = body.value.seq.ok_or_else(|| Refusal::required("seq"))?;
    participants::mark_read(&app, &principal, session, seq).await?;
    reply::no_content()
}
