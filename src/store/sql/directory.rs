//! Spaces, agents and humans: look-ups and deactivation.

use super::directory_tx::SqlDirectoryTx;
use super::people::{agent_by_id, agent_by_name, human_by_address, human_by_id};
use super::revocations::revocation;
use super::{SqlStore, api_keys, named, rows, sql};
use crate::domain::participant::{Member, MemberRef};
use crate::domain::people::{Agent, Human, Space};
use crate::domain::{AgentId, AuditEntry, AuditEvent, AuditTarget, AuditTargetType, HumanId, SpaceId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::engine::Engine;
use crate::store::pool::PooledConnection;
use crate::store::statement::Statement;
use crate::store::{Directory, DirectoryTx, NotRevoked, Revoked, Revoker, StoreResult};
use async_trait::async_trait;
use std::collections::HashMap;

#[async_trait]
impl<E: Engine> Directory for SqlStore<E> {
    async fn begin_directory(&self) -> StoreResult<Box<dyn DirectoryTx>> {
        Ok(Box::new(SqlDirectoryTx::new(self.transaction().await?)))
    }

    async fn space_by_name(&self, name: &str) -> StoreResult<Option<Space>> {
        sql::<E>(select_space!("FROM spaces s WHERE s.name = $1 AND s.deactivated_at IS NULL"))
            .bind(name.to_owned())
            .first(&mut *self.reader().await?, rows::space)
            .await
    }

    async fn spaces(&self, page: PageRequest) -> StoreResult<Page<Space>> {
        let count = sql("SELECT COUNT(*) FROM spaces WHERE deactivated_at IS NULL");
        let list = sql(select_space!("FROM spaces s WHERE s.deactivated_at IS NULL ORDER BY s.id LIMIT $1 OFFSET $2"));
        self.page(page, count, list, rows::space).await
    }

    async fn deactivate_space(&self, by: &Revoker, space: SpaceId) -> StoreResult<Result<Revoked, NotRevoked>> {
        let mut tx = self.transaction().await?;
        let mut revoked = Revoked::default();
        // Keys first: after the deactivation none of them counts as usable.
        let keys = api_keys::keys_of_space::<E>(&mut tx, space).await?;
        if let Err(refused) = api_keys::revoke_all::<E>(&mut tx, by, &keys, &mut revoked).await? {
            return Ok(Err(refused));
        }
        let name =
            sql::<E>("UPDATE spaces SET deactivated_at = $1 WHERE id = $2 AND deactivated_at IS NULL RETURNING name")
                .bind(by.at.0)
                .bind(space.0)
                .first(&mut *tx, |row| row.read::<String>())
                .await?;
        let Some(name) = name else { return Ok(Err(NotRevoked::Missing)) };
        sql::<E>("UPDATE guests SET revoked_at = $1 WHERE space_id = $2 AND revoked_at IS NULL")
            .bind(by.at.0)
            .bind(space.0)
            .execute(&mut *tx)
            .await?;
        revoked.humans = sql::<E>(
            "UPDATE humans SET deactivated_at = $1 WHERE space_id = $2 AND deactivated_at IS NULL RETURNING id",
        )
        .bind(by.at.0)
        .bind(space.0)
        .all(&mut *tx, |row| Ok(HumanId(row.read()?)))
        .await?;
        for human in &revoked.humans {
            release_human::<E>(&mut tx, *human, by.at).await?;
        }
        sql::<E>("DELETE FROM memberships WHERE space_id = $1").bind(space.0).execute(&mut *tx).await?;
        revocation::<E>(space.0, by.at).execute(&mut *tx).await?;
        let target = AuditTarget::new(AuditTargetType::Space, space, name);
        api_keys::note::<E>(&mut tx, by, by.space, AuditEvent::SpaceDeactivated, target, &mut revoked).await?;
        tx.commit().await?;
        revoked.audited.iter().for_each(AuditEntry::log);
        Ok(Ok(revoked))
    }

    async fn agent(&self, space: SpaceId, id: AgentId) -> StoreResult<Option<Agent>> {
        agent_by_id::<E>(space, id).first(&mut *self.reader().await?, rows::agent).await
    }

    async fn agent_by_name(&self, space: SpaceId, name: &str) -> StoreResult<Option<Agent>> {
        agent_by_name::<E>(space, name).first(&mut *self.reader().await?, rows::agent).await
    }

    async fn agents(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<Agent>> {
        let count = sql("SELECT COUNT(*) FROM agents WHERE space_id = $1 AND deactivated_at IS NULL");
        let list = sql(select_agent!(
            "FROM agents a WHERE a.space_id = $1 AND a.deactivated_at IS NULL ORDER BY a.id LIMIT $2 OFFSET $3"
        ));
        self.page(page, count.bind(space.0), list.bind(space.0), rows::agent).await
    }

    async fn deactivate_agent(&self, by: &Revoker, id: AgentId) -> StoreResult<Result<Revoked, NotRevoked>> {
        let mut tx = self.transaction().await?;
        let mut revoked = Revoked::default();
        // Keys first: after the deactivation none of them counts as usable.
        let keys = api_keys::keys_of_agent::<E>(&mut tx, by.space, id).await?;
        if let Err(refused) = api_keys::revoke_all::<E>(&mut tx, by, &keys, &mut revoked).await? {
            return Ok(Err(refused));
        }
        let name = sql::<E>(
            "UPDATE agents SET deactivated_at = $1 WHERE space_id = $2 AND id = $3 AND deactivated_at IS NULL \
             RETURNING name",
        )
        .bind(by.at.0)
        .bind(by.space.0)
        .bind(id.0)
        .first(&mut *tx, |row| row.read::<String>())
        .await?;
        let Some(name) = name else { return Ok(Err(NotRevoked::Missing)) };
        revocation::<E>(id.0, by.at).execute(&mut *tx).await?;
        let target = AuditTarget::new(AuditTargetType::Agent, id, name);
        api_keys::note::<E>(&mut tx, by, by.space, AuditEvent::AgentDeactivated, target, &mut revoked).await?;
        tx.commit().await?;
        revoked.audited.iter().for_each(AuditEntry::log);
        Ok(Ok(revoked))
    }

    async fn human(&self, id: HumanId) -> StoreResult<Option<Human>> {
        sql::<E>(select_human!(
            "FROM humans h JOIN spaces s ON s.id = h.space_id AND s.deactivated_at IS NULL \
             WHERE h.id = $1 AND h.deactivated_at IS NULL"
        ))
        .bind(id.0)
        .first(&mut *self.reader().await?, rows::human)
        .await
    }

    async fn humans_by_address(&self, address: &str, limit: i64) -> StoreResult<Vec<Human>> {
        sql::<E>(select_human!(
            "FROM humans h JOIN spaces s ON s.id = h.space_id AND s.deactivated_at IS NULL \
             WHERE h.address = $1 AND h.deactivated_at IS NULL \
             ORDER BY h.created_at, h.id LIMIT $2"
        ))
        .bind(address.to_owned())
        .bind(limit)
        .all(&mut *self.reader().await?, rows::human)
        .await
    }

    async fn human_by_address(&self, space: SpaceId, address: &str) -> StoreResult<Option<Human>> {
        human_by_address::<E>(space, address).first(&mut *self.reader().await?, rows::human).await
    }

    async fn human_in_space(&self, space: SpaceId, id: HumanId) -> StoreResult<Option<Human>> {
        human_by_id::<E>(space, id).first(&mut *self.reader().await?, rows::human).await
    }

    async fn members_named(&self, space: SpaceId, named: &[MemberRef]) -> StoreResult<HashMap<MemberRef, Member>> {
        named::members(&mut *self.reader().await?, space, named).await
    }

    async fn humans(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<Human>> {
        let count = sql("SELECT COUNT(*) FROM humans WHERE space_id = $1 AND deactivated_at IS NULL");
        self.page(page, count.bind(space.0), humans_of(space), rows::human).await
    }

    async fn all_humans(&self, space: SpaceId, max: i64) -> StoreResult<Option<Vec<Human>>> {
        let humans =
            humans_of::<E>(space).bind(max + 1).bind(0_i64).all(&mut *self.reader().await?, rows::human).await?;
        Ok((i64::try_from(humans.len()).is_ok_and(|count| count <= max)).then_some(humans))
    }

    async fn deactivate_human(&self, space: SpaceId, id: HumanId, now: Timestamp) -> StoreResult<bool> {
        let mut tx = self.transaction().await?;
        let changed = sql::<E>(
            "UPDATE humans SET deactivated_at = $1 WHERE space_id = $2 AND id = $3 AND deactivated_at IS NULL",
        )
        .bind(now.0)
        .bind(space.0)
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
        if changed > 0 {
            release_human::<E>(&mut tx, id, now).await?;
            tx.commit().await?;
        }
        Ok(changed > 0)
    }
}

/// The consequences of deactivating a human: the address becomes free, for the previous release as well; sign-ins and live
/// connections end; the key backup, which only this human can decrypt, is deleted.
async fn release_human<E: Engine>(tx: &mut PooledConnection<E>, human: HumanId, now: Timestamp) -> StoreResult<()> {
    sql::<E>("UPDATE humans SET email = address || '#' || $1 WHERE id = $2")
        .bind(human.to_string())
        .bind(human.0)
        .execute(tx)
        .await?;
    for text in [
        "DELETE FROM memberships WHERE human_id = $1",
        "DELETE FROM refresh_families WHERE human_id = $1",
        "DELETE FROM setup_tokens WHERE human_id = $1",
        "DELETE FROM key_backups WHERE human_id = $1",
    ] {
        sql::<E>(text).bind(human.0).execute(tx).await?;
    }
    revocation::<E>(human.0, now).execute(tx).await?;
    Ok(())
}

/// The humans of a space, with limit and offset still to bind.
fn humans_of<E: Engine>(space: SpaceId) -> Statement<E> {
    sql::<E>(select_human!(
        "FROM humans h WHERE h.space_id = $1 AND h.deactivated_at IS NULL ORDER BY h.id LIMIT $2 OFFSET $3"
    ))
    .bind(space.0)
}
