//! Sessions, participants, lists and read marks.

use super::page_bytes::fitting;
use super::{SqlStore, look_ups, rows, sql, timelines};
use crate::domain::{
    Envelope, Participant, ParticipantId, PrincipalId, Priority, Scope, Session, SessionId, SessionStatus, SpaceId,
    Timestamp,
};
use crate::protocol::page::{Page, PageRequest};
use crate::store::engine::Engine;
use crate::store::listing::List;
use crate::store::statement::{Fields, Statement, large_groups};
use crate::store::{FeedEntry, Listed, ReadMark, Sessions, SpaceSize, StoreResult, Taken};
use async_trait::async_trait;
use std::collections::HashMap;

/// Excludes deactivated humans from the participants `p`: their rows stay, but they have no access.
macro_rules! still_sees {
    () => {
        " AND (p.kind <> 'Human' OR EXISTS (SELECT 1 FROM sessions ps \
         JOIN humans ph ON ph.space_id = ps.space_id \
         WHERE ps.id = p.session_id AND ph.id = p.principal_id AND ph.deactivated_at IS NULL))"
    };
}

/// The columns of `FEED` and `FEED_OF`.
fn feed_entry<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<FeedEntry> {
    Ok(FeedEntry {
        listed: rows::listed(row)?,
        unread_count: row.read()?,
        highest_priority: row.read::<Option<i64>>()?.map(Priority::from_rank),
        next_deadline_at: rows::deadline(row)?,
    })
}

#[async_trait]
impl<E: Engine> Sessions for SqlStore<E> {
    async fn session(&self, scope: Scope, id: SessionId) -> StoreResult<Option<Session>> {
        look_ups::SESSION.within::<E>(scope).bind(id.0).first(&mut *self.reader().await?, rows::session).await
    }

    async fn sessions(
        &self,
        scope: Scope,
        status: Option<SessionStatus>,
        page: PageRequest,
    ) -> StoreResult<Page<Listed>> {
        let list = List::Sessions(status);
        let listed = self.listed_as(scope, list, page, look_ups::SESSIONS_OF, rows::listed, |listed| listed.session.id);
        if let Some(found) = listed.await? {
            return Ok(found);
        }
        let status = status.map(|status| status.as_str().to_owned());
        let count = look_ups::SESSIONS_TOTAL.within::<E>(scope).bind(status.clone());
        self.page(page, count, look_ups::SESSIONS.within::<E>(scope).bind(status), rows::listed).await
    }

    async fn sessions_of(&self, scope: Scope, listed: &[&Listed], max_bytes: i64) -> StoreResult<Taken<Session>> {
        let count = fitting(listed.iter().map(|listed| listed.left_out), max_bytes);
        let listed = &listed[..count];
        let large: Vec<_> =
            listed.iter().filter(|listed| listed.left_out > 0).map(|listed| listed.session.id).collect();
        let mut titles = HashMap::new();
        if !large.is_empty() {
            let mut db = self.reader().await?;
            let found = look_ups::ENCRYPTED_TITLES.within_of::<E>(scope, &large).all(&mut *db, |row| {
                let (id, title) = (SessionId(row.read()?), row.read::<Option<String>>()?);
                Ok((id, title.and_then(Envelope::from_stored)))
            });
            titles.extend(found.await?);
        }
        let data = listed.iter().filter_map(|listed| {
            let mut session = listed.session.clone();
            if listed.left_out > 0 {
                session.encrypted_title = titles.remove(&session.id)?;
            }
            Some(session)
        });
        Ok(Taken { count, data: data.collect() })
    }

    async fn feed(&self, scope: Scope, principal: PrincipalId, page: PageRequest) -> StoreResult<Page<FeedEntry>> {
        if scope.participant() == Some(principal) {
            let of = look_ups::FEED_OF;
            let listed = self.listed_as(scope, List::Feed, page, of, feed_entry, |entry| entry.listed.session.id);
            if let Some(found) = listed.await? {
                return Ok(found);
            }
        }
        let list = look_ups::FEED.within::<E>(scope).bind(principal.0);
        self.page(page, look_ups::FEED_TOTAL.within::<E>(scope), list, feed_entry).await
    }

    async fn unlisted(&self, limit: i64) -> StoreResult<i64> {
        self.count_unlisted(limit).await
    }

    async fn list_sessions(
        &self,
        quiet_since: Timestamp,
        after: Option<SpaceId>,
        limit: i64,
    ) -> StoreResult<Option<SpaceId>> {
        self.list_quiet(quiet_since, after, limit).await
    }

    async fn participants(
        &self,
        scope: Scope,
        session: SessionId,
        page: PageRequest,
    ) -> StoreResult<Option<Page<Participant>>> {
        let mut db = self.reader().await?;
        if timelines::head::<E>(&mut db, scope, session).await?.is_none() {
            return Ok(None);
        }
        let total = sql::<E>(concat!("SELECT COUNT(*) FROM participants p WHERE p.session_id = $1", still_sees!()))
            .bind(session.0)
            .number(&mut *db)
            .await?;
        let list =
            concat!(select_participant!("WHERE p.session_id = $1"), still_sees!(), " ORDER BY p.id LIMIT $2 OFFSET $3");
        let data =
            sql::<E>(list).bind(session.0).bind(page.size).bind(page.offset()).all(&mut *db, rows::participant).await?;
        Ok(Some(Page::new(page, total, data)))
    }

    async fn member_ids(&self, space: SpaceId, session: SessionId) -> StoreResult<Vec<PrincipalId>> {
        sql::<E>(concat!(
            "SELECT p.principal_id FROM participants p JOIN sessions s ON s.id = p.session_id \
             WHERE s.space_id = $1 AND p.session_id = $2",
            still_sees!()
        ))
        .bind(space.0)
        .bind(session.0)
        .all(&mut *self.reader().await?, |row| Ok(PrincipalId(row.read()?)))
        .await
    }

    async fn space_bytes(&self, spaces: &[SpaceId]) -> StoreResult<Vec<SpaceSize>> {
        let mut db = self.reader().await?;
        let mut found = Vec::with_capacity(spaces.len());
        for group in large_groups(spaces) {
            let mut statement = Statement::<E>::with_rows(
                "SELECT s.space_id, CAST(COALESCE(SUM(s.bytes), 0) AS BIGINT), COUNT(*) - COUNT(s.bytes) FROM (VALUES",
                ") AS v CROSS JOIN sessions s WHERE s.space_id = v.column1 GROUP BY s.space_id",
                1,
                group.len(),
                1,
            );
            group.iter().for_each(|space| statement.push(space.0));
            let rows = statement.all(&mut *db, |row| {
                let (space, bytes, unknown) = (SpaceId(row.read()?), row.read()?, row.read::<i64>()?);
                Ok(SpaceSize { space, bytes, is_partial: unknown > 0 })
            });
            found.extend(rows.await?);
        }
        Ok(found)
    }

    async fn count_session_bytes(&self, space: SpaceId, limit: i64) -> StoreResult<bool> {
        let unknown = sql::<E>("SELECT s.id FROM sessions s WHERE s.space_id = $1 AND s.bytes IS NULL LIMIT $2")
            .bind(space.0)
            .bind(limit)
            .all(&mut *self.reader().await?, |row| Ok(SessionId(row.read()?)))
            .await?;
        for session in &unknown {
            let mut tx = self.transaction().await?;
            // Locks the session's row, so that no event is added between the sum and its update.
            sql::<E>("UPDATE sessions SET bytes = NULL WHERE id = $1 AND bytes IS NULL")
                .bind(session.0)
                .execute(&mut *tx)
                .await?;
            sql::<E>(
                "UPDATE sessions SET bytes = (SELECT CAST(COALESCE(SUM(e.size), 0) AS BIGINT) FROM events e \
                 WHERE e.session_id = sessions.id) WHERE id = $1 AND bytes IS NULL",
            )
            .bind(session.0)
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
        }
        Ok(!unknown.is_empty())
    }

    async fn mark_read(
        &self,
        scope: Scope,
        session: SessionId,
        principal: PrincipalId,
        seq: i64,
    ) -> StoreResult<Option<ReadMark>> {
        let found = look_ups::READ_MARK.within::<E>(scope).bind(session.0).bind(principal.0).bind(seq);
        let read = |row: &mut Fields<'_, E>| {
            Ok((ParticipantId(row.read()?), row.read::<i64>()?, row.read::<i64>()?, row.read::<i64>()?))
        };
        let found = found.first(&mut *self.reader().await?, read).await?;
        let Some((participant, read, last, count)) = found else { return Ok(None) };
        let seq = seq.min(last);
        if seq <= read {
            return Ok(Some(ReadMark { participant, seq: read, moved: false }));
        }
        let moved = sql::<E>(
            "UPDATE participants SET last_read_seq = $1, read_count = $2 WHERE id = $3 AND last_read_seq < $1",
        )
        .bind(seq)
        .bind(count)
        .bind(participant.0)
        .execute(&mut *self.writer().await?)
        .await?;
        Ok(Some(ReadMark { participant, seq, moved: moved > 0 }))
    }
}
