//! Long-polls: wait until a message or an interaction has settled, or until a person has written something (contract
//! sections 5 and 7).

use super::auth::Agent;
use super::long_lived::LongLived;
use super::path::{Id, Ids};
use super::query::Query;
use super::reply::{self, HandlerResult};
use super::{ApiError, App};
use crate::domain::interaction::Interaction;
use crate::domain::{Message, MessageId, MessageStatus, Principal, Refusal, SessionId};
use crate::hub::Wake;
use crate::protocol::body::AwaitedMessage;
use crate::store::{HeadWithMessage, Moment};
use axum::extract::{FromRequestParts, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

const DEFAULT_SECONDS: i64 = 30;
const MAX_SECONDS: i64 = 55;
const MISSING: Refusal = Refusal::NotFound("Message");

/// Wait until a message has settled
///
/// Replies immediately if the message is settled, else as soon as it settles, else with the pending message when the timeout expires. A timeout does not change the message.
#[utoipa::path(
    get, path = "/sessions/{id}/messages/{messageId}/await", operation_id = "awaitMessage",
    params(WaitTime),
    responses((status = 200, description = "The message, settled or still pending", body = Message)),
)]
pub async fn message(
    Agent(principal): Agent,
    State(app): State<App>,
    Ids(session, message): Ids<SessionId, MessageId>,
    WaitTime(wait_time): WaitTime,
) -> HandlerResult {
    let request = wait_for_settlement(&app, &principal, session, message, wait_time).await?;
    let message = app.store.message(principal.scope(), session, message).await?.ok_or(MISSING)?;
    check_credential(request.as_ref())?;
    reply::ok(&message)
}

/// Wait until an interaction has settled
///
/// As for a message: replies with the pending interaction when the timeout expires.
#[utoipa::path(
    get, path = "/interactions/{id}/await", operation_id = "awaitInteraction",
    params(WaitTime),
    responses((status = 200, description = "The interaction, settled or still pending", body = Interaction)),
)]
pub async fn interaction(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    WaitTime(wait_time): WaitTime,
) -> HandlerResult {
    let missing = Refusal::NotFound("Interaction");
    let mut request = None;
    if !wait_time.is_zero() {
        let message = app.store.interaction_message(principal.scope(), session).await?.ok_or(missing.clone())?;
        request = wait_for_settlement(&app, &principal, session, message, wait_time).await?;
    }
    let interaction = app.store.interaction(principal.scope(), session, Moment::Now).await?.ok_or(missing)?;
    check_credential(request.as_ref())?;
    reply::ok(&interaction)
}

/// Wait for a message of a person
///
/// Replies with the first message of a human or guest whose `seq` is above `after`: immediately if there is one, else as soon as there is one, else with `message` null when the timeout expires.
#[utoipa::path(
    get, path = "/sessions/{id}/await", operation_id = "awaitSession",
    params(
        ("after" = Option<i64>, Query, minimum = 0, description = "A `seq`; unless given, that of the agent's own last message, or 0 if there is none."),
        WaitTime,
    ),
    responses((status = 200, description = "A person's message, or null", body = AwaitedMessage)),
)]
pub async fn session(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    After(after): After,
    WaitTime(wait_time): WaitTime,
) -> HandlerResult {
    const MISSING: Refusal = Refusal::NotFound("Session");
    let scope = principal.scope();
    let after = match after {
        Some(after) => after,
        None => app.store.last_message_by(scope, session, principal.id()).await?.ok_or(MISSING)?,
    };
    let (found, request) = wait_for_message(&app, &principal, session, after, wait_time).await?;
    let found = found.ok_or(MISSING)?;
    let message = match found.message {
        Some(id) => app.store.message(scope, session, id).await?,
        None => None,
    };
    check_credential(request.as_ref())?;
    reply::ok(&AwaitedMessage { message, last_seq: found.head.last_seq })
}

/// Refuses to answer a credential that expired or was revoked while its request waited.
fn check_credential(request: Option<&LongLived>) -> Result<(), Refusal> {
    request.map_or(Ok(()), LongLived::check)
}

/// Returns when a person has posted a message after `after`, the wait time is over, or the request must end. The store is
/// read only when the timeline has grown.
async fn wait_for_message(
    app: &App,
    principal: &Arc<Principal>,
    session: SessionId,
    after: i64,
    wait_time: Duration,
) -> Result<(Option<HeadWithMessage>, Option<LongLived>), Refusal> {
    let scope = principal.scope();
    if wait_time.is_zero() {
        return Ok((app.store.first_message_after(scope, session, after).await?, None));
    }
    // Register first, then read the store, as for a message.
    let request = LongLived::begin(app, principal)?;
    let mut watch = app.hub.watch_for_long_poll(session);
    let end = tokio::time::sleep(wait_time);
    tokio::pin!(end);
    // Events without a message of a person are not searched again.
    let mut searched = after;
    loop {
        // The store has all of these, unless it was restored to an earlier state: then it is not read in a loop.
        let reached = watch.high_water_mark();
        let read = app.store.first_message_after(scope, session, searched).await?;
        let Some(found) = read.filter(|read| read.message.is_none()) else { return Ok((read, Some(request))) };
        // Also where `after` is beyond the head: any later event may end the access.
        let seen = found.head.last_seq.max(reached);
        searched = searched.max(found.head.last_seq);
        app.hub.observe(session, &found.head);
        tokio::select! {
            is_more = watch.wait_beyond(seen) => if !is_more {
                // The store was restored to a state before the searched events.
                searched = after;
                watch = app.hub.watch_for_long_poll(session);
            },
            () = &mut end => break,
            ended = request.ended() => {
                ended?;
                break;
            }
        }
    }
    // Once more, for events whose hint was lost.
    Ok((app.store.first_message_after(scope, session, searched).await?, Some(request)))
}

/// `?after=SEQ`
pub struct After(Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for After {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Ok(query) = Query::from_request_parts(parts, state).await;
        Ok(Self(query.number("after", 0, i64::MAX)?))
    }
}

/// The requested wait time: `?timeout=SECONDS`, else `Prefer: wait=SECONDS`. Parsed immediately, since a header value keeps
/// the whole head of its request in memory.
pub struct WaitTime(Duration);

impl<S: Send + Sync> FromRequestParts<S> for WaitTime {
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

impl IntoParams for WaitTime {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let seconds = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(0))
            .maximum(Some(MAX_SECONDS));
        let timeout = ParameterBuilder::new()
            .name("timeout")
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some("Seconds to wait; 30 unless given."))
            .schema(Some(seconds));
        let text = ObjectBuilder::new().schema_type(Type::String);
        let prefer = ParameterBuilder::new()
            .name("Prefer")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some("`wait=SECONDS` (RFC 7240); ignored if `timeout` is given."))
            .schema(Some(text));
        vec![timeout.build(), prefer.build()]
    }
}

/// Returns when the message has settled, the time is up or the node drains; refused if the credential or the access ends
/// meanwhile. The store is read once, and again only if its answer may be outdated. It is not asked for the message itself:
/// that may be large, and ten thousand requests may wait.
async fn wait_for_settlement(
    app: &App,
    principal: &Arc<Principal>,
    session: SessionId,
    id: MessageId,
    wait_time: Duration,
) -> Result<Option<LongLived>, Refusal> {
    if wait_time.is_zero() {
        return Ok(None);
    }
    // Register first, then read the store: a settlement between the two is seen by one of them. A caller that may not see
    // the message leaves nothing behind, since the guards unregister it.
    let request = LongLived::begin(app, principal)?;
    let until = Instant::now() + wait_time;
    let mut long_poll = app.hub.long_poll(session, id);
    loop {
        let outlook = app.store.head_with_status(principal.scope(), session, id).await?.ok_or(MISSING)?;
        if outlook.status != MessageStatus::Pending {
            return Ok(Some(request));
        }
        app.hub.observe(session, &outlook.head);
        tokio::select! {
            wake = long_poll.wait() => match wake {
                Wake::Settled => return Ok(Some(request)),
                Wake::ReadAgain => long_poll = app.hub.long_poll(session, id),
            },
            () = sleep_until(until) => return Ok(Some(request)),
            ended = request.ended() => {
                ended?;
                return Ok(Some(request));
            }
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
