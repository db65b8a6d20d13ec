//! Spaces, agents and humans.

use super::{SqlStore, revocation, rows, sql};
use crate::domain::participant::Member;
use crate::domain::people::{Agent, Human, Space};
use crate::domain::{AgentId, HumanId, Page, PageRequest, ParticipantType, SpaceId, Timestamp};
use crate::store::engine::{Engine, Statement};
use crate::store::{Directory, StoreResult};
use async_trait::async_trait;
use std::collections::HashSet;

#[async_trait]
impl<E: Engine> Directory for SqlStore<E> {
    async fn ensure_space(&self, name: &str, now: Timestamp) -> StoreResult<Option<(Space, bool)>> {
        let created =
            sql::<E>("INSERT INTO spaces (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING")
                .bind(SpaceId::new().0)
                .bind(name.to_owned())
                .bind(now.0)
                .execute(&mut *self.writer().await?)
                .await?;
        Ok(self.space_by_name(name).await?.map(|space| (space, created > 0)))
    }

    async fn space_by_name(&self, name: &str) -> StoreResult<Option<Space>> {
        sql::<E>("SELECT id, name, created_at FROM spaces WHERE name = $1 AND deactivated_at IS NULL")
            .bind(name.to_owned())
            .first(&mut *self.writer().await?, rows::space)
            .await
    }

    async fn spaces(&self, page: PageRequest) -> StoreResult<Page<Space>> {
        let mut db = self.reader().await?;
        let total = sql::<E>("SELECT COUNT(*) FROM spaces WHERE deactivated_at IS NULL").number(&mut *db).await?;
        let data = sql::<E>(
            "SELECT id, name, created_at FROM spaces WHERE deactivated_at IS NULL ORDER BY id LIMIT $1 OFFSET $2",
        )
        .bind(page.size)
        .bind(page.offset())
        .all(&mut *db, rows::space)
        .await?;
        Ok(Page::new(page, total, data))
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

    async fn ensure_agent(
        &self,
        space: SpaceId,
        name: &str,
        description: Option<&str>,
        now: Timestamp,
    ) -> StoreResult<Option<(Agent, bool)>> {
        let created = sql::<E>(
            "INSERT INTO agents (id, space_id, name, description, created_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (space_id, name) DO NOTHING",
        )
        .bind(AgentId::new().0)
        .bind(space.0)
        .bind(name.to_owned())
        .bind(description.map(str::to_owned))
        .bind(now.0)
        .execute(&mut *self.writer().await?)
        .await?;
        Ok(self.agent_by_name(space, name).await?.map(|agent| (agent, created > 0)))
    }

    async fn agent(&self, space: SpaceId, id: AgentId) -> StoreResult<Option<Agent>> {
        sql::<E>(
            "SELECT id, space_id, name, description, public_key, key_id, created_at FROM agents \
             WHERE space_id = $1 AND id = $2 AND deactivated_at IS NULL",
        )
        .bind(space.0)
        .bind(id.0)
        .first(&mut *self.reader().await?, rows::agent)
        .await
    }

    async fn agent_by_name(&self, space: SpaceId, name: &str) -> StoreResult<Option<Agent>> {
        sql::<E>(
            "SELECT id, space_id, name, description, public_key, key_id, created_at FROM agents \
             WHERE space_id = $1 AND name = $2 AND deactivated_at IS NULL",
        )
        .bind(space.0)
        .bind(name.to_owned())
        .first(&mut *self.reader().await?, rows::agent)
        .await
    }

    async fn agents(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<Agent>> {
        let mut db = self.reader().await?;
        let total = sql::<E>("SELECT COUNT(*) FROM agents WHERE space_id = $1 AND deactivated_at IS NULL")
            .bind(space.0)
            .number(&mut *db)
            .await?;
        let data = sql::<E>(
            "SELECT id, space_id, name, description, public_key, key_id, created_at FROM agents \
             WHERE space_id = $1 AND deactivated_at IS NULL ORDER BY id LIMIT $2 OFFSET $3",
        )
        .bind(space.0)
        .bind(page.size)
        .bind(page.offset())
        .all(&mut *db, rows::agent)
        .await?;
        Ok(Page::new(page, total, data))
    }

    async fn agents_of_human(&self, human: HumanId, page: PageRequest) -> StoreResult<Page<Agent>> {
        let mut db = self.reader().await?;
        let total = sql::<E>(
            "SELECT COUNT(*) FROM agents a JOIN memberships m ON m.space_id = a.space_id \
             WHERE m.human_id = $1 AND a.deactivated_at IS NULL",
        )
        .bind(human.0)
        .number(&mut *db)
        .await?;
        let data = sql::<E>(
            "SELECT a.id, a.space_id, a.name, a.description, a.public_key, a.key_id, a.created_at \
             FROM agents a JOIN memberships m ON m.space_id = a.space_id \
             WHERE m.human_id = $1 AND a.deactivated_at IS NULL ORDER BY a.id LIMIT $2 OFFSET $3",
        )
        .bind(human.0)
        .bind(page.size)
        .bind(page.offset())
        .all(&mut *db, rows::agent)
        .await?;
        Ok(Page::new(page, total, data))
    }

    async fn find_agents_of_human(
        &self,
        human: HumanId,
        id: Option<AgentId>,
        name: Option<&str>,
    ) -> StoreResult<Vec<Agent>> {
        sql::<E>(
            "SELECT a.id, a.space_id, a.name, a.description, a.public_key, a.key_id, a.created_at \
             FROM agents a JOIN memberships m ON m.space_id = a.space_id \
             WHERE m.human_id = $1 AND (a.id = $2 OR ($2 IS NULL AND a.name = $3)) AND a.deactivated_at IS NULL \
             ORDER BY a.id LIMIT 2",
        )
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

    async fn create_human(
        &self,
        space: SpaceId,
        email: &str,
        name: &str,
        password_hash: Option<&str>,
        now: Timestamp,
    ) -> StoreResult<Option<(Human, bool)>> {
        let mut tx = self.transaction().await?;
        let created = sql::<E>(
            "INSERT INTO humans (id, email, name, password_hash, created_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (email) DO NOTHING",
        )
        .bind(HumanId::new().0)
        .bind(email.to_owned())
        .bind(name.to_owned())
        .bind(password_hash.map(str::to_owned))
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        let human = sql::<E>(
            "SELECT id, email, name, password_hash, public_key, key_id, created_at FROM humans \
             WHERE email = $1 AND deactivated_at IS NULL",
        )
        .bind(email.to_owned())
        .first(&mut *tx, rows::human)
        .await?;
        let Some(human) = human else { return Ok(None) };
        let joined = sql::<E>(
            "INSERT INTO memberships (space_id, human_id, created_at) VALUES ($1, $2, $3) \
             ON CONFLICT (space_id, human_id) DO NOTHING",
        )
        .bind(space.0)
        .bind(human.id.0)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok((joined > 0).then_some((human, created > 0)))
    }

    async fn human(&self, id: HumanId) -> StoreResult<Option<Human>> {
        sql::<E>(
            "SELECT id, email, name, password_hash, public_key, key_id, created_at FROM humans \
             WHERE id = $1 AND deactivated_at IS NULL",
        )
        .bind(id.0)
        .first(&mut *self.reader().await?, rows::human)
        .await
    }

    async fn human_by_email(&self, email: &str) -> StoreResult<Option<Human>> {
        sql::<E>(
            "SELECT id, email, name, password_hash, public_key, key_id, created_at FROM humans \
             WHERE email = $1 AND deactivated_at IS NULL",
        )
        .bind(email.to_owned())
        .first(&mut *self.reader().await?, rows::human)
        .await
    }

    async fn human_in_space(&self, space: SpaceId, id: HumanId) -> StoreResult<Option<Human>> {
        sql::<E>(
            "SELECT h.id, h.email, h.name, h.password_hash, h.public_key, h.key_id, h.created_at \
             FROM humans h JOIN memberships m ON m.human_id = h.id \
             WHERE m.space_id = $1 AND h.id = $2 AND h.deactivated_at IS NULL",
        )
        .bind(space.0)
        .bind(id.0)
        .first(&mut *self.reader().await?, rows::human)
        .await
    }

    async fn humans(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<Human>> {
        let mut db = self.reader().await?;
        let total = sql::<E>(
            "SELECT COUNT(*) FROM memberships m JOIN humans h ON h.id = m.human_id \
             WHERE m.space_id = $1 AND h.deactivated_at IS NULL",
        )
        .bind(space.0)
        .number(&mut *db)
        .await?;
        let data = humans_of::<E>(space, page.size, page.offset()).all(&mut *db, rows::human).await?;
        Ok(Page::new(page, total, data))
    }

    async fn all_humans(&self, space: SpaceId, max: i64) -> StoreResult<Option<Vec<Human>>> {
        let humans = humans_of::<E>(space, max + 1, 0).all(&mut *self.reader().await?, rows::human).await?;
        Ok((i64::try_from(humans.len()).is_ok_and(|count| count <= max)).then_some(humans))
    }

    async fn spaces_of_humans(&self, humans: &[HumanId]) -> StoreResult<Vec<SpaceId>> {
        let mut found = HashSet::new();
        for group in humans.chunks(500) {
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
        sql::<E>(
            "UPDATE humans SET deactivated_at = $1 WHERE id = $2 \
             AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.human_id = $2)",
        )
        .bind(now.0)
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
        if left > 0 {
            revocation::<E>(id.0, now).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(left > 0)
    }

    async fn set_password(&self, id: HumanId, password_hash: &str) -> StoreResult<()> {
        sql::<E>("UPDATE humans SET password_hash = $1 WHERE id = $2")
            .bind(password_hash.to_owned())
            .bind(id.0)
            .execute(&mut *self.writer().await?)
            .await?;
        Ok(())
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

fn humans_of<E: Engine>(space: SpaceId, limit: i64, offset: i64) -> crate::store::engine::Statement<E> {
    sql::<E>(
        "SELECT h.id, h.email, h.name, h.password_hash, h.public_key, h.key_id, h.created_at \
         FROM memberships m JOIN humans h ON h.id = m.human_id \
         WHERE m.space_id = $1 AND h.deactivated_at IS NULL ORDER BY h.id LIMIT $2 OFFSET $3",
    )
    .bind(space.0)
    .bind(limit)
    .bind(offset)
}
