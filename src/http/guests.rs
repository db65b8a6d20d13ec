//! Guest tokens: a link that opens one session.

use super::App;
use super::auth::Agent;
use super::body::Body;
use super::path::{Id, Ids};
use super::query::Query;
use super::reply::{self, HandlerResult};
use crate::domain::{AuditSource, GuestId, SessionId};
use crate::protocol::body::guest::{GuestDraft, GuestToken, GuestTokenEntry};
use crate::protocol::page::{Page, PageRequest};
use crate::service::guests::{self, Inviting};
use crate::service::idempotency::IdempotencyKey;
use axum::extract::State;

/// Create a guest token
///
/// The token gives access to this one session, and is returned only in this reply. 409 `CONFLICT` if another participant has the name. The guest may answer the questions of the calling agent or, if the key has `space`, of every agent.
#[utoipa::path(
    post, path = "/sessions/{id}/guest-tokens", operation_id = "createGuestToken",
    request_body = GuestDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The guest with their token", body = GuestToken)),
)]
pub async fn create(
    caller: Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    source: AuditSource,
    key: IdempotencyKey,
    body: Body<GuestDraft>,
) -> HandlerResult {
    let by = Inviting { principal: &caller.0, agent: caller.agent()?, session, source: &source };
    reply::answer(guests::create(&app, by, &key, body.digest, body.value).await?)
}

/// List the guest tokens of a session
///
/// The tokens that are not revoked, without their secrets.
#[utoipa::path(
    get, path = "/sessions/{id}/guest-tokens", operation_id = "listGuestTokens",
    params(PageRequest),
    responses((status = 200, description = "A page of guest tokens", body = Page<GuestTokenEntry>)),
)]
pub async fn list(
    Agent(principal): Agent,
    State(app): State<App>,
    Id(session): Id<SessionId>,
    query: Query,
) -> HandlerResult {
    let page = guests::list(&app, principal.scope(), session, query.page()?).await?;
    reply::ok(&page.map(GuestTokenEntry::from))
}

/// Revoke a guest token
///
/// The guest is removed from the session.
#[utoipa::path(
    delete, path = "/sessions/{id}/guest-tokens/{tokenId}", operation_id = "revokeGuestToken",
    responses((status = 204, description = "Revoked")),
)]
pub async fn revoke(
    Agent(principal): Agent,
    State(app): State<App>,
    Ids(session, guest): Ids<SessionId, GuestId>,
    source: AuditSource,
) -> HandlerResult {
    guests::revoke(&app, &principal, session, guest, &source).await?;
    reply::no_content()
}
