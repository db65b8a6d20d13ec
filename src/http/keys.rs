//! `/v1/manage/keys`: the API keys of a space.

use super::App;
use super::auth::Manager;
use super::body::Body;
use super::path::Id;
use super::query::Query;
use super::reply::{self, HandlerResult};
use crate::domain::people::ApiKey;
use crate::domain::{AuditSource, KeyId};
use crate::protocol::body::directory::{KeyDraft, MadeKey};
use crate::protocol::openapi::errors::Conflict;
use crate::protocol::page::{Page, PageRequest};
use crate::service::directory::keys;
use crate::service::idempotency::IdempotencyKey;
use crate::service::revocation;
use axum::extract::State;

/// Create an API key
///
/// Nobody creates one above their own permission (403). The key is shown here and never again.
#[utoipa::path(
    post, path = "/keys", operation_id = "createKey",
    request_body = KeyDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The key", body = MadeKey)),
)]
pub async fn create(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    key: IdempotencyKey,
    body: Body<KeyDraft>,
) -> HandlerResult {
    reply::answer(keys::create(&app, &manager, source, &key, body.digest, body.value).await?)
}

/// List API keys
///
/// Without their secrets.
#[utoipa::path(
    get, path = "/keys", operation_id = "listKeys",
    params(PageRequest),
    responses((status = 200, description = "A page of keys", body = Page<ApiKey>)),
)]
pub async fn list(Manager(manager): Manager, State(app): State<App>, query: Query) -> HandlerResult {
    reply::ok(&keys::list(&app, &manager, query.page()?).await?)
}

/// Revoke an API key
///
/// Nobody revokes a key above their own permission (403), nor the last key of the hub with `owner` (409). With `cascade`,
/// the keys and guest tokens that it made end too, those that these made, and so on, all of them or none; the key itself
/// may then be revoked already.
#[utoipa::path(
    delete, path = "/keys/{id}", operation_id = "revokeKey",
    params(("cascade" = Option<bool>, Query, description = "Also what the key made; `false` unless given.")),
    responses((status = 204, description = "Revoked"), Conflict),
)]
pub async fn revoke(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    Id(id): Id<KeyId>,
    query: Query,
) -> HandlerResult {
    let cascade = query.flag("cascade")?.unwrap_or(false);
    revocation::revoke_key(&app, &manager, source, id, cascade).await?;
    reply::no_content()
}
