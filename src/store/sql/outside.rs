//! Who an outside issuer's (iss, sub) is.

use super::rows::select_human;
use super::{SqlStore, rows, sql};
use crate::domain::{HumanId, SpaceId, Timestamp};
use crate::store::engine::{Engine, Statement};
use crate::store::{FormerHumans, OutsideIdentities, OutsideIdentity, StoreResult};
use async_trait::async_trait;

#[async_trait]
impl<E: Engine> OutsideIdentities for SqlStore<E> {
    async fn outside_identity(&self, issuer: &str, subject: &str) -> StoreResult<Option<OutsideIdentity>> {
        let mut db = self.reader().await?;
        let human = sql::<E>("SELECT human_id FROM outside_identities WHERE issuer = $1 AND subject = $2")
            .bind(issuer.to_owned())
            .bind(subject.to_owned())
            .first(&mut *db, |row| Ok(HumanId(row.read()?)))
            .await?;
        let Some(id) = human else { return Ok(None) };
        let active = sql::<E>(select_human!(
            "FROM humans h WHERE h.id = $1 AND h.deactivated_at IS NULL AND h.space_id IS NOT NULL"
        ))
        .bind(id.0)
        .first(&mut *db, rows::human)
        .await?;
        Ok(Some(OutsideIdentity { human: id, active }))
    }

    async fn add_outside_identity(
        &self,
        issuer: &str,
        subject: &str,
        human: HumanId,
        now: Timestamp,
    ) -> StoreResult<bool> {
        Ok(insert::<E>(issuer, subject, human, now).execute(&mut *self.writer().await?).await? > 0)
    }

    async fn move_outside_identity(
        &self,
        issuer: &str,
        subject: &str,
        from: HumanId,
        to: HumanId,
    ) -> StoreResult<bool> {
        let moved = sql::<E>(
            "UPDATE outside_identities SET human_id = $1 WHERE issuer = $2 AND subject = $3 AND human_id = $4",
        )
        .bind(to.0)
        .bind(issuer.to_owned())
        .bind(subject.to_owned())
        .bind(from.0)
        .execute(&mut *self.writer().await?)
        .await?;
        Ok(moved > 0)
    }

    async fn former_humans(&self, space: SpaceId, address: &str, issuer: &str) -> StoreResult<FormerHumans> {
        sql::<E>(
            "SELECT COUNT(*), COALESCE(SUM(CASE WHEN EXISTS (SELECT 1 FROM outside_identities o \
             WHERE o.human_id = h.id AND o.issuer = $3) THEN 0 ELSE 1 END), 0) \
             FROM humans h WHERE h.space_id = $1 AND h.address = $2 AND h.deactivated_at IS NOT NULL",
        )
        .bind(space.0)
        .bind(address.to_owned())
        .bind(issuer.to_owned())
        .first(&mut *self.reader().await?, |row| {
            Ok(FormerHumans { any: row.read::<i64>()? > 0, unknown_to_issuer: row.read::<i64>()? > 0 })
        })
        .await
        .map(Option::unwrap_or_default)
    }
}

pub(super) fn insert<E: Engine>(issuer: &str, subject: &str, human: HumanId, now: Timestamp) -> Statement<E> {
    sql::<E>(
        "INSERT INTO outside_identities (issuer, subject, human_id, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (issuer, subject) DO NOTHING",
    )
    .bind(issuer.to_owned())
    .bind(subject.to_owned())
    .bind(human.0)
    .bind(now.0)
}
