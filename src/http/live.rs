//! Typing and read marks over HTTP.

use super::App;
use super::audience::{Audience, Person};
use super::body::Body;
use super::path::Id;
use super::reply::{self, Reply};
use crate::domain::{Refusal, SessionId};
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "typing": true })))]
pub struct TypingBody {
    /// `true` unless given.
    typing: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "seq": 12 })))]
pub struct ReadBody {
    /// The last event that was read.
    #[schema(value_type = i64, minimum = 0)]
    seq: Option<i64>,
}

/// Show that one types
///
/// It lapses after 6 seconds unless repeated.
#[utoipa::path(
    post, path = "/sessions/{id}/typing", operation_id = "setTyping",
    request_body = TypingBody,
    responses((status = 204, description = "Shown")),
)]
pub async fn typing<A: Audience>(
    caller: A,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    body: Body<TypingBody>,
) -> Reply {
    app.type_in(caller.principal(), session, body.value.typing.unwrap_or(true)).await?;
    reply::no_content()
}

/// Mark as read up to an event
#[utoipa::path(
    post, path = "/sessions/{id}/read", operation_id = "markRead",
    request_body = ReadBody,
    responses((status = 204, description = "Noted")),
)]
pub async fn read(
    Person(principal): Person,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    body: Body<ReadBody>,
) -> Reply {
    let seq = body.value.seq.ok_or_else(|| Refusal::required("seq"))?;
    app.read_to(&principal, session, seq).await?;
    reply::no_content()
}
