//! The audit log.

use async_trait::async_trait;
use crate::domain::{AuditEntry, Page, PageRequest, SpaceId, Timestamp};
use crate::store::StoreResult;
use uuid::Uuid;

/// The audit log: security-relevant events of each space.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Keeps entries; of one that is there already the target is replaced.
    async fn add_audit_entries(&self, entries: &[AuditEntry]) -> StoreResult<()>;
    /// The entries of a space whose ids lie above `after`, oldest first; `with_hub` also those of no space.
    async fn audit_entries(
        &self,
        space: SpaceId,
        with_hub: bool,
        after: Option<Uuid>,
        page: PageRequest,
    ) -> StoreResult<Page<AuditEntry>>;
    /// Deletes at most `limit` entries made before `before`, the oldest first. Returns how many.
    async fn prune_audit(&self, before: Timestamp, limit: i64) -> StoreResult<u64>;
}
