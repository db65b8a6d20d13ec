//! Long-polls: hold the request until a message, or the one of an interaction, has settled (contract section 7).

use super::audience::Agent;
use super::path::{Id, Ids};
use super::query::Query;
use super::reply::{self, Reply};
use super::{ApiError, App};
use crate::domain::interaction::Interaction;
use crate::domain::{Message, MessageId, MessageStatus, Principal, Refusal, SessionId};
use crate::store::Moment;
use axum::extract::State;
use axum::http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

const DEFAULT_SECONDS: i64 = 30;
const MAX_SECONDS: i64 = 55;

/// Wait until a message has settled
///
/// Answers at once where it is settled, as soon as it settles, or with the message as it stands (`Pending`) when the time is up: a wait that ends is no denial.
#[utoipa::path(
    get, path = "/sessions/{id}/messages/{messageId}/await", operation_id = "awaitMessage",
    params(
        ("timeout" = Option<i64>, Query, minimum = 0, maximum = 55, description = "Seconds to wait; 30 unless given."),
        ("Prefer" = Option<String>, Header, description = "`wait=SECONDS` (RFC 7240), where there is no `timeout`."),
    ),
    responses((status = 200, description = "The message, settled or still pending", body = Message)),
)]
pub async fn message(
    Agent(principal): Agent,
    State(app): State<App>,
    Ids(session, message): Ids<SessionId, MessageId>,
    query: Query,
    headers: HeaderMap,
) -> Reply {
    let patience = patience(&query, &headers)?;
    reply::ok(&settled(&app, &principal, session, message, patience).await?)
}

/// Wait until an interaction has settled
///
/// As for a message: with the interaction as it stands when the time is up.
#[utoipa::path(
    get, path = "/interactions/{id}/await", operation_id = "awaitInteraction",
    params(
        ("timeout" = Option<i64>, Query, minimum = 0, maximum = 55, description = "Seconds to wait; 30 unless given."),
        ("Prefer" = Option<String>, Header, description = "`wait=SECONDS` (RFC 7240), where there is no `timeout`."),
    ),
    responses((status = 200, description = "The interaction, settled or still pending", body = Interaction)),
)]
pub async fn interaction(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    query: Query,
    headers: HeaderMap,
) -> Reply {
    let patience = patience(&query, &headers)?;
    let missing = Refusal::NotFound("Interaction");
    let message = app.store.interaction_message(principal.scope(), session).await?.ok_or(missing.clone())?;
    settled(&app, &principal, session, message, patience).await?;
    reply::ok(&app.store.interaction(principal.scope(), session, Moment::Now).await?.ok_or(missing)?)
}

/// How long the caller wants to wait: `?timeout=SECONDS`, else `Prefer: wait=SECONDS`.
fn patience(query: &Query, headers: &HeaderMap) -> Result<Duration, ApiError> {
    let seconds = match query.number("timeout", 0, MAX_SECONDS)? {
        Some(seconds) => seconds,
        None => preferred_wait(headers).unwrap_or(DEFAULT_SECONDS),
    };
    Ok(Duration::from_secs(seconds.unsigned_abs()))
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
    {
        let message = read().await?;
        if message.status != MessageStatus::Pending || patience.is_zero() {
            return Ok(message);
        }
    }
    // First listen, then look again: a settling between the two is seen by one of them.
    let attendance = app.hub.attend(Arc::clone(principal));
    let mut waiter = app.hub.waiter(session, id);
    if let Some(head) = app.store.head(scope, session).await? {
        app.hub.observe(head.space, session, head.last_seq);
    }
    {
        // Not held while waiting: it may be large, and there may be ten thousand.
        let message = read().await?;
        if message.status != MessageStatus::Pending {
            return Ok(message);
        }
    }
    tokio::select! {
        () = waiter.settled() => {}
        () = tokio::time::sleep(patience) => {}
        () = attendance.ended() => {}
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
