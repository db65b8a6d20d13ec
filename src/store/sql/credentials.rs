//! Guest tokens and the hub's own settings.

use super::{SqlStore, rows, sql, timelines};
use crate::domain::people::Guest;
use crate::domain::{GuestId, Scope, SessionId, SpaceId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::engine::Engine;
use crate::store::{Credentials, SecretHash, StoreError, StoreResult};
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

    async fn guests(&self, scope: Scope, session: SessionId, page: PageRequest) -> StoreResult<Option<Page<Guest>>> {
        let mut db = self.reader().await?;
        if timelines::head::<E>(&mut db, scope, session).await?.is_none() {
            return Ok(None);
        }
        let total = sql::<E>("SELECT COUNT(*) FROM guests WHERE session_id = $1 AND revoked_at IS NULL")
            .bind(session.0)
            .number(&mut *db)
            .await?;
        let data = sql::<E>(select_guest!(
            "FROM guests g WHERE g.session_id = $1 AND g.revoked_at IS NULL ORDER BY g.id LIMIT $2 OFFSET $3"
        ))
        .bind(session.0)
        .bind(page.size)
        .bind(page.offset())
        .all(&mut *db, rows::guest)
        .await?;
        Ok(Some(Page::new(page, total, data)))
    }
}
