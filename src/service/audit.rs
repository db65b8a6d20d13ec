//! The audit log of a space: its entries, and the author of those of a change.

use crate::context::Context;
use crate::domain::principal::ManagerPrincipal;
use crate::domain::{
    AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType, Author, Permission, Principal, Refusal, SpaceId,
    Timestamp,
};
use crate::protocol::page::{Page, PageRequest};
use crate::store::{DirectoryTx, StoreResult};
use uuid::Uuid;

/// The author of a change of a space's directory, for its audit entries.
pub struct AuditTrail {
    pub space: SpaceId,
    pub author: Author,
    pub source: AuditSource,
}

impl AuditTrail {
    /// The trail of the command line and of the first start.
    pub fn command_line(space: SpaceId) -> Self {
        Self { space, author: Author::command_line(), source: AuditSource::default() }
    }

    /// The trail of a manager of a space.
    pub fn of(manager: &ManagerPrincipal, source: AuditSource) -> Self {
        Self { space: manager.space, author: manager.author(), source }
    }

    /// Adds an entry to the transaction that makes the change.
    pub async fn note(
        &self,
        tx: &mut dyn DirectoryTx,
        event: AuditEvent,
        target: AuditTarget,
        now: Timestamp,
    ) -> StoreResult<()> {
        let entry = AuditEntry::new(event, Some(self.space), &self.source, now);
        tx.audit(entry.by(self.author.clone()).on(target)).await
    }
}

/// Records an action of a principal that has taken effect.
pub(super) async fn record(
    app: &Context,
    principal: &Principal,
    source: &AuditSource,
    event: AuditEvent,
    target: AuditTarget,
) {
    let entry = app.audit.entry(event, Some(principal.space()), source);
    app.audit.record(entry.by(principal.author()).on(target)).await;
}

/// Records an action of a manager that has taken effect, on a target that is known by its id.
pub(super) async fn record_by_id(
    app: &Context,
    manager: &ManagerPrincipal,
    source: &AuditSource,
    event: AuditEvent,
    kind: AuditTargetType,
    id: Uuid,
) {
    let target = AuditTarget { kind, id: Some(id), name: None, attempts: None };
    let entry = app.audit.entry(event, Some(manager.space), source);
    app.audit.record(entry.by(manager.author()).on(target)).await;
}

/// A page of the entries of a manager's space, after the entry `after`, newest last. A key with `owner` also gets the
/// entries that concern no space.
pub async fn entries(
    app: &Context,
    manager: &ManagerPrincipal,
    after: Option<Uuid>,
    page: PageRequest,
) -> Result<Page<AuditEntry>, Refusal> {
    let with_hub = manager.permission >= Permission::Owner;
    Ok(app.store.audit_entries(manager.space, with_hub, after, page).await?)
}
