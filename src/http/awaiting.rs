//! Long-polls: hold the request until a message has settled (contract section 7).

use super::App;
use super::audience::Agent;
use super::path::Ids;
use super::query::Query;
use super::reply::{self, Reply};
use crate::domain::{Message, MessageId, MessageStatus, Principal, Refusal, SessionId};
use axum::extract::State;
use axum::http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

const DEFAULT_SECONDS: i64 = 30;
const MAX_SECONDS: i64 = 55;

pub async fn message(
    Agent(principal): Agent,
    State(app): State<App>,
    Ids(session, message): Ids<SessionId, MessageId>,
    query: Query,
    headers: HeaderMap,
) -> Reply {
    let patience = match query.number("timeout", 0, MAX_SECONDS)? {
        Some(seconds) => seconds,
        None => preferred_wait(&headers).unwrap_or(DEFAULT_SECONDS),
    };
    let patience = Duration::from_secs(patience.unsigned_abs());
    reply::ok(&settled(&app, &principal, session, message, patience).await?)
}

/// The message once it has settled, or as it stands when the time is up or the server drains.
async fn settled(
    app: &App,
    principal: &Arc<Principal>,
    session: SessionId,
    id: MessageId,
    patience: Duration,
) -> Result<Message, Refusal> {
    let scope = principal.scope();
    let read = async || -> Result<Message, Refusal> {
        app.store.message(scope, session, id).await?.ok_or(Refusal::NotFound("Message"))
    };
    let message = read().await?;
    if message.status != MessageStatus::Pending || patience.is_zero() {
        return Ok(message);
    }
    // First listen, then look again: a settling between the two is seen by one of them.
    let attendance = app.hub.attend(Arc::clone(principal));
    let mut waiter = app.hub.waiter(session, id);
    if let Some(head) = app.store.head(scope, session).await? {
        app.hub.observe(head.space, session, head.last_seq);
    }
    let message = read().await?;
    if message.status != MessageStatus::Pending {
        return Ok(message);
    }
    tokio::select! {
        () = waiter.settled() => {}
        () = tokio::time::sleep(patience) => return Ok(message),
        () = attendance.ended() => return Ok(message),
    }
    read().await
}

/// `Prefer: wait=SECONDS` (RFC 7240 section 4.3); a preference that can't be met is met as far as it can be.
fn preferred_wait(headers: &HeaderMap) -> Option<i64> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(','));
    preferences.find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("wait") {
            return None;
        }
        let value = value.split(';').next().unwrap_or_default().trim().trim_matches('"');
        value.parse::<i64>().ok().map(|seconds| seconds.clamp(0, MAX_SECONDS))
    })
}
