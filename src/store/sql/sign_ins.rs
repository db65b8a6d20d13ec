//! Sign-ins with their refresh tokens, setup links and passwords.
//!
//! A transaction that locks rows of several of these tables locks the human's row first ([`lock_human`]), so that two of
//! them can't deadlock. Setup links, sign-ins and tokens follow.
//!
//! The table of sign-ins is `refresh_families`, the name of the previous release. That release writes neither `created_at`
//! nor `ends_at`, which are then derived from the id, a version 7 UUID.

use super::revocations::revocation;
use super::{SqlStore, sql};
use crate::domain::people::SignIn;
use crate::domain::{HumanId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::engine::Engine;
use crate::store::pool::PooledConnection;
use crate::store::statement::{Fields, Statement};
use crate::store::{
    EndedSignIns, NewSignIn, PasswordChosen, RefreshOutcome, SecretHash, SignIns, StoreError, StoreResult,
};
use async_trait::async_trait;
use uuid::Uuid;

/// Most sign-ins of one human. Beyond that the least recently used one is ended.
const MAX_SIGN_INS: i64 = 1000;

#[async_trait]
impl<E: Engine> SignIns for SqlStore<E> {
    async fn add_sign_in(&self, new: &NewSignIn, now: Timestamp) -> StoreResult<Option<Vec<Uuid>>> {
        let mut tx = self.transaction().await?;
        // Locks the human until the end, as a change of password does, which ends all earlier sign-ins.
        let holds = sql::<E>(
            "UPDATE humans SET name = name WHERE id = $1 AND deactivated_at IS NULL \
             AND password_hash IS NOT DISTINCT FROM $2",
        )
        .bind(new.human.0)
        .bind(new.password_hash.clone())
        .execute(&mut *tx)
        .await?;
        if holds == 0 {
            return Ok(None);
        }
        let too_many = sql::<E>(
            "SELECT id FROM refresh_families WHERE human_id = $1 ORDER BY last_used_at DESC, id DESC LIMIT $2 OFFSET $3",
        )
        .bind(new.human.0)
        .bind(MAX_SIGN_INS)
        .bind(MAX_SIGN_INS - 1)
        .all(&mut *tx, |row| row.read::<Uuid>())
        .await?;
        for id in &too_many {
            end::<E>(&mut tx, *id, now).await?;
        }
        sql::<E>(
            "INSERT INTO refresh_families (id, human_id, expires_at, last_used_at, created_at, ends_at, user_agent) \
             VALUES ($1, $2, $3, $4, $4, $5, $6)",
        )
        .bind(new.id)
        .bind(new.human.0)
        .bind(new.expires_at.0)
        .bind(now.0)
        .bind(new.ends_at.0)
        .bind(new.user_agent.clone())
        .execute(&mut *tx)
        .await?;
        insert_refresh::<E>(&new.hash, new.id, new.expires_at).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Some(too_many))
    }

    async fn rotate_refresh_token(
        &self,
        old: &SecretHash,
        next_hash: &SecretHash,
        next_expires: Timestamp,
        now: Timestamp,
    ) -> StoreResult<RefreshOutcome> {
        let mut tx = self.transaction().await?;
        let human = sql::<E>(
            "SELECT f.human_id FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family_id \
             WHERE t.secret_hash = $1",
        )
        .bind(old.to_vec())
        .first(&mut *tx, |row| Ok(HumanId(row.read()?)))
        .await?;
        let Some(human) = human else { return Ok(RefreshOutcome::Unknown) };
        // PostgreSQL also locks the human if a sign-in is changed twice in a transaction (by its foreign key).
        if !lock_human::<E>(&mut tx, human).await? {
            return Ok(RefreshOutcome::Unknown);
        }
        // Locks the row of the sign-in until the end, so that concurrent uses of its tokens run one after the other.
        let found = sql::<E>(
            "UPDATE refresh_families SET last_used_at = $1 \
             WHERE id = (SELECT family_id FROM refresh_tokens WHERE secret_hash = $2) \
             RETURNING id, human_id, last_used_at, created_at, ends_at, user_agent",
        )
        .bind(now.0)
        .bind(old.to_vec())
        .first(&mut *tx, sign_in::<E>)
        .await?;
        let Some((human, found)) = found else { return Ok(RefreshOutcome::Unknown) };
        let (used, expires_at) = sql::<E>("SELECT used_at, expires_at FROM refresh_tokens WHERE secret_hash = $1")
            .bind(old.to_vec())
            .first(&mut *tx, |row| Ok((row.read::<Option<i64>>()?, Timestamp(row.read()?))))
            .await?
            .ok_or_else(|| StoreError::damaged("a refresh token that left its family"))?;
        let outcome = if used.is_some() {
            end::<E>(&mut tx, found.id, now).await?;
            RefreshOutcome::Reused { human, sign_in: found.id }
        } else if expires_at.min(found.ends_at) <= now {
            RefreshOutcome::Expired
        } else {
            let next_expires = next_expires.min(found.ends_at);
            sql::<E>("UPDATE refresh_tokens SET used_at = $1 WHERE secret_hash = $2")
                .bind(now.0)
                .bind(old.to_vec())
                .execute(&mut *tx)
                .await?;
            sql::<E>("UPDATE refresh_families SET expires_at = $1 WHERE id = $2")
                .bind(next_expires.0)
                .bind(found.id)
                .execute(&mut *tx)
                .await?;
            insert_refresh::<E>(next_hash, found.id, next_expires).execute(&mut *tx).await?;
            RefreshOutcome::Rotated { human, sign_in: found.id, ends_at: found.ends_at }
        };
        tx.commit().await?;
        Ok(outcome)
    }

    async fn sign_ins(&self, human: HumanId, page: PageRequest, now: Timestamp) -> StoreResult<Page<SignIn>> {
        let count = sql("SELECT COUNT(*) FROM refresh_families \
             WHERE human_id = $1 AND expires_at > $2 AND (ends_at IS NULL OR ends_at > $2)");
        let list = sql("SELECT id, human_id, last_used_at, created_at, ends_at, user_agent FROM refresh_families \
             WHERE human_id = $1 AND expires_at > $2 AND (ends_at IS NULL OR ends_at > $2) \
             ORDER BY last_used_at DESC, id DESC LIMIT $3 OFFSET $4");
        let (count, list) = (count.bind(human.0).bind(now.0), list.bind(human.0).bind(now.0));
        self.page(page, count, list, |row| Ok(sign_in::<E>(row)?.1)).await
    }

    async fn has_sign_in(&self, human: HumanId, id: Uuid, now: Timestamp) -> StoreResult<bool> {
        let found = sql::<E>(
            "SELECT id, human_id, last_used_at, created_at, ends_at, user_agent FROM refresh_families \
             WHERE id = $1 AND human_id = $2",
        )
        .bind(id)
        .bind(human.0)
        .first(&mut *self.reader().await?, sign_in::<E>)
        .await?;
        Ok(found.is_some_and(|(_, found)| found.ends_at > now))
    }

    async fn end_sign_in(&self, human: HumanId, id: Uuid, now: Timestamp) -> StoreResult<bool> {
        let mut tx = self.transaction().await?;
        let ended = sql::<E>("DELETE FROM refresh_families WHERE id = $1 AND human_id = $2")
            .bind(id)
            .bind(human.0)
            .execute(&mut *tx)
            .await?;
        if ended > 0 {
            revocation::<E>(id, now).execute(&mut *tx).await?;
            tx.commit().await?;
        }
        Ok(ended > 0)
    }

    async fn end_sign_in_of(
        &self,
        token: &SecretHash,
        everywhere: bool,
        now: Timestamp,
    ) -> StoreResult<Option<EndedSignIns>> {
        let mut tx = self.transaction().await?;
        let found = sql::<E>(
            "SELECT f.id, f.human_id FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family_id \
             WHERE t.secret_hash = $1",
        )
        .bind(token.to_vec())
        .first(&mut *tx, |row| Ok((row.read::<Uuid>()?, HumanId(row.read()?))))
        .await?;
        let Some((id, human)) = found else { return Ok(None) };
        let subjects = if everywhere {
            end_all::<E>(&mut tx, human, None, now).await?
        } else {
            end::<E>(&mut tx, id, now).await?;
            vec![id]
        };
        tx.commit().await?;
        Ok(Some(EndedSignIns { human, sign_in: id, subjects }))
    }

    async fn end_all_sign_ins(&self, human: HumanId, now: Timestamp) -> StoreResult<Vec<Uuid>> {
        let mut tx = self.transaction().await?;
        let ended = end_all::<E>(&mut tx, human, None, now).await?;
        tx.commit().await?;
        Ok(ended)
    }

    async fn change_password(
        &self,
        human: HumanId,
        before: &str,
        password_hash: &str,
        keep: Option<Uuid>,
        now: Timestamp,
    ) -> StoreResult<Option<Vec<Uuid>>> {
        let mut tx = self.transaction().await?;
        let changed = sql::<E>(
            "UPDATE humans SET password_hash = $1 WHERE id = $2 AND password_hash = $3 AND deactivated_at IS NULL",
        )
        .bind(password_hash.to_owned())
        .bind(human.0)
        .bind(before.to_owned())
        .execute(&mut *tx)
        .await?;
        if changed == 0 {
            return Ok(None);
        }
        void_setup_tokens::<E>(human).execute(&mut *tx).await?;
        let ended = end_all::<E>(&mut tx, human, keep, now).await?;
        tx.commit().await?;
        Ok(Some(ended))
    }

    async fn human_of_setup_token(&self, token: &SecretHash, now: Timestamp) -> StoreResult<Option<HumanId>> {
        sql::<E>(
            "SELECT t.human_id FROM setup_tokens t JOIN humans h ON h.id = t.human_id AND h.deactivated_at IS NULL \
             WHERE t.secret_hash = $1 AND t.used_at IS NULL AND t.expires_at > $2",
        )
        .bind(token.to_vec())
        .bind(now.0)
        .first(&mut *self.reader().await?, |row| Ok(HumanId(row.read()?)))
        .await
    }

    async fn choose_password(
        &self,
        token: &SecretHash,
        password_hash: &str,
        now: Timestamp,
    ) -> StoreResult<Option<PasswordChosen>> {
        let mut tx = self.transaction().await?;
        let human = sql::<E>("SELECT t.human_id FROM setup_tokens t WHERE t.secret_hash = $1")
            .bind(token.to_vec())
            .first(&mut *tx, |row| Ok(HumanId(row.read()?)))
            .await?;
        let Some(human) = human else { return Ok(None) };
        let chosen = sql::<E>("UPDATE humans SET password_hash = $1 WHERE id = $2 AND deactivated_at IS NULL")
            .bind(password_hash.to_owned())
            .bind(human.0)
            .execute(&mut *tx)
            .await?;
        if chosen == 0 {
            return Ok(None);
        }
        // Checked again after the human is locked: until then it may be used or revoked.
        let used = sql::<E>(
            "UPDATE setup_tokens SET used_at = $1 WHERE secret_hash = $2 AND used_at IS NULL AND expires_at > $1",
        )
        .bind(now.0)
        .bind(token.to_vec())
        .execute(&mut *tx)
        .await?;
        if used == 0 {
            return Ok(None);
        }
        let subjects = end_all::<E>(&mut tx, human, None, now).await?;
        tx.commit().await?;
        Ok(Some(PasswordChosen { human, subjects }))
    }
}

/// Locks an active human until the end of the transaction; `false` if there is none.
pub(super) async fn lock_human<E: Engine>(tx: &mut PooledConnection<E>, human: HumanId) -> StoreResult<bool> {
    let held = sql::<E>("UPDATE humans SET name = name WHERE id = $1 AND deactivated_at IS NULL")
        .bind(human.0)
        .execute(tx)
        .await?;
    Ok(held > 0)
}

/// Ends all sign-ins of a human except `keep`, and tokens without a sign-in; returns the revoked ids.
async fn end_all<E: Engine>(
    tx: &mut PooledConnection<E>,
    human: HumanId,
    keep: Option<Uuid>,
    now: Timestamp,
) -> StoreResult<Vec<Uuid>> {
    // Locks the human before the sign-ins.
    sql::<E>("UPDATE humans SET tokens_valid_from = $1 WHERE id = $2").bind(now.0).bind(human.0).execute(tx).await?;
    let mut subjects =
        sql::<E>("DELETE FROM refresh_families WHERE human_id = $1 AND ($2 IS NULL OR id <> $2) RETURNING id")
            .bind(human.0)
            .bind(keep)
            .all(tx, |row| row.read::<Uuid>())
            .await?;
    subjects.push(human.without_sign_in());
    for subject in &subjects {
        revocation::<E>(*subject, now).execute(tx).await?;
    }
    Ok(subjects)
}

/// Ends one sign-in, with its refresh tokens.
async fn end<E: Engine>(tx: &mut PooledConnection<E>, id: Uuid, now: Timestamp) -> StoreResult<()> {
    sql::<E>("DELETE FROM refresh_families WHERE id = $1").bind(id).execute(tx).await?;
    revocation::<E>(id, now).execute(tx).await?;
    Ok(())
}

/// Revokes the unused setup links of a human.
pub(super) fn void_setup_tokens<E: Engine>(human: HumanId) -> Statement<E> {
    sql::<E>("DELETE FROM setup_tokens WHERE human_id = $1 AND used_at IS NULL").bind(human.0)
}

fn insert_refresh<E: Engine>(hash: &SecretHash, family: Uuid, expires_at: Timestamp) -> Statement<E> {
    sql::<E>("INSERT INTO refresh_tokens (secret_hash, family_id, expires_at) VALUES ($1, $2, $3)")
        .bind(hash.to_vec())
        .bind(family)
        .bind(expires_at.0)
}

/// `id, human_id, last_used_at, created_at, ends_at, user_agent`
fn sign_in<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<(HumanId, SignIn)> {
    let id: Uuid = row.read()?;
    let human = HumanId(row.read()?);
    let last_used_at = Timestamp(row.read()?);
    let made = id.get_timestamp().map(|made| {
        let (seconds, nanos) = made.to_unix();
        i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000).saturating_add(i64::from(nanos / 1_000_000))
    });
    let created_at = row.read::<Option<i64>>()?.or(made).map_or(last_used_at, Timestamp);
    let ends_at = row.read::<Option<i64>>()?.map_or(created_at.plus_millis(SignIn::LASTS_MILLIS), Timestamp);
    Ok((human, SignIn { id, created_at, last_used_at, ends_at, user_agent: row.read()? }))
}
