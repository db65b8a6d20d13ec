//! Typing and read marks over HTTP.

use super::App;
use super::audience::{Audience, Person};
use super::body::Body;
use super::path::Id;
use super::reply::{self, Reply};
use crate::domain::{Refusal, SessionId};
use axum::extract::State;
use serde::Deserialize;

#[derive(Deserialize)]
pub struct TypingBody {
    typing: Option<bool>,
}

#[derive(Deserialize)]
pub struct ReadBody {
    seq: Option<i64>,
}

pub async fn typing<A: Audience>(
    caller: A,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    body: Body<TypingBody>,
) -> Reply {
    app.type_in(caller.principal(), session, body.value.typing.unwrap_or(true)).await?;
    reply::no_content()
}

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
