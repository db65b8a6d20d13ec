//! Guest tokens, refresh tokens, setup links and the hub's own settings.

use super::rows::select_guest;
use super::{SqlStore, rows, sql, timelines};
use crate::domain::people::Guest;
use crate::domain::{GuestId, HumanId, Page, PageRequest, Scope, SessionId, SpaceId, Timestamp};
use crate::store::engine::{Engine, Statement};
use crate::store::{Credentials, Refresh, RefreshOutcome, SecretHash, StoreError, StoreResult};
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

    async fn add_refresh_token(&self, token: &Refresh, now: Timestamp) -> StoreResult<()> {
        let mut tx = self.transaction().await?;
        sql::<E>("INSERT INTO refresh_families (id, human_id, expires_at, last_used_at) VALUES ($1, $2, $3, $4)")
            .bind(token.family)
            .bind(token.human.0)
            .bind(token.expires_at.0)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        insert_refresh::<E>(&token.hash, token.family, token.expires_at).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    async fn rotate_refresh_token(
        &self,
        old: &SecretHash,
        next_hash: &SecretHash,
        next_expires: Timestamp,
        now: Timestamp,
    ) -> StoreResult<RefreshOutcome> {
        let mut tx = self.transaction().await?;
        // Holds the family's row to the end: of those that use its tokens at once, each sees what the one before did.
        let family = sql::<E>(
            "UPDATE refresh_families SET last_used_at = $1 \
             WHERE id = (SELECT family_id FROM refresh_tokens WHERE secret_hash = $2) RETURNING id, human_id",
        )
        .bind(now.0)
        .bind(old.to_vec())
        .first(&mut *tx, |row| Ok((row.read::<Uuid>()?, HumanId(row.read()?))))
        .await?;
        let Some((family, human)) = family else { return Ok(RefreshOutcome::Unknown) };
        let (used, expires_at) = sql::<E>("SELECT used_at, expires_at FROM refresh_tokens WHERE secret_hash = $1")
            .bind(old.to_vec())
            .first(&mut *tx, |row| Ok((row.read::<Option<i64>>()?, Timestamp(row.read()?))))
            .await?
            .ok_or_else(|| StoreError::damaged("a refresh token that left its family"))?;
        let outcome = if used.is_some() {
            sql::<E>("DELETE FROM refresh_families WHERE id = $1").bind(family).execute(&mut *tx).await?;
            RefreshOutcome::Reused
        } else if expires_at <= now {
            RefreshOutcome::Expired
        } else {
            sql::<E>("UPDATE refresh_tokens SET used_at = $1 WHERE secret_hash = $2")
                .bind(now.0)
                .bind(old.to_vec())
                .execute(&mut *tx)
                .await?;
            sql::<E>("UPDATE refresh_families SET expires_at = $1 WHERE id = $2")
                .bind(next_expires.0)
                .bind(family)
                .execute(&mut *tx)
                .await?;
            insert_refresh::<E>(next_hash, family, next_expires).execute(&mut *tx).await?;
            RefreshOutcome::Rotated(human)
        };
        tx.commit().await?;
        Ok(outcome)
    }

    async fn end_refresh_family(&self, token: &SecretHash) -> StoreResult<()> {
        sql::<E>(
            "DELETE FROM refresh_families \
             WHERE id = (SELECT family_id FROM refresh_tokens WHERE secret_hash = $1)",
        )
        .bind(token.to_vec())
        .execute(&mut *self.writer().await?)
        .await?;
        Ok(())
    }

    async fn choose_password(
        &self,
        token: &SecretHash,
        password_hash: &str,
        now: Timestamp,
    ) -> StoreResult<Option<HumanId>> {
        let mut tx = self.transaction().await?;
        let human = sql::<E>(
            "UPDATE setup_tokens SET used_at = $1 WHERE secret_hash = $2 AND used_at IS NULL AND expires_at > $1 \
             RETURNING human_id",
        )
        .bind(now.0)
        .bind(token.to_vec())
        .first(&mut *tx, |row| Ok(HumanId(row.read()?)))
        .await?;
        let Some(human) = human else { return Ok(None) };
        let chosen =
            sql::<E>("UPDATE humans SET password_hash = $1 WHERE id = $2 AND deactivated_at IS NULL RETURNING id")
                .bind(password_hash.to_owned())
                .bind(human.0)
                .first(&mut *tx, |row| Ok(HumanId(row.read()?)))
                .await?;
        if chosen.is_some() {
            tx.commit().await?;
        }
        Ok(chosen)
    }
}

fn insert_refresh<E: Engine>(hash: &SecretHash, family: Uuid, expires_at: Timestamp) -> Statement<E> {
    sql::<E>("INSERT INTO refresh_tokens (secret_hash, family_id, expires_at) VALUES ($1, $2, $3)")
        .bind(hash.to_vec())
        .bind(family)
        .bind(expires_at.0)
}
