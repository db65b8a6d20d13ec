//! Long-polls: hold the request until a message, or the one of an interaction, has settled (contract section 7).

use super::audience::Agent;
use super::path::{Id, Ids};
use super::query::Query;
use super::reply::{self, Reply};
use super::{ApiError, App};
use crate::domain::interaction::Interaction;
use crate::domain::{Message, MessageId, MessageStatus, Principal, Refusal, SessionId};
use crate::hub::Woken;
use crate::store::Moment;
use axum::extract::{FromRequestParts, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

const DEFAULT_SECONDS: i64 = 30;
const MAX_SECONDS: i64 = 55;
const MISSING: Refusal = Refusal::NotFound("Message");

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
    Patience(patience): Patience,
) -> Reply {
    wait(&app, &principal, session, message, patience).await?;
    reply::ok(&app.store.message(principal.scope(), session, message).await?.ok_or(MISSING)?)
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
    Patience(patience): Patience,
) -> Reply {
    let missing = Refusal::NotFound("Interaction");
    if !patience.is_zero() {
        let message = app.store.interaction_message(principal.scope(), session).await?.ok_or(missing.clone())?;
        wait(&app, &principal, session, message, patience).await?;
    }
    reply::ok(&app.store.interaction(principal.scope(), session, Moment::Now).await?.ok_or(missing)?)
}

/// How long the caller wants to wait: `?timeout=SECONDS`, else `Prefer: wait=SECONDS`. Taken out of the request at once,
/// since a header that is kept keeps the whole head of its request in memory as long as the wait goes on.
pub struct Patience(Duration);

impl<S: Send + Sync> FromRequestParts<S> for Patience {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Ok(query) = Query::from_request_parts(parts, state).await;
        let seconds = match query.number("timeout", 0, MAX_SECONDS)? {
            Some(seconds) => seconds,
            None => preferred_wait(&parts.headers).unwrap_or(DEFAULT_SECONDS),
        };
        Ok(Self(Duration::from_secs(seconds.unsigned_abs())))
    }
}

/// Returns when the message has settled, the time is up or the server drains. The store is asked once, unless it goes
/// back meanwhile, and not for what
/// the message says: that may be large, and ten thousand may wait.
async fn wait(
    app: &App,
    principal: &Arc<Principal>,
    session: SessionId,
    id: MessageId,
    patience: Duration,
) -> Result<(), Refusal> {
    if patience.is_zero() {
        return Ok(());
    }
    // First listen, then look: a settling between the two is seen by one of them. Whoever may not see the message
    // leaves nothing behind, since all of this ends with its guards.
    let attendance = app.hub.attend(Arc::clone(principal))?;
    let until = Instant::now() + patience;
    let mut waiter = app.hub.waiter(session, id);
    loop {
        let outlook = app.store.outlook(principal.scope(), session, id).await?.ok_or(MISSING)?;
        if outlook.status != MessageStatus::Pending {
            return Ok(());
        }
        app.hub.observe(session, &outlook.head);
        tokio::select! {
            woken = waiter.woken() => match woken {
                Woken::Settled => return Ok(()),
                Woken::LookAgain => waiter = app.hub.waiter(session, id),
            },
            () = sleep_until(until) => return Ok(()),
            () = attendance.ended() => return Ok(()),
        }
    }
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
