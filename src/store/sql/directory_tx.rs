//! The transaction that creates spaces, agents, humans and keys, and saves the reply.

use super::people::{agent_by_id, agent_by_name, human_by_address, human_by_id};
use super::{api_keys, audit, external_identities, replies, rows, sign_ins, sql};
use crate::domain::people::{Agent, ApiKey, Human, Space};
use crate::domain::{AgentId, AuditEntry, HumanId, KeyId, SpaceId, Timestamp};
use crate::store::engine::Engine;
use crate::store::pool::PooledConnection;
use crate::store::{DirectoryTx, NewHuman, NewKey, SavedReply, SecretHash, StoreResult};
use async_trait::async_trait;

pub(super) struct SqlDirectoryTx<E: Engine> {
    tx: Box<PooledConnection<E>>,
    /// Audit entries to log after the commit.
    audited: Vec<AuditEntry>,
}

impl<E: Engine> SqlDirectoryTx<E> {
    pub(super) fn new(tx: Box<PooledConnection<E>>) -> Self {
        Self { tx, audited: Vec::new() }
    }

    /// Waits for other transactions that count the same space, so that their changes are committed and visible.
    async fn lock_counts(&mut self, space: SpaceId) -> StoreResult<()> {
        // Does not block other writes of the space, since foreign keys lock only the key of the row.
        sql::<E>("UPDATE spaces SET created_at = created_at WHERE id = $1").bind(space.0).execute(&mut self.tx).await?;
        Ok(())
    }
}

#[async_trait]
impl<E: Engine> DirectoryTx for SqlDirectoryTx<E> {
    async fn claim_reply(
        &mut self,
        scope: &str,
        key: &str,
        request_hash: &SecretHash,
        now: Timestamp,
    ) -> StoreResult<Option<SavedReply>> {
        if replies::claim::<E>(&mut self.tx, scope, key, request_hash, now).await? {
            return Ok(None);
        }
        replies::find::<E>(&mut self.tx, scope, key, SavedReply::kept_since(now)).await
    }

    async fn ensure_space(&mut self, name: &str, now: Timestamp) -> StoreResult<Option<(Space, bool)>> {
        let created =
            sql::<E>("INSERT INTO spaces (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING")
                .bind(SpaceId::new().0)
                .bind(name.to_owned())
                .bind(now.0)
                .execute(&mut *self.tx)
                .await?;
        let space = sql::<E>(select_space!("FROM spaces s WHERE s.name = $1 AND s.deactivated_at IS NULL"))
            .bind(name.to_owned())
            .first(&mut *self.tx, rows::space)
            .await?;
        Ok(space.map(|space| (space, created > 0)))
    }

    async fn ensure_agent(
        &mut self,
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
        .execute(&mut *self.tx)
        .await?;
        let agent = agent_by_name::<E>(space, name).first(&mut *self.tx, rows::agent).await?;
        Ok(agent.map(|agent| (agent, created > 0)))
    }

    async fn agent(&mut self, space: SpaceId, id: AgentId) -> StoreResult<Option<Agent>> {
        agent_by_id::<E>(space, id).first(&mut *self.tx, rows::agent).await
    }

    async fn create_human(&mut self, new: &NewHuman<'_>, now: Timestamp) -> StoreResult<Option<Human>> {
        let id = HumanId::new();
        // The previous release has one human for an address in all spaces. The others get another value of `email`.
        let mut created = 0;
        for email in [new.email.to_owned(), format!("{}#{id}", new.email)] {
            created = sql::<E>(
                "INSERT INTO humans (id, email, name, password_hash, created_at, space_id, address, role) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
            )
            .bind(id.0)
            .bind(email)
            .bind(new.name.to_owned())
            .bind(new.password_hash.map(str::to_owned))
            .bind(now.0)
            .bind(new.space.0)
            .bind(new.email.to_owned())
            .bind(new.role.as_str().to_owned())
            .execute(&mut *self.tx)
            .await?;
            if created > 0 {
                break;
            }
        }
        if created == 0 {
            return Ok(None);
        }
        // For the previous release.
        sql::<E>("INSERT INTO memberships (space_id, human_id, created_at) VALUES ($1, $2, $3)")
            .bind(new.space.0)
            .bind(id.0)
            .bind(now.0)
            .execute(&mut *self.tx)
            .await?;
        human_by_address::<E>(new.space, new.email).first(&mut *self.tx, rows::human).await
    }

    async fn count_agents(&mut self, space: SpaceId) -> StoreResult<i64> {
        self.lock_counts(space).await?;
        sql::<E>("SELECT COUNT(*) FROM agents WHERE space_id = $1 AND deactivated_at IS NULL")
            .bind(space.0)
            .number(&mut self.tx)
            .await
    }

    async fn count_humans(&mut self, space: SpaceId) -> StoreResult<i64> {
        self.lock_counts(space).await?;
        sql::<E>("SELECT COUNT(*) FROM humans WHERE space_id = $1 AND deactivated_at IS NULL")
            .bind(space.0)
            .number(&mut self.tx)
            .await
    }

    async fn hold_key(&mut self, key: KeyId) -> StoreResult<bool> {
        api_keys::hold::<E>(&mut self.tx, key).await
    }

    async fn create_key(&mut self, key: &NewKey, now: Timestamp) -> StoreResult<ApiKey> {
        sql::<E>(
            "INSERT INTO api_keys (id, space_id, secret_hash, prefix, permission, agent_id, expires_at, created_at, \
             created_by, created_by_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(key.id.0)
        .bind(key.space.0)
        .bind(key.hash.to_vec())
        .bind(key.prefix.clone())
        .bind(key.permission.as_str().to_owned())
        .bind(key.agent.map(|agent| agent.0))
        .bind(key.expires_at.map(|at| at.0))
        .bind(now.0)
        .bind(audit::json(&key.created_by)?)
        .bind(key.created_by_key.map(|key| key.0))
        .execute(&mut *self.tx)
        .await?;
        Ok(ApiKey {
            id: key.id,
            space_id: key.space,
            permission: key.permission,
            agent_id: key.agent,
            prefix: key.prefix.clone(),
            created_by: Some(key.created_by.clone()),
            last_used_at: None,
            expires_at: key.expires_at,
            created_at: now,
        })
    }

    async fn human(&mut self, space: SpaceId, id: HumanId) -> StoreResult<Option<Human>> {
        human_by_id::<E>(space, id).first(&mut *self.tx, rows::human).await
    }

    async fn free_address(&mut self, human: &Human) -> StoreResult<()> {
        sql::<E>("UPDATE humans SET address = $1, email = $1 WHERE id = $2 AND space_id = $3")
            .bind(Human::unverified_address(human.id, &human.email))
            .bind(human.id.0)
            .bind(human.space_id.0)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    async fn add_external_identity(
        &mut self,
        issuer: &str,
        subject: &str,
        human: HumanId,
        now: Timestamp,
    ) -> StoreResult<bool> {
        Ok(external_identities::insert::<E>(issuer, subject, human, now).execute(&mut *self.tx).await? > 0)
    }

    async fn void_setup_tokens(&mut self, human: HumanId) -> StoreResult<()> {
        sign_ins::lock_human::<E>(&mut self.tx, human).await?;
        sign_ins::void_setup_tokens::<E>(human).execute(&mut *self.tx).await?;
        Ok(())
    }

    async fn add_setup_token(&mut self, hash: &SecretHash, human: HumanId, expires_at: Timestamp) -> StoreResult<()> {
        sql::<E>("INSERT INTO setup_tokens (secret_hash, human_id, expires_at) VALUES ($1, $2, $3)")
            .bind(hash.to_vec())
            .bind(human.0)
            .bind(expires_at.0)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    async fn audit(&mut self, entry: AuditEntry) -> StoreResult<()> {
        audit::add::<E>(&mut self.tx, &entry).await?;
        self.audited.push(entry);
        Ok(())
    }

    async fn commit(mut self: Box<Self>, reply: Option<SavedReply>) -> StoreResult<()> {
        if let Some(reply) = reply {
            replies::keep::<E>(&mut self.tx, reply).await?;
        }
        self.tx.commit().await?;
        self.audited.iter().for_each(AuditEntry::log);
        Ok(())
    }
}
