//! The audit log of a space.

use super::App;
use super::auth::Manager;
use super::query::Query;
use super::reply::{self, HandlerResult};
use crate::domain::AuditEntry;
use crate::protocol::page::{Page, PageRequest};
use crate::service::audit;
use axum::extract::State;

/// List the audit log
///
/// What happened in the space that matters for security, newest last: sign-ins and failed ones (one entry a minute for
/// each address and account, with how many there were), keys, tokens, people, agents and spaces made and ended, public
/// keys replaced. Entries are kept for 400 days. A key with `owner` also sees what concerns no space, such as failed
/// sign-ins with an address that no account has.
#[utoipa::path(
    get, path = "/audit", operation_id = "listAudit",
    params(
        ("after" = Option<Uuid>, Query, description = "The id of an entry: only those after it."),
        PageRequest,
    ),
    responses((status = 200, description = "A page of entries", body = Page<AuditEntry>)),
)]
pub async fn list(Manager(manager): Manager, State(app): State<App>, query: Query) -> HandlerResult {
    let after = query.id("after")?;
    reply::ok(&audit::entries(&app, &manager, after, query.page()?).await?)
}
