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
/// 403 if the key would have a higher permission than the caller. The key is returned only in this reply.
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
/// 403 if the key has a higher permission than the caller, 409 if it is the last key of the hub with `owner`. With
/// `cascade`, all keys and guest tokens that were created with the key, directly or through other keys, are revoked too,
/// in one transaction; the key itself may be revoked already.
#[utoipa::path(
    delete, path = "/keys/{id}", operation_id = "revokeKey",
    params(("cascade" = Option<bool>, Query, description = "Also revoke the keys and tokens that were created with the key; `false` unless given.")),
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
