//! Deletion of sessions that ended long ago: first everything that makes them visible, in one transaction, then their
//! timeline, in chunks.

use super::{SqlStore, sql};
use crate::domain::{GuestId, SessionId, SpaceId, Timestamp};
use crate::store::engine::Engine;
use crate::store::statement::{Statement, groups};
use crate::store::{Retention, Retired, StoreResult};
use async_trait::async_trait;
use uuid::Uuid;

/// The session that ended first, if that was before `$1`. (Archived sessions are closed too.)
pub const ENDED_SESSION: &str = "SELECT s.id, s.space_id FROM sessions s \
     WHERE s.closed_at IS NOT NULL AND s.closed_at < $1 ORDER BY s.closed_at LIMIT 1";

#[async_trait]
impl<E: Engine> Retention for SqlStore<E> {
    async fn retire_session(&self, ended_before: Timestamp, now: Timestamp) -> StoreResult<Option<Retired>> {
        let mut tx = self.transaction().await?;
        // Skips a session that another node is removing, or that is being written to.
        let found = Statement::<E>::joined(ENDED_SESSION, E::SKIP_LOCKED)
            .bind(ended_before.0)
            .first(&mut *tx, |row| Ok((SessionId(row.read()?), SpaceId(row.read()?))))
            .await?;
        let Some((session, space)) = found else { return Ok(None) };
        let guests = sql::<E>("SELECT id FROM guests WHERE session_id = $1")
            .bind(session.0)
            .all(&mut *tx, |row| Ok(GuestId(row.read()?)))
            .await?;
        for group in groups(&guests) {
            let mut statement =
                Statement::<E>::with_rows("INSERT INTO revocations (id, subject, at) VALUES", "", 1, group.len(), 3);
            for guest in group {
                statement.push(Uuid::now_v7());
                statement.push(guest.0);
                statement.push(now.0);
            }
            statement.execute(&mut *tx).await?;
        }
        for text in [
            "DELETE FROM participants WHERE session_id = $1",
            "DELETE FROM key_announcements WHERE principal_id IN (SELECT g.id FROM guests g WHERE g.session_id = $1)",
            "DELETE FROM key_entries WHERE principal_id IN (SELECT g.id FROM guests g WHERE g.session_id = $1)",
            "DELETE FROM interactions WHERE session_id = $1",
            "DELETE FROM guests WHERE session_id = $1",
            "INSERT INTO retired_sessions (session_id) VALUES ($1)",
            "DELETE FROM sessions WHERE id = $1",
        ] {
            sql::<E>(text).bind(session.0).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(Some(Retired { space, session, guests }))
    }

    async fn sweep_retired(&self, limit: i64) -> StoreResult<bool> {
        let mut tx = self.transaction().await?;
        let next = Statement::<E>::joined("SELECT r.session_id FROM retired_sessions r LIMIT 1", E::SKIP_LOCKED)
            .first(&mut *tx, |row| row.read::<Uuid>())
            .await?;
        let Some(session) = next else { return Ok(false) };
        let mut gone = 0;
        for text in [
            "DELETE FROM events WHERE session_id = $1 AND seq IN \
             (SELECT e.seq FROM events e WHERE e.session_id = $1 ORDER BY e.seq LIMIT $2)",
            "DELETE FROM messages WHERE session_id = $1 AND ordinal IN \
             (SELECT m.ordinal FROM messages m WHERE m.session_id = $1 ORDER BY m.ordinal LIMIT $2)",
        ] {
            gone += sql::<E>(text).bind(session).bind(limit).execute(&mut *tx).await?;
        }
        if gone == 0 {
            sql::<E>("DELETE FROM retired_sessions WHERE session_id = $1").bind(session).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}
