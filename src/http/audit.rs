//! The audit log of a space.

use super::App;
use super::audience::Manager;
use super::query::Query;
use super::reply::{self, Reply};
use crate::domain::{AuditEntry, Permission};
use crate::protocol::page::{Page, PageRequest};
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
pub async fn list(Manager(manager): Manager, State(app): State<App>, query: Query) -> Reply {
    let after = query.id("after")?;
    let with_hub = manager.permission >= Permission::Owner;
    reply::ok(&app.store.audit_entries(manager.space, with_hub, after, query.page()?).await?)
}
