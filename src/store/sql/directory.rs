//! Spaces, agents and humans: looking them up, and deactivating them.

use super::directory_tx::SqlDirectoryTx;
use super::rows::{select_agent, select_human, select_space};
use super::{SqlStore, revocation, rows, sql};
use crate::domain::participant::Member;
use crate::domain::people::{Agent, Human, Space};
use crate::domain::{AgentId, HumanId, Page, PageRequest, ParticipantType, SpaceId, Timestamp};
use crate::store::engine::{Engine, Statement, large_groups};
use crate::store::{Directory, DirectoryTx, StoreResult};
use async_trait::async_trait;
use std::collections::HashSet;

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

    async fn deactivate_space(&self, space: SpaceId, now: Timestamp) -> StoreResult<Option<Vec<HumanId>>> {
        let mut tx = self.transaction().await?;
        let changed = sql::<E>("UPDATE spaces SET deactivated_at = $1 WHERE id = $2 AND deactivated_at IS NULL")
            .bind(now.0)
            .bind(space.0)
            .execute(&mut *tx)
            .await?;
        if changed == 0 {
            return Ok(None);
        }
        for text in [
            "UPDATE api_keys SET revoked_at = $1 WHERE space_id = $2 AND revoked_at IS NULL",
            "UPDATE guests SET revoked_at = $1 WHERE space_id = $2 AND revoked_at IS NULL",
        ] {
            sql::<E>(text).bind(now.0).bind(space.0).execute(&mut *tx).await?;
        }
        let homeless = sql::<E>(
            "UPDATE humans SET deactivated_at = $1 WHERE deactivated_at IS NULL \
             AND EXISTS (SELECT 1 FROM memberships m WHERE m.human_id = humans.id AND m.space_id = $2) \
             AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.human_id = humans.id AND m.space_id <> $2) \
             RETURNING id",
        )
        .bind(now.0)
        .bind(space.0)
        .all(&mut *tx, |row| Ok(HumanId(row.read()?)))
        .await?;
        sql::<E>("DELETE FROM memberships WHERE space_id = $1").bind(space.0).execute(&mut *tx).await?;
        for subject in homeless.iter().map(|human| human.0).chain([space.0]) {
            revocation::<E>(subject, now).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(Some(homeless))
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

    async fn agents_of_human(&self, human: HumanId, page: PageRequest) -> StoreResult<Page<Agent>> {
        let count = sql("SELECT COUNT(*) FROM agents a JOIN memberships m ON m.space_id = a.space_id \
             WHERE m.human_id = $1 AND a.deactivated_at IS NULL");
        let list = sql(select_agent!(
            "FROM agents a JOIN memberships m ON m.space_id = a.space_id \
             WHERE m.human_id = $1 AND a.deactivated_at IS NULL ORDER BY a.id LIMIT $2 OFFSET $3"
        ));
        self.page(page, count.bind(human.0), list.bind(human.0), rows::agent).await
    }

    async fn find_agents_of_human(
        &self,
        human: HumanId,
        id: Option<AgentId>,
        name: Option<&str>,
    ) -> StoreResult<Vec<Agent>> {
        sql::<E>(select_agent!(
            "FROM agents a JOIN memberships m ON m.space_id = a.space_id \
             WHERE m.human_id = $1 AND (a.id = $2 OR ($2 IS NULL AND a.name = $3)) AND a.deactivated_at IS NULL \
             ORDER BY a.id LIMIT 2"
        ))
        .bind(human.0)
        .bind(id.map(|id| id.0))
        .bind(name.map(str::to_owned))
        .all(&mut *self.reader().await?, rows::agent)
        .await
    }

    async fn deactivate_agent(&self, space: SpaceId, id: AgentId, now: Timestamp) -> StoreResult<bool> {
        let mut tx = self.transaction().await?;
        let changed = sql::<E>(
            "UPDATE agents SET deactivated_at = $1 WHERE space_id = $2 AND id = $3 AND deactivated_at IS NULL",
        )
        .bind(now.0)
        .bind(space.0)
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
        if changed > 0 {
            revocation::<E>(id.0, now).execute(&mut *tx).await?;
            tx.commit().await?;
        }
        Ok(changed > 0)
    }

    async fn human(&self, id: HumanId) -> StoreResult<Option<Human>> {
        sql::<E>(select_human!("FROM humans h WHERE h.id = $1 AND h.deactivated_at IS NULL"))
            .bind(id.0)
            .first(&mut *self.reader().await?, rows::human)
            .await
    }

    async fn human_by_email(&self, email: &str) -> StoreResult<Option<Human>> {
        human_by_email::<E>(email).first(&mut *self.reader().await?, rows::human).await
    }

    async fn human_in_space(&self, space: SpaceId, id: HumanId) -> StoreResult<Option<Human>> {
        sql::<E>(select_human!(
            "FROM humans h JOIN memberships m ON m.human_id = h.id \
             WHERE m.space_id = $1 AND h.id = $2 AND h.deactivated_at IS NULL"
        ))
        .bind(space.0)
        .bind(id.0)
        .first(&mut *self.reader().await?, rows::human)
        .await
    }

    async fn humans(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<Human>> {
        let count = sql("SELECT COUNT(*) FROM memberships m JOIN humans h ON h.id = m.human_id \
             WHERE m.space_id = $1 AND h.deactivated_at IS NULL");
        self.page(page, count.bind(space.0), humans_of(space), rows::human).await
    }

    async fn all_humans(&self, space: SpaceId, max: i64) -> StoreResult<Option<Vec<Human>>> {
        let humans =
            humans_of::<E>(space).bind(max + 1).bind(0_i64).all(&mut *self.reader().await?, rows::human).await?;
        Ok((i64::try_from(humans.len()).is_ok_and(|count| count <= max)).then_some(humans))
    }

    async fn spaces_of_humans(&self, humans: &[HumanId]) -> StoreResult<Vec<SpaceId>> {
        let mut found = HashSet::new();
        for group in large_groups(humans) {
            let mut statement = Statement::<E>::with_rows(
                "SELECT DISTINCT m.space_id FROM (VALUES",
                ") AS v CROSS JOIN memberships m WHERE m.human_id = v.column1",
                1,
                group.len(),
                1,
            );
            group.iter().for_each(|human| statement.push(human.0));
            found.extend(statement.all(&mut *self.reader().await?, |row| row.read().map(SpaceId)).await?);
        }
        Ok(found.into_iter().collect())
    }

    async fn deactivate_human(&self, space: SpaceId, id: HumanId, now: Timestamp) -> StoreResult<bool> {
        let mut tx = self.transaction().await?;
        let left = sql::<E>("DELETE FROM memberships WHERE space_id = $1 AND human_id = $2")
            .bind(space.0)
            .bind(id.0)
            .execute(&mut *tx)
            .await?;
        if left == 0 {
            return Ok(false);
        }
        sql::<E>(
            "UPDATE humans SET deactivated_at = $1 WHERE id = $2 \
             AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.human_id = $2)",
        )
        .bind(now.0)
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
        revocation::<E>(id.0, now).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn set_public_key(&self, member: &Member, public_key: &str, key_id: &str) -> StoreResult<()> {
        let text = match member.kind {
            ParticipantType::Agent => "UPDATE agents SET public_key = $1, key_id = $2 WHERE id = $3",
            ParticipantType::Human => "UPDATE humans SET public_key = $1, key_id = $2 WHERE id = $3",
            ParticipantType::Guest => "UPDATE guests SET public_key = $1, key_id = $2 WHERE id = $3",
        };
        sql::<E>(text)
            .bind(public_key.to_owned())
            .bind(key_id.to_owned())
            .bind(member.id.0)
            .execute(&mut *self.writer().await?)
            .await?;
        Ok(())
    }
}

/// The humans of a space; what is left to bind is how many, and after how many.
fn humans_of<E: Engine>(space: SpaceId) -> Statement<E> {
    sql::<E>(select_human!(
        "FROM memberships m JOIN humans h ON h.id = m.human_id \
         WHERE m.space_id = $1 AND h.deactivated_at IS NULL ORDER BY h.id LIMIT $2 OFFSET $3"
    ))
    .bind(space.0)
}

pub(super) fn agent_by_id<E: Engine>(space: SpaceId, id: AgentId) -> Statement<E> {
    sql::<E>(select_agent!("FROM agents a WHERE a.space_id = $1 AND a.id = $2 AND a.deactivated_at IS NULL"))
        .bind(space.0)
        .bind(id.0)
}

pub(super) fn agent_by_name<E: Engine>(space: SpaceId, name: &str) -> Statement<E> {
    sql::<E>(select_agent!("FROM agents a WHERE a.space_id = $1 AND a.name = $2 AND a.deactivated_at IS NULL"))
        .bind(space.0)
        .bind(name.to_owned())
}

pub(super) fn human_by_email<E: Engine>(email: &str) -> Statement<E> {
    sql::<E>(select_human!("FROM humans h WHERE h.email = $1 AND h.deactivated_at IS NULL")).bind(email.to_owned())
}
