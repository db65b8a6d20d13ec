//! Identities of an external issuer.

use super::sign_ins::lock_human;
use super::{SqlStore, rows, sql};
use crate::domain::people::Human;
use crate::domain::{HumanId, SpaceId, Timestamp};
use crate::store::engine::Engine;
use crate::store::statement::Statement;
use crate::store::{ExternalIdentities, ExternalIdentity, FormerHumans, StoreError, StoreResult};
use async_trait::async_trait;

#[async_trait]
impl<E: Engine> ExternalIdentities for SqlStore<E> {
    async fn external_identity(&self, issuer: &str, subject: &str) -> StoreResult<Option<ExternalIdentity>> {
        let mut db = self.reader().await?;
        let human = sql::<E>("SELECT human_id FROM outside_identities WHERE issuer = $1 AND subject = $2")
            .bind(issuer.to_owned())
            .bind(subject.to_owned())
            .first(&mut *db, |row| Ok(HumanId(row.read()?)))
            .await?;
        let Some(id) = human else { return Ok(None) };
        let active = sql::<E>(select_human!(
            "FROM humans h JOIN spaces s ON s.id = h.space_id AND s.deactivated_at IS NULL \
             WHERE h.id = $1 AND h.deactivated_at IS NULL"
        ))
        .bind(id.0)
        .first(&mut *db, rows::human)
        .await?;
        Ok(Some(ExternalIdentity { human: id, active }))
    }

    async fn add_external_identity(
        &self,
        issuer: &str,
        subject: &str,
        human: HumanId,
        now: Timestamp,
    ) -> StoreResult<bool> {
        let mut tx = self.transaction().await?;
        // A concurrent request for the same human waits here, and then finds the identity.
        if !lock_human::<E>(&mut tx, human).await? {
            return Ok(false);
        }
        let added = insert::<E>(issuer, subject, human, now).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(added > 0)
    }

    async fn move_external_identity(
        &self,
        issuer: &str,
        subject: &str,
        from: HumanId,
        to: HumanId,
    ) -> StoreResult<bool> {
        let mut tx = self.transaction().await?;
        if !lock_human::<E>(&mut tx, to).await? {
            return Ok(false);
        }
        let moved = sql::<E>(
            "UPDATE outside_identities SET human_id = $1 WHERE issuer = $2 AND subject = $3 AND human_id = $4 \
             AND NOT EXISTS (SELECT 1 FROM outside_identities o WHERE o.issuer = $2 AND o.human_id = $1)",
        )
        .bind(to.0)
        .bind(issuer.to_owned())
        .bind(subject.to_owned())
        .bind(from.0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(moved > 0)
    }

    async fn verify_address(&self, human: &Human, address: &str) -> StoreResult<bool> {
        let verified = sql::<E>(
            "UPDATE humans SET address = $1 WHERE id = $2 AND space_id = $3 AND address = $4 AND deactivated_at IS NULL \
             AND NOT EXISTS (SELECT 1 FROM humans o \
             WHERE o.space_id = $3 AND o.address = $1 AND o.deactivated_at IS NULL)",
        )
        .bind(address.to_owned())
        .bind(human.id.0)
        .bind(human.space_id.0)
        .bind(Human::unverified_address(human.id, &human.email))
        .execute(&mut *self.writer().await?)
        .await;
        match verified {
            Ok(changed) => Ok(changed > 0),
            // Another human was given the address meanwhile.
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
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

/// Adds an identity, unless the human has another one of the issuer: (`iss`, `sub`) is a person, and a human is one person.
pub(super) fn insert<E: Engine>(issuer: &str, subject: &str, human: HumanId, now: Timestamp) -> Statement<E> {
    sql::<E>(
        "INSERT INTO outside_identities (issuer, subject, human_id, created_at) SELECT $1, $2, $3, $4 \
         WHERE NOT EXISTS (SELECT 1 FROM outside_identities o WHERE o.issuer = $1 AND o.human_id = $3) \
         ON CONFLICT (issuer, subject) DO NOTHING",
    )
    .bind(issuer.to_owned())
    .bind(subject.to_owned())
    .bind(human.0)
    .bind(now.0)
}
