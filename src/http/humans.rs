//! `/v1/manage/humans`: the people of a space, and the setup links with which they choose a password.

use super::App;
use super::auth::Manager;
use super::body::Body;
use super::path::Id;
use super::query::Query;
use super::reply::{self, HandlerResult};
use crate::domain::people::Human;
use crate::domain::{AuditSource, HumanId};
use crate::protocol::body::NoBody;
use crate::protocol::body::directory::{HumanDraft, MadeHuman, SetupLink};
use crate::protocol::page::{Page, PageRequest};
use crate::service::directory::humans;
use crate::service::idempotency::IdempotencyKey;
use crate::service::revocation;
use axum::extract::State;
use serde::de::IgnoredAny;

/// Create a human
///
/// Without a password, the reply has a one-time `setupUrl`. 409 if an active human of the space has the address.
#[utoipa::path(
    post, path = "/humans", operation_id = "createHuman",
    request_body = HumanDraft,
    params(IdempotencyKey),
    responses((status = 201, description = "The human", body = MadeHuman)),
)]
pub async fn create(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    key: IdempotencyKey,
    body: Body<HumanDraft>,
) -> HandlerResult {
    reply::answer(humans::create(&app, &manager, source, &key, body.digest, body.value).await?)
}

/// Create a setup link for a human
///
/// A one-time link with which the human chooses a password. Earlier links of the human become invalid. When the link is
/// used, every other sign-in of the human ends.
#[utoipa::path(
    post, path = "/humans/{id}/setup-link", operation_id = "createSetupLink",
    request_body = NoBody,
    params(IdempotencyKey),
    responses((status = 201, description = "The link", body = SetupLink)),
)]
pub async fn create_setup_link(
    Manager(manager): Manager,
    State(app): State<App>,
    Id(human): Id<HumanId>,
    source: AuditSource,
    key: IdempotencyKey,
    body: Body<IgnoredAny>,
) -> HandlerResult {
    reply::answer(humans::create_setup_link(&app, &manager, source, &key, body.digest, human).await?)
}

/// List humans
#[utoipa::path(
    get, path = "/humans", operation_id = "listHumans",
    params(PageRequest),
    responses((status = 200, description = "A page of humans", body = Page<Human>)),
)]
pub async fn list(Manager(manager): Manager, State(app): State<App>, query: Query) -> HandlerResult {
    reply::ok(&app.store.humans(manager.space, query.page()?).await?)
}

/// Deactivate a human
#[utoipa::path(
    delete, path = "/humans/{id}", operation_id = "deactivateHuman",
    responses((status = 204, description = "Deactivated")),
)]
pub async fn deactivate(
    Manager(manager): Manager,
    State(app): State<App>,
    source: AuditSource,
    Id(id): Id<HumanId>,
) -> HandlerResult {
    revocation::deactivate_human(&app, &manager, &source, id).await?;
    reply::no_content()
}
