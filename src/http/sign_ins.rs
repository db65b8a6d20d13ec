//! The sign-ins of a human, and their password.

use super::App;
use super::auth::HumanOnly;
use super::body::Body;
use super::path::Id;
use super::query::Query;
use super::reply::{self, HandlerResult};
use crate::auth::Visit;
use crate::domain::{AuditSource, Refusal, SignInId};
use crate::protocol::body::account::{PasswordChange, SignInEntry};
use crate::protocol::openapi::errors::NotFound;
use crate::protocol::page::{Page, PageRequest};
use axum::extract::State;

/// List the sign-ins of the caller
///
/// By last use, newest first. Tokens that were created on the command line or by an external issuer belong to no sign-in.
#[utoipa::path(
    get, path = "/sign-ins", operation_id = "listSignIns",
    params(PageRequest),
    responses((status = 200, description = "A page of sign-ins", body = Page<SignInEntry>), HumanOnly),
)]
pub async fn list(HumanOnly(_, human): HumanOnly, State(app): State<App>, query: Query) -> HandlerResult {
    let page = app.store.sign_ins(human.id, query.page()?, app.clock.now()).await?;
    reply::ok(&page.map(|found| SignInEntry {
        id: found.id,
        created_at: found.created_at,
        last_used_at: found.last_used_at,
        user_agent: found.user_agent,
        current: human.sign_in == Some(found.id),
    }))
}

/// End a sign-in
///
/// Its tokens are revoked immediately, and its live connections are closed.
#[utoipa::path(
    delete, path = "/sign-ins/{id}", operation_id = "endSignIn",
    responses((status = 204, description = "Ended"), HumanOnly, NotFound),
)]
pub async fn end(
    HumanOnly(_, human): HumanOnly,
    State(app): State<App>,
    source: AuditSource,
    Id(id): Id<SignInId>,
) -> HandlerResult {
    app.accounts.end_sign_in(&human, id.0, &source).await?;
    reply::no_content()
}

/// Change the password
///
/// Ends every other sign-in of the human. Not available to a human of an external issuer without a password of the hub.
#[utoipa::path(
    post, path = "/password", operation_id = "changePassword",
    request_body = PasswordChange,
    responses((status = 204, description = "Changed"), HumanOnly),
)]
pub async fn change_password(
    HumanOnly(_, human): HumanOnly,
    State(app): State<App>,
    visit: Visit,
    body: Body<PasswordChange>,
) -> HandlerResult {
    let current = body.value.current.ok_or_else(|| Refusal::required("current"))?;
    let new = body.value.new.ok_or_else(|| Refusal::required("new"))?;
    app.accounts.change_password(&human, current, new, &visit).await?;
    reply::no_content()
}
