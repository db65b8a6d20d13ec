//! Reading timelines, and messages put together from their state and the events that hold their content.

use super::sessions::{in_scope, scoped};
use super::{SqlStore, rows, sql};
use crate::domain::message::{MessageState, Response};
use crate::domain::{
    CommittedEvent, Message, MessageId, MessageStatus, Page, PageRequest, ParticipantId, PrincipalId, Scope, SessionId,
    SpaceId, Timestamp,
};
use crate::store::engine::{Engine, Fields, Statement};
use crate::store::{ActiveSession, DueMessage, EventPage, Head, Standing, StoreError, StoreResult, Timelines};
use async_trait::async_trait;
use serde::Deserialize;
use uuid::Uuid;

/// A message's state, the event that created it, the event that answered it, and maybe more.
macro_rules! select_message {
    ($rest:literal) => {
        select_message!("", $rest)
    };
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT m.id, m.session_id, m.seq, m.sender_id, m.response_required, m.status, m.priority, \
             m.deadline_at, m.in_reply_to, m.settled_seq, m.settled_at, m.settled_by, m.response_message_id, \
             m.created_at, m.updated_at, c.body, x.body",
            $more,
            " FROM messages m JOIN events c ON c.session_id = m.session_id AND c.seq = m.seq \
             LEFT JOIN events x ON x.session_id = m.session_id AND x.seq = m.settled_seq AND m.status = 'Completed' ",
            $rest
        )
    };
}
pub(super) use select_message;

/// The messages that are due at `$1`, at most `$2`.
pub const DUE_MESSAGES: &str = "SELECT s.space_id, m.session_id, m.id FROM messages m \
     JOIN sessions s ON s.id = m.session_id \
     WHERE m.status = 'Pending' AND m.deadline_at IS NOT NULL AND m.deadline_at <= $1 \
     ORDER BY m.deadline_at LIMIT $2";

#[async_trait]
impl<E: Engine> Timelines for SqlStore<E> {
    async fn messages(
        &self,
        scope: Scope,
        session: SessionId,
        page: PageRequest,
    ) -> StoreResult<Option<Page<Message>>> {
        let mut db = self.reader().await?;
        let total = scoped::<E>(in_scope!("SELECT s.message_count FROM sessions s WHERE", "AND s.id = $3"), scope)
            .bind(session.0)
            .first(&mut *db, |row| row.read::<i64>())
            .await?;
        let Some(total) = total else { return Ok(None) };
        let from = page.offset();
        let data = message_range::<E>(&mut db, session, from, from.saturating_add(page.size)).await?;
        Ok(Some(Page::new(page, total, data)))
    }

    async fn message(&self, scope: Scope, session: SessionId, id: MessageId) -> StoreResult<Option<Message>> {
        scoped::<E>(
            concat!(
                select_message!("JOIN sessions s ON s.id = m.session_id WHERE"),
                in_scope!("", "AND s.id = $3 AND m.id = $4")
            ),
            scope,
        )
        .bind(session.0)
        .bind(id.0)
        .first(&mut *self.reader().await?, message)
        .await
    }

    async fn head(&self, scope: Scope, session: SessionId) -> StoreResult<Option<Head>> {
        head::<E>(&mut *self.reader().await?, scope, session).await
    }

    async fn standing(
        &self,
        scope: Scope,
        session: SessionId,
        principal: PrincipalId,
    ) -> StoreResult<Option<Standing>> {
        scoped::<E>(
            in_scope!(
                "SELECT s.space_id, s.last_seq, s.first_seq, (SELECT p.id FROM participants p \
                 WHERE p.session_id = s.id AND p.principal_id = $4) FROM sessions s WHERE",
                "AND s.id = $3"
            ),
            scope,
        )
        .bind(session.0)
        .bind(principal.0)
        .first(&mut *self.reader().await?, |row| {
            let head = Head { space: SpaceId(row.read()?), last_seq: row.read()?, first_seq: row.read()? };
            Ok(Standing { head, participant: row.read::<Option<Uuid>>()?.map(ParticipantId) })
        })
        .await
    }

    async fn events_after(
        &self,
        scope: Scope,
        session: SessionId,
        after: i64,
        limit: i64,
        max_bytes: i64,
    ) -> StoreResult<Option<EventPage>> {
        let mut db = self.reader().await?;
        let Some(head) = head::<E>(&mut db, scope, session).await? else { return Ok(None) };
        let after = after.max(head.first_seq - 1);
        if after >= head.last_seq {
            return Ok(Some(EventPage { events: Vec::new(), head }));
        }
        // First the sizes alone, so that a page never loads more than it may.
        let sizes = sql::<E>(
            "SELECT e.seq, e.size FROM events e WHERE e.session_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3",
        )
        .bind(session.0)
        .bind(after)
        .bind(limit)
        .all(&mut *db, |row| Ok((row.read::<i64>()?, row.read::<i64>()?)))
        .await?;
        let mut bytes = 0;
        let end = sizes.iter().take_while(|(_, size)| {
            let fits = bytes < max_bytes;
            bytes += size;
            fits
        });
        let Some(end) = end.last().map(|(seq, _)| *seq) else {
            return Ok(Some(EventPage { events: Vec::new(), head }));
        };
        let events =
            event_range::<E>(session, after, end).all(&mut *db, |row| rows::event(head.space, session, row)).await?;
        Ok(Some(EventPage { events, head }))
    }

    async fn events_page(
        &self,
        scope: Scope,
        session: SessionId,
        page: PageRequest,
    ) -> StoreResult<Option<Page<CommittedEvent>>> {
        let mut db = self.reader().await?;
        let Some(head) = head::<E>(&mut db, scope, session).await? else { return Ok(None) };
        // `seq` has no hole, so a page is a range.
        let from = (head.first_seq - 1).saturating_add(page.offset());
        let data = event_range::<E>(session, from, from.saturating_add(page.size))
            .all(&mut *db, |row| rows::event(head.space, session, row))
            .await?;
        Ok(Some(Page::new(page, head.last_seq - head.first_seq + 1, data)))
    }

    async fn last_seqs(&self, sessions: &[(SpaceId, SessionId)]) -> StoreResult<Vec<(SessionId, i64)>> {
        let mut db = self.reader().await?;
        let mut found = Vec::with_capacity(sessions.len());
        for group in sessions.chunks(500) {
            let mut statement = Statement::<E>::with_rows(
                "SELECT s.id, s.last_seq FROM (VALUES",
                ") AS v CROSS JOIN sessions s WHERE s.id = v.column2 AND s.space_id = v.column1",
                1,
                group.len(),
                2,
            );
            for (space, session) in group {
                statement.push(space.0);
                statement.push(session.0);
            }
            found.extend(statement.all(&mut *db, |row| Ok((SessionId(row.read()?), row.read()?))).await?);
        }
        Ok(found)
    }

    async fn active_since(&self, spaces: &[SpaceId], since: Timestamp) -> StoreResult<Vec<ActiveSession>> {
        let mut db = self.reader().await?;
        let mut found = Vec::new();
        for group in spaces.chunks(500) {
            let mut statement = Statement::<E>::with_rows(
                "SELECT s.space_id, s.id, s.last_seq, s.updated_at FROM (VALUES",
                ") AS v CROSS JOIN sessions s WHERE s.space_id = v.column1 AND s.updated_at >= $1",
                2,
                group.len(),
                1,
            );
            statement.push(since.0);
            group.iter().for_each(|space| statement.push(space.0));
            let rows = statement.all(&mut *db, |row| {
                Ok(ActiveSession {
                    space: SpaceId(row.read()?),
                    id: SessionId(row.read()?),
                    last_seq: row.read()?,
                    at: Timestamp(row.read()?),
                })
            });
            found.extend(rows.await?);
        }
        Ok(found)
    }

    async fn due_messages(&self, now: Timestamp, limit: i64) -> StoreResult<Vec<DueMessage>> {
        let read = |row: &mut Fields<'_, E>| {
            Ok(DueMessage {
                space: SpaceId(row.read()?),
                session: SessionId(row.read()?),
                message: MessageId(row.read()?),
            })
        };
        sql::<E>(DUE_MESSAGES).bind(now.0).bind(limit).all(&mut *self.reader().await?, read).await
    }
}

pub(super) async fn head<E: Engine>(
    db: &mut E::Connection,
    scope: Scope,
    session: SessionId,
) -> StoreResult<Option<Head>> {
    scoped::<E>(in_scope!("SELECT s.space_id, s.last_seq, s.first_seq FROM sessions s WHERE", "AND s.id = $3"), scope)
        .bind(session.0)
        .first(db, |row| Ok(Head { space: SpaceId(row.read()?), last_seq: row.read()?, first_seq: row.read()? }))
        .await
}

/// The messages with ordinals in (`from`, `to`], of a session that the caller has found in scope.
pub(super) async fn message_range<E: Engine>(
    db: &mut E::Connection,
    session: SessionId,
    from: i64,
    to: i64,
) -> StoreResult<Vec<Message>> {
    sql::<E>(select_message!("WHERE m.session_id = $1 AND m.ordinal > $2 AND m.ordinal <= $3 ORDER BY m.ordinal"))
        .bind(session.0)
        .bind(from)
        .bind(to)
        .all(db, message)
        .await
}

/// The events with `seq` in (`after`, `to`].
fn event_range<E: Engine>(session: SessionId, after: i64, to: i64) -> Statement<E> {
    sql::<E>(
        "SELECT e.seq, e.kind, e.at, e.pending, e.subject, e.body FROM events e \
         WHERE e.session_id = $1 AND e.seq > $2 AND e.seq <= $3 ORDER BY e.seq",
    )
    .bind(session.0)
    .bind(after)
    .bind(to)
}

#[derive(Deserialize)]
struct Created {
    data: CreatedData,
}

#[derive(Deserialize)]
struct CreatedData {
    message: Message,
}

#[derive(Deserialize)]
struct Answered {
    data: AnsweredData,
}

#[derive(Deserialize)]
struct AnsweredData {
    response: Response,
}

/// Reads the columns of `select_message!`.
pub(super) fn message<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Message> {
    let state: MessageState = rows::message_state(row)?;
    let created: String = row.read()?;
    let answered: Option<String> = row.read()?;
    let damaged = |error: serde_json::Error| StoreError::damaged(format!("an event: {error}"));
    let mut message = serde_json::from_str::<Created>(&created).map_err(damaged)?.data.message;
    message.status = state.status;
    message.updated_at = state.updated_at;
    if state.status == MessageStatus::Completed && state.response_required {
        let answered = answered.ok_or_else(|| StoreError::damaged("an answered message without its answer"))?;
        message.response = Some(serde_json::from_str::<Answered>(&answered).map_err(damaged)?.data.response);
    }
    Ok(message)
}
