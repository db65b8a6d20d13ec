//! The audit log.

use super::rows::author;
use super::{SqlStore, sql};
use crate::domain::audit::AuditOutcome;
use crate::domain::{AuditEntry, AuditEvent, AuditTarget, SpaceId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::engine::Engine;
use crate::store::pool::PooledConnection;
use crate::store::statement::Fields;
use crate::store::{AuditLog, StoreError, StoreResult};
use async_trait::async_trait;
use serde::Serialize;
use uuid::Uuid;

#[async_trait]
impl<E: Engine> AuditLog for SqlStore<E> {
    async fn add_audit_entries(&self, entries: &[AuditEntry]) -> StoreResult<()> {
        let mut tx = self.transaction().await?;
        for entry in entries {
            add::<E>(&mut tx, entry).await?;
        }
        tx.commit().await
    }

    async fn audit_entries(
        &self,
        space: SpaceId,
        with_hub: bool,
        after: Option<Uuid>,
        page: PageRequest,
    ) -> StoreResult<Page<AuditEntry>> {
        let after = after.unwrap_or(Uuid::nil());
        let count = sql::<E>(
            "SELECT (SELECT COUNT(*) FROM audit a WHERE a.space_id = $1 AND a.id > $2) \
             + (SELECT COUNT(*) FROM audit b WHERE b.space_id IS NULL AND b.id > $2 AND $3)",
        );
        // Two ranges of one index, each read only up to the end of the page.
        let list = sql::<E>(
            "SELECT u.id, u.space_id, u.at, u.event, u.actor, u.target, u.origin, u.request_id, u.outcome FROM (\
             SELECT * FROM (SELECT * FROM audit a WHERE a.space_id = $1 AND a.id > $2 ORDER BY a.id LIMIT $4) AS x \
             UNION ALL \
             SELECT * FROM (SELECT * FROM audit b WHERE b.space_id IS NULL AND b.id > $2 AND $3 \
             ORDER BY b.id LIMIT $4) AS y) AS u ORDER BY u.id LIMIT $5 OFFSET $6",
        );
        let reach = page.offset().saturating_add(page.size);
        self.page(
            page,
            count.bind(space.0).bind(after).bind(with_hub),
            list.bind(space.0).bind(after).bind(with_hub).bind(reach),
            read,
        )
        .await
    }

    async fn prune_audit(&self, before: Timestamp, limit: i64) -> StoreResult<u64> {
        sql::<E>("DELETE FROM audit WHERE id IN (SELECT a.id FROM audit a WHERE a.at < $1 ORDER BY a.at LIMIT $2)")
            .bind(before.0)
            .bind(limit)
            .execute(&mut *self.writer().await?)
            .await
    }
}

fn read<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<AuditEntry> {
    let damaged = |what: &str| StoreError::damaged(format!("an audit entry: {what}"));
    Ok(AuditEntry {
        id: row.read()?,
        space: row.read::<Option<Uuid>>()?.map(SpaceId),
        at: Timestamp(row.read()?),
        event: AuditEvent::parse(&row.read::<String>()?).ok_or_else(|| damaged("its event"))?,
        actor: row.read::<Option<String>>()?.map(|text| author(&text)).transpose()?,
        target: row
            .read::<Option<String>>()?
            .map(|text| serde_json::from_str::<AuditTarget>(&text).map_err(|error| damaged(&error.to_string())))
            .transpose()?,
        origin: row.read()?,
        request_id: row.read()?,
        outcome: AuditOutcome::parse(&row.read::<String>()?).ok_or_else(|| damaged("its outcome"))?,
    })
}

/// Adds an entry, or replaces the target of an existing one.
pub(super) async fn add<E: Engine>(tx: &mut PooledConnection<E>, entry: &AuditEntry) -> StoreResult<()> {
    sql::<E>(
        "INSERT INTO audit (id, space_id, at, event, actor, target, origin, request_id, outcome) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET target = excluded.target",
    )
    .bind(entry.id)
    .bind(entry.space.map(|space| space.0))
    .bind(entry.at.0)
    .bind(entry.event.as_str().to_owned())
    .bind(entry.actor.as_ref().map(json).transpose()?)
    .bind(entry.target.as_ref().map(json).transpose()?)
    .bind(entry.origin.clone())
    .bind(entry.request_id.clone())
    .bind(entry.outcome.as_str().to_owned())
    .execute(tx)
    .await?;
    Ok(())
}

/// The JSON by which a value is stored.
pub(super) fn json<T: Serialize>(value: &T) -> StoreResult<String> {
    serde_json::to_string(value).map_err(|error| StoreError::damaged(error.to_string()))
}
