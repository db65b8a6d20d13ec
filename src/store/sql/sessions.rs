//! Sessions, their participants, and how far those have read.

use super::{SqlStore, rows, sql, timelines};
use crate::domain::{
    Page, PageRequest, Participant, ParticipantId, PrincipalId, Priority, Scope, Session, SessionId, SessionStatus,
    SpaceId, Timestamp,
};
use crate::store::engine::{Engine, Statement};
use crate::store::{FeedEntry, ReadMark, Sessions, StoreResult};
use async_trait::async_trait;

/// The condition that keeps a query on sessions `s` inside a scope. `$1` is its space (null for a human, whose
/// memberships count instead), `$2` its participant (null for a whole space).
macro_rules! in_scope {
    ($head:literal, $tail:literal) => {
        concat!(
            $head,
            " (s.space_id = $1 OR ($1 IS NULL AND EXISTS (SELECT 1 FROM memberships m \
             WHERE m.human_id = $2 AND m.space_id = s.space_id))) \
             AND ($2 IS NULL OR EXISTS (SELECT 1 FROM participants sp \
             WHERE sp.session_id = s.id AND sp.principal_id = $2)) ",
            $tail
        )
    };
}
pub(super) use in_scope;

/// The columns that `rows::session` reads.
macro_rules! select_session {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.space_id, s.created_by_agent_id, s.created_by_human_id, s.title, s.encrypted_title, \
             s.status, s.priority, s.metadata, s.first_seq, s.last_seq, s.message_count, s.pending_count, \
             s.created_at, s.updated_at, s.closed_at, s.archived_at ",
            $rest
        )
    };
}
pub(super) use select_session;

/// The columns that `rows::participant` reads.
macro_rules! select_participant {
    ($rest:literal) => {
        concat!(
            "SELECT p.id, p.session_id, p.principal_id, p.kind, p.role, p.last_read_seq, p.added_at, \
             COALESCE(a.name, h.name, g.name), COALESCE(a.public_key, h.public_key, g.public_key), \
             COALESCE(a.key_id, h.key_id, g.key_id) FROM participants p \
             LEFT JOIN agents a ON a.id = p.principal_id AND p.kind = 'Agent' \
             LEFT JOIN humans h ON h.id = p.principal_id AND p.kind = 'Human' \
             LEFT JOIN guests g ON g.id = p.principal_id AND p.kind = 'Guest' ",
            $rest
        )
    };
}
pub(super) use select_participant;

/// Leaves out of the participants `p` the humans who left the session's space: their rows stay, for the day they come
/// back, but they see nothing.
macro_rules! still_sees {
    () => {
        " AND (p.kind <> 'Human' OR EXISTS (SELECT 1 FROM sessions ps \
         JOIN memberships pm ON pm.space_id = ps.space_id \
         WHERE ps.id = p.session_id AND pm.human_id = p.principal_id))"
    };
}

/// A statement whose `$1` and `$2` are the scope.
pub(super) fn scoped<E: Engine>(text: &'static str, scope: Scope) -> Statement<E> {
    sql::<E>(text).bind(scope.space().map(|id| id.0)).bind(scope.participant().map(|id| id.0))
}

#[async_trait]
impl<E: Engine> Sessions for SqlStore<E> {
    async fn session(&self, scope: Scope, id: SessionId) -> StoreResult<Option<Session>> {
        scoped::<E>(concat!(select_session!("FROM sessions s WHERE"), in_scope!("", "AND s.id = $3")), scope)
            .bind(id.0)
            .first(&mut *self.reader().await?, rows::session)
            .await
    }

    async fn sessions(
        &self,
        scope: Scope,
        status: Option<SessionStatus>,
        page: PageRequest,
    ) -> StoreResult<Page<Session>> {
        let mut db = self.reader().await?;
        let status = status.map(|status| status.as_str().to_owned());
        let total = scoped::<E>(
            in_scope!(
                "SELECT COUNT(*) FROM sessions s WHERE",
                "AND (s.status = $3 OR ($3 IS NULL AND s.status <> 'Archived'))"
            ),
            scope,
        )
        .bind(status.clone())
        .number(&mut *db)
        .await?;
        let data = scoped::<E>(
            concat!(
                select_session!("FROM sessions s WHERE"),
                in_scope!(
                    "",
                    "AND (s.status = $3 OR ($3 IS NULL AND s.status <> 'Archived')) \
                     ORDER BY s.updated_at DESC, s.id DESC LIMIT $4 OFFSET $5"
                )
            ),
            scope,
        )
        .bind(status)
        .bind(page.size)
        .bind(page.offset())
        .all(&mut *db, rows::session)
        .await?;
        Ok(Page::new(page, total, data))
    }

    async fn feed(&self, scope: Scope, principal: PrincipalId, page: PageRequest) -> StoreResult<Page<FeedEntry>> {
        let mut db = self.reader().await?;
        let total =
            scoped::<E>(in_scope!("SELECT COUNT(*) FROM sessions s WHERE", "AND s.status <> 'Archived'"), scope)
                .number(&mut *db)
                .await?;
        let mut data = scoped::<E>(
            concat!(
                select_session!(
                    ", CASE WHEN s.message_count > p.read_count THEN s.message_count - p.read_count ELSE 0 END, \
                     CASE WHEN s.pending_count > 0 THEN (SELECT MAX(m.priority) FROM messages m \
                     WHERE m.session_id = s.id AND m.status = 'Pending') END AS urgency, \
                     CASE WHEN s.pending_count > 0 THEN (SELECT MIN(m.deadline_at) FROM messages m \
                     WHERE m.session_id = s.id AND m.status = 'Pending') END AS due \
                     FROM participants p JOIN sessions s ON s.id = p.session_id \
                     WHERE p.principal_id = $3 AND"
                ),
                in_scope!(
                    "",
                    "AND s.status <> 'Archived' \
                     ORDER BY CASE WHEN s.pending_count > 0 THEN 0 ELSE 1 END, urgency DESC NULLS LAST, \
                     due ASC NULLS LAST, s.updated_at DESC, s.id DESC LIMIT $4 OFFSET $5"
                )
            ),
            scope,
        )
        .bind(principal.0)
        .bind(page.size)
        .bind(page.offset())
        .all(&mut *db, |row| {
            Ok(FeedEntry {
                session: rows::session(row)?,
                unread_count: row.read()?,
                highest_priority: row.read::<Option<i64>>()?.map(Priority::from_rank),
                next_deadline_at: row.read::<Option<i64>>()?.map(Timestamp),
                last_message: None,
            })
        })
        .await?;
        for entry in &mut data {
            let (session, count) = (entry.session.id, entry.session.message_count);
            entry.last_message = timelines::message_range::<E>(&mut db, session, count - 1, count).await?.pop();
        }
        Ok(Page::new(page, total, data))
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

    async fn mark_read(
        &self,
        scope: Scope,
        session: SessionId,
        principal: PrincipalId,
        seq: i64,
    ) -> StoreResult<Option<ReadMark>> {
        let standing = {
            let mut db = self.reader().await?;
            let Some(head) = timelines::head::<E>(&mut db, scope, session).await? else { return Ok(None) };
            let mark = sql::<E>(
                "SELECT p.id, p.last_read_seq, (SELECT COALESCE(MAX(m.ordinal), 0) FROM messages m \
                 WHERE m.session_id = $1 AND m.seq <= $3) \
                 FROM participants p WHERE p.session_id = $1 AND p.principal_id = $2",
            )
            .bind(session.0)
            .bind(principal.0)
            .bind(seq.min(head.last_seq))
            .first(&mut *db, |row| Ok((ParticipantId(row.read()?), row.read::<i64>()?, row.read::<i64>()?)))
            .await?;
            mark.map(|(id, read, count)| (id, read, count, seq.min(head.last_seq)))
        };
        let Some((participant, read, count, seq)) = standing else { return Ok(None) };
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
