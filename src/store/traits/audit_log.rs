//! The audit log.

use crate::domain::{AuditEntry, SpaceId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::StoreResult;
use async_trait::async_trait;
use uuid::Uuid;

/// Security-relevant events of each space.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Adds entries. If an entry exists, its target is replaced.
    async fn add_audit_entries(&self, entries: &[AuditEntry]) -> StoreResult<()>;
    /// The entries of a space with ids above `after`, oldest first; `with_hub` also those without a space.
    async fn audit_entries(
        &self,
        space: SpaceId,
        with_hub: bool,
        after: Option<Uuid>,
        page: PageRequest,
    ) -> StoreResult<Page<AuditEntry>>;
    /// Deletes at most `limit` entries from before `before`, oldest first. Returns their number.
    async fn prune_audit(&self, before: Timestamp, limit: i64) -> StoreResult<u64>;
}
