//! API keys, guest tokens and the hub's own settings.

use super::rows::select_guest;
use super::{SqlStore, revocation, rows, sql};
use crate::domain::people::{ApiKey, Guest};
use crate::domain::{AgentId, GuestId, KeyId, Page, PageRequest, SpaceId, Timestamp};
use crate::store::engine::Engine;
use crate::store::{Credentials, KeyHolder, SecretHash, StoreError, StoreResult};
use async_trait::async_trait;
use uuid::Uuid;

#[async_trait]
impl<E: Engine> Credentials for SqlStore<E> {
    async fn setting(&self, name: &str) -> StoreResult<Option<String>> {
        sql::<E>("SELECT value FROM settings WHERE name = $1")
            .bind(name.to_owned())
            .first(&mut *self.writer().await?, |row| row.read())
            .await
    }

    async fn setting_or(&self, name: &str, value: &str) -> StoreResult<String> {
        sql::<E>("INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
            .bind(name.to_owned())
            .bind(value.to_owned())
            .execute(&mut *self.writer().await?)
            .await?;
        self.setting(name).await?.ok_or_else(|| StoreError::damaged("a setting without a row"))
    }

    async fn key_by_secret(&self, hash: &SecretHash) -> StoreResult<Option<KeyHolder>> {
        sql::<E>(
            "SELECT k.id, k.space_id, k.permission, k.expires_at, a.id, a.name FROM api_keys k \
             JOIN spaces s ON s.id = k.space_id AND s.deactivated_at IS NULL \
             LEFT JOIN agents a ON a.id = k.agent_id AND a.deactivated_at IS NULL \
             WHERE k.secret_hash = $1 AND k.revoked_at IS NULL",
        )
        .bind(hash.to_vec())
        .first(&mut *self.reader().await?, |row| {
            let id = KeyId(row.read()?);
            let space = SpaceId(row.read()?);
            let permission = rows::permission(row)?;
            let expires_at = row.read::<Option<i64>>()?.map(Timestamp);
            let agent = row.read::<Option<Uuid>>()?.map(AgentId).zip(row.read::<Option<String>>()?);
            Ok(KeyHolder { id, space, permission, agent, expires_at })
        })
        .await
    }

    async fn keys(&self, space: SpaceId, page: PageRequest) -> StoreResult<Page<ApiKey>> {
        let count = sql("SELECT COUNT(*) FROM api_keys WHERE space_id = $1 AND revoked_at IS NULL");
        let list = sql("SELECT id, space_id, permission, agent_id, prefix, expires_at, created_at FROM api_keys \
             WHERE space_id = $1 AND revoked_at IS NULL ORDER BY id LIMIT $2 OFFSET $3");
        self.page(page, count.bind(space.0), list.bind(space.0), rows::api_key).await
    }

    async fn revoke_key(&self, space: SpaceId, id: KeyId, now: Timestamp) -> StoreResult<bool> {
        let mut tx = self.transaction().await?;
        let changed =
            sql::<E>("UPDATE api_keys SET revoked_at = $1 WHERE space_id = $2 AND id = $3 AND revoked_at IS NULL")
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

    async fn revoked_since(&self, since: Timestamp) -> StoreResult<Vec<(Uuid, Uuid)>> {
        sql::<E>("SELECT id, subject FROM revocations WHERE at >= $1 ORDER BY at, id")
            .bind(since.0)
            .all(&mut *self.reader().await?, |row| Ok((row.read()?, row.read()?)))
            .await
    }

    async fn guest_by_secret(&self, hash: &SecretHash) -> StoreResult<Option<Guest>> {
        sql::<E>(select_guest!(
            "FROM guests g JOIN spaces s ON s.id = g.space_id AND s.deactivated_at IS NULL \
                 WHERE g.secret_hash = $1 AND g.revoked_at IS NULL"
        ))
        .bind(hash.to_vec())
        .first(&mut *self.reader().await?, rows::guest)
        .await
    }

    async fn guest(&self, space: SpaceId, id: GuestId) -> StoreResult<Option<Guest>> {
        sql::<E>(select_guest!("FROM guests g WHERE g.space_id = $1 AND g.id = $2 AND g.revoked_at IS NULL"))
            .bind(space.0)
            .bind(id.0)
            .first(&mut *self.reader().await?, rows::guest)
            .await
    }
}
