//! Public keys, announcements of their changes, and key backups.

use super::{SqlStore, rows, sql, timelines};
use crate::domain::keys::{Attestation, KeyChange, SessionKey};
use crate::domain::rate::{Bucket, Rate};
use crate::domain::{
    HumanId, KeyEntry, ParticipantId, ParticipantType, PrincipalId, Scope, SessionId, SpaceId, Timestamp,
};
use crate::protocol::page::{Page, PageRequest};
use crate::store::engine::Engine;
use crate::store::pool::PooledConnection;
use crate::store::statement::Fields;
use crate::store::{Announcement, Attested, KeyChangeLimit, NewEntry, PublicKeys, Put, StoreError, StoreResult};
use async_trait::async_trait;
use serde::Deserialize;
use std::time::Duration;
use uuid::Uuid;

/// Most changes of a principal that are still to be announced: each may concern very many sessions.
const MAX_UNANNOUNCED: i64 = 100;
/// Rate limit of key changes: the burst, and the interval at which one more is accepted. Entries are never deleted, so this
/// bounds what a principal stores. If a stolen credential was used to exhaust it, the owner can change the key soon after
/// the credential is revoked.
const CHANGES: u32 = 144;
const ONE_MORE_AFTER: Duration = Duration::from_secs(600);

/// The position of an announcement that was made in all sessions and waits for its last pass.
const LAST_PASS: Uuid = Uuid::max();

/// Current and former participants of session `$1`, once each. Former ones are found by their `participant.removed` event.
macro_rules! ever_took_part {
    () => {
        "(SELECT p.principal_id AS id FROM participants p WHERE p.session_id = $1 \
         UNION SELECT e.subject AS id FROM events e WHERE e.session_id = $1 AND e.kind = 'participant.removed') AS w \
         CROSS JOIN key_entries k WHERE k.principal_id = w.id"
    };
}

/// The next active sessions of a principal (`$1`) of a space (`$2`) above `$3`, at most `$5`, in which its key of `$4` is
/// not announced yet.
pub const SESSIONS_TO_ANNOUNCE: &str = "SELECT s.id FROM participants p CROSS JOIN sessions s \
     WHERE p.principal_id = $1 AND p.session_id > $3 AND s.id = p.session_id AND s.space_id = $2 \
     AND s.status = 'Active' AND (p.told_key_at IS NULL OR p.told_key_at < $4) \
     ORDER BY p.session_id LIMIT $5";

#[async_trait]
impl<E: Engine> PublicKeys for SqlStore<E> {
    async fn current_key(&self, space: SpaceId, principal: PrincipalId) -> StoreResult<Option<(Uuid, KeyEntry)>> {
        sql::<E>(
            "SELECT k.id, k.body FROM key_entries k \
             WHERE k.space_id = $1 AND k.principal_id = $2 AND k.replaced_at IS NULL",
        )
        .bind(space.0)
        .bind(principal.0)
        .first(&mut *self.reader().await?, |row| Ok((row.read()?, rows::key_entry(&row.read::<String>()?)?)))
        .await
    }

    async fn put_key(&self, new: &NewEntry) -> StoreResult<Put> {
        let NewEntry { space, kind, principal, entry, replaces, chained } = new;
        let mut tx = self.transaction().await?;
        if let Some(current) = replaces {
            // A concurrent change waits here, and then finds that this entry is no longer the current one.
            let replaced = sql::<E>("UPDATE key_entries SET replaced_at = $1 WHERE id = $2 AND replaced_at IS NULL")
                .bind(entry.created_at.0)
                .bind(*current)
                .execute(&mut *tx)
                .await?;
            if replaced == 0 {
                return Ok(Put::Raced);
            }
            let waiting = sql::<E>("SELECT COUNT(*) FROM key_announcements WHERE principal_id = $1")
                .bind(principal.0)
                .number(&mut *tx)
                .await?;
            if waiting >= MAX_UNANNOUNCED {
                return Ok(Put::Unannounced);
            }
            if let Err(wait) = may_change::<E>(&mut tx, *space, *principal, entry.created_at).await? {
                return Ok(Put::TooOften(KeyChangeLimit { changes: CHANGES, each: ONE_MORE_AFTER, wait }));
            }
        }
        let id = Uuid::now_v7();
        // The principal must be active.
        let text = match kind {
            ParticipantType::Agent => {
                "INSERT INTO key_entries (id, space_id, principal_id, key_id, body, created_at) \
                 SELECT $1, a.space_id, a.id, $3, $4, $5 FROM agents a \
                 WHERE a.id = $2 AND a.space_id = $6 AND a.deactivated_at IS NULL ON CONFLICT DO NOTHING"
            }
            ParticipantType::Human => {
                "INSERT INTO key_entries (id, space_id, principal_id, key_id, body, created_at) \
                 SELECT $1, h.space_id, h.id, $3, $4, $5 FROM humans h \
                 WHERE h.id = $2 AND h.space_id = $6 AND h.deactivated_at IS NULL ON CONFLICT DO NOTHING"
            }
            ParticipantType::Guest => {
                "INSERT INTO key_entries (id, space_id, principal_id, key_id, body, created_at) \
                 SELECT $1, g.space_id, g.id, $3, $4, $5 FROM guests g \
                 WHERE g.id = $2 AND g.space_id = $6 AND g.revoked_at IS NULL ON CONFLICT DO NOTHING"
            }
        };
        let inserted = sql::<E>(text)
            .bind(id)
            .bind(principal.0)
            .bind(entry.key_id.clone())
            .bind(json(entry)?)
            .bind(entry.created_at.0)
            .bind(space.0)
            .execute(&mut *tx)
            .await?;
        if inserted == 0 {
            return Ok(Put::Raced);
        }
        if replaces.is_some() {
            sql::<E>(
                "INSERT INTO key_announcements (id, entry_id, principal_id, chained, created_at) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(Uuid::now_v7())
            .bind(id)
            .bind(principal.0)
            .bind(*chained)
            .bind(entry.created_at.0)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(Put::Done)
    }

    async fn attest_key(
        &self,
        space: SpaceId,
        principal: PrincipalId,
        key_id: &str,
        attestation: &Attestation,
    ) -> StoreResult<Attested> {
        let mut tx = self.transaction().await?;
        let current = sql::<E>(
            "SELECT k.id, k.body, CASE WHEN EXISTS (SELECT 1 FROM agents a WHERE a.id = k.principal_id) THEN 'Agent' \
             WHEN EXISTS (SELECT 1 FROM humans h WHERE h.id = k.principal_id) THEN 'Human' ELSE 'Guest' END \
             FROM key_entries k WHERE k.space_id = $1 AND k.principal_id = $2 AND k.replaced_at IS NULL",
        )
        .bind(space.0)
        .bind(principal.0)
        .first(&mut *tx, |row| {
            let (id, entry) = (row.read::<Uuid>()?, rows::key_entry(&row.read::<String>()?)?);
            Ok((id, entry, ParticipantType::parse(&row.read::<String>()?)))
        })
        .await?;
        let Some((id, mut entry, Some(kind))) = current else { return Ok(Attested::Unknown) };
        if entry.key_id != key_id {
            return Ok(Attested::OtherKey);
        }
        entry.attestation = Some(attestation.clone());
        let kept = sql::<E>("UPDATE key_entries SET body = $1 WHERE id = $2 AND replaced_at IS NULL")
            .bind(json(&entry)?)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(if kept == 0 { Attested::OtherKey } else { Attested::Done(kind) })
    }

    async fn session_keys(
        &self,
        scope: Scope,
        session: SessionId,
        page: PageRequest,
    ) -> StoreResult<Option<Page<SessionKey>>> {
        let mut db = self.reader().await?;
        if timelines::head::<E>(&mut db, scope, session).await?.is_none() {
            return Ok(None);
        }
        let total = sql::<E>(concat!("SELECT COUNT(*) FROM ", ever_took_part!())).bind(session.0).number(&mut *db);
        let total = total.await?;
        let list = sql::<E>(concat!(
            "SELECT k.principal_id, k.body, k.replaced_at, \
             (SELECT p.id FROM participants p WHERE p.session_id = $1 AND p.principal_id = k.principal_id), \
             (SELECT e.body FROM events e WHERE e.session_id = $1 AND e.kind = 'participant.removed' \
             AND e.subject = k.principal_id ORDER BY e.seq DESC LIMIT 1) FROM ",
            ever_took_part!(),
            " ORDER BY k.created_at, k.id LIMIT $2 OFFSET $3"
        ));
        let data = list.bind(session.0).bind(page.size).bind(page.offset()).all(&mut *db, session_key).await?;
        Ok(Some(Page::new(page, total, data)))
    }

    async fn announcements(&self, settled: Timestamp, limit: i64) -> StoreResult<Vec<Announcement>> {
        sql::<E>(
            "SELECT a.id, k.space_id, a.principal_id, k.body, a.chained, a.after_session_id \
             FROM key_announcements a JOIN key_entries k ON k.id = a.entry_id \
             WHERE (a.after_session_id IS NULL OR a.after_session_id <> $1 OR a.created_at <= $2) \
             AND NOT EXISTS (SELECT 1 FROM key_announcements o \
             WHERE o.principal_id = a.principal_id AND o.created_at < a.created_at \
             AND (o.after_session_id IS NULL OR o.after_session_id <> $1)) \
             ORDER BY CASE WHEN a.after_session_id IS NULL THEN 0 ELSE 1 END, a.created_at, a.id LIMIT $3",
        )
        .bind(LAST_PASS)
        .bind(settled.0)
        .bind(limit)
        .all(&mut *self.reader().await?, |row| {
            let (id, space) = (row.read()?, SpaceId(row.read()?));
            let change = KeyChange {
                principal: PrincipalId(row.read()?),
                entry: rows::key_entry(&row.read::<String>()?)?,
                chained: row.read()?,
            };
            let after = row.read::<Option<Uuid>>()?;
            let is_last_pass = after == Some(LAST_PASS);
            let after = after.filter(|_| !is_last_pass).map(SessionId);
            Ok(Announcement { id, space, change, after, is_last_pass })
        })
        .await
    }

    async fn sessions_to_announce(&self, announcement: &Announcement, limit: i64) -> StoreResult<Vec<SessionId>> {
        let Announcement { space, change, after, .. } = announcement;
        sql::<E>(SESSIONS_TO_ANNOUNCE)
            .bind(change.principal.0)
            .bind(space.0)
            .bind(after.map_or(Uuid::nil(), |after| after.0))
            .bind(change.entry.created_at.0)
            .bind(limit)
            .all(&mut *self.reader().await?, |row| Ok(SessionId(row.read()?)))
            .await
    }

    async fn note_announced(&self, announcement: &Announcement, session: SessionId) -> StoreResult<()> {
        sql::<E>(
            "UPDATE key_announcements SET after_session_id = $1 \
             WHERE id = $2 AND (after_session_id IS NULL OR after_session_id < $1)",
        )
        .bind(session.0)
        .bind(announcement.id)
        .execute(&mut *self.writer().await?)
        .await?;
        Ok(())
    }

    async fn rest_announcement(&self, announcement: &Announcement) -> StoreResult<()> {
        self.note_announced(announcement, SessionId(LAST_PASS)).await
    }

    async fn end_announcement(&self, announcement: &Announcement) -> StoreResult<()> {
        sql::<E>("DELETE FROM key_announcements WHERE id = $1")
            .bind(announcement.id)
            .execute(&mut *self.writer().await?)
            .await?;
        Ok(())
    }

    async fn key_backup(&self, human: HumanId) -> StoreResult<Option<String>> {
        sql::<E>("SELECT b.body FROM key_backups b WHERE b.human_id = $1")
            .bind(human.0)
            .first(&mut *self.reader().await?, |row| row.read())
            .await
    }

    async fn set_key_backup(&self, human: HumanId, body: &str, now: Timestamp) -> StoreResult<()> {
        sql::<E>(
            "INSERT INTO key_backups (human_id, body, updated_at) VALUES ($1, $2, $3) \
             ON CONFLICT (human_id) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at",
        )
        .bind(human.0)
        .bind(body.to_owned())
        .bind(now.0)
        .execute(&mut *self.writer().await?)
        .await?;
        Ok(())
    }

    async fn delete_key_backup(&self, human: HumanId) -> StoreResult<bool> {
        let gone = sql::<E>("DELETE FROM key_backups WHERE human_id = $1")
            .bind(human.0)
            .execute(&mut *self.writer().await?)
            .await?;
        Ok(gone > 0)
    }
}

/// Whether a principal may change its key now, or how long it has to wait. Computed from its recent entries, so that all
/// nodes agree.
async fn may_change<E: Engine>(
    tx: &mut PooledConnection<E>,
    space: SpaceId,
    principal: PrincipalId,
    now: Timestamp,
) -> StoreResult<Result<(), Duration>> {
    let rate = Rate::new(ONE_MORE_AFTER, CHANGES);
    let whole = i64::try_from((ONE_MORE_AFTER * CHANGES).as_millis()).unwrap_or(i64::MAX);
    let made = sql::<E>(
        "SELECT k.created_at FROM key_entries k WHERE k.space_id = $1 AND k.principal_id = $2 AND k.created_at > $3 \
         ORDER BY k.created_at DESC LIMIT $4",
    )
    .bind(space.0)
    .bind(principal.0)
    .bind(now.plus_millis(-whole).0)
    // At most twice the limit, since the previous release had none.
    .bind(i64::from(CHANGES) * 2)
    .all(tx, |row| Ok(Timestamp(row.read()?)))
    .await?;
    let mut bucket = Bucket::full(now.plus_millis(-whole));
    made.iter().rev().for_each(|at| bucket.drain(rate, ONE_MORE_AFTER, *at));
    Ok(bucket.check(rate, ONE_MORE_AFTER, now).map(|_| ()))
}

fn json(entry: &KeyEntry) -> StoreResult<String> {
    serde_json::to_string(entry).map_err(|error| StoreError::damaged(error.to_string()))
}

#[derive(Deserialize)]
struct Departed {
    data: DepartedData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DepartedData {
    participant_id: ParticipantId,
}

/// `principal_id, body, replaced_at`, the current participant, the event by which a former one left
fn session_key<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<SessionKey> {
    let principal_id = PrincipalId(row.read()?);
    let entry = rows::key_entry(&row.read::<String>()?)?;
    let replaced_at = row.read::<Option<i64>>()?.map(Timestamp);
    let present = row.read::<Option<Uuid>>()?.map(ParticipantId);
    let departure: Option<String> = row.read()?;
    let participant_id = match (present, departure) {
        (Some(present), _) => present,
        (None, Some(event)) => {
            let departed: Departed =
                serde_json::from_str(&event).map_err(|error| StoreError::damaged(format!("an event: {error}")))?;
            departed.data.participant_id
        }
        (None, None) => return Err(StoreError::damaged("a key entry without a participant")),
    };
    Ok(SessionKey { participant_id, principal_id, entry, replaced_at })
}
