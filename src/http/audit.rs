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
/// The security events of the space, oldest first: sign-ins; failed sign-ins (one entry a minute for each address and
/// account, with their number); keys, tokens, people, agents and spaces that were created or ended; public keys that were
/// replaced. Entries are kept for 400 days. A key with `owner` also gets the entries that belong to no space, such as
/// failed sign-ins with an unknown address.
#[utoipa::path(
    get, path = "/audit", operation_id = "listAudit",
    params(
        ("after" = Option<Uuid>, Query, description = "The id of an entry; only later entries are returned."),
        PageRequest,
    ),
    responses((status = 200, description = "A page of entries", body = Page<AuditEntry>)),
)]
pub async fn list(Manager(manager): Manager, State(app): State<App>, query: Query) -> HandlerResult {
    let after = query.id("after")?;
    reply::ok(&audit::entries(&app, &manager, after, query.page()?).await?)
}
