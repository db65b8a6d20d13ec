//! `/v1/manage/spaces`: the spaces of the hub, for its owners.

use super::App;
use super::auth::Owner;
use super::body::Body;
use super::path::Id;
use super::query::Query;
use super::reply::{self, HandlerResult};
use crate::domain::people::Space;
use crate::domain::{AuditSource, SpaceId};
use crate::protocol::body::directory::{MadeSpace, SpaceDraft};
use crate::protocol::openapi::errors::Conflict;
use crate::protocol::page::{Page, PageRequest};
use crate::service::directory::spaces;
use crate::service::idempotency::IdempotencyKey;
use crate::service::revocation;
use axum::extract::State;

/// Create a space
///
/// The reply has a key with `manage`, which is returned only once. If an active space has the name, the reply is 200 with
/// that space and without a key.
#[utoipa::path(
    post, path = "/spaces", operation_id = "createSpace",
    request_body = SpaceDraft,
    params(IdempotencyKey),
    responses(
        (status = 201, description = "The space", body = MadeSpace),
        (status = 200, description = "The existing space of that name, without a key", body = MadeSpace),
    ),
)]
pub async fn create(
    Owner(owner): Owner,
    State(app): State<App>,
    source: AuditSource,
    key: IdempotencyKey,
    body: Body<SpaceDraft>,
) -> HandlerResult {
    reply::answer(spaces::create(&app, &owner, source, &key, body.digest, body.value).await?)
}

/// List spaces
#[utoipa::path(
    get, path = "/spaces", operation_id = "listSpaces",
    params(PageRequest),
    responses((status = 200, description = "A page of spaces", body = Page<Space>)),
)]
pub async fn list(_: Owner, State(app): State<App>, query: Query) -> HandlerResult {
    reply::ok(&app.store.spaces(query.page()?).await?)
}

/// Deactivate a space
///
/// 409 for the space of the caller's own key.
#[utoipa::path(
    delete, path = "/spaces/{id}", operation_id = "deactivateSpace",
    responses((status = 204, description = "Deactivated"), Conflict),
)]
pub async fn deactivate(
    Owner(owner): Owner,
    State(app): State<App>,
    source: AuditSource,
    Id(id): Id<SpaceId>,
) -> HandlerResult {
    revocation::deactivate_space(&app, &owner, source, id).await?;
    reply::no_content()
}
