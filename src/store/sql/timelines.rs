//! Reading timelines: events, positions, and pages of messages.

use super::messages::{MESSAGE_SIZES, MESSAGES, UNACKNOWLEDGED, UNACKNOWLEDGED_TOTAL, message, message_range};
use super::page_bytes::fitting;
use super::{SqlStore, look_ups, rows, sql};
use crate::domain::{AgentId, Message, MessageId, ParticipantId, PrincipalId, Scope, SessionId, SpaceId, Timestamp};
use crate::protocol::page::{Page, PageRequest};
use crate::store::engine::Engine;
use crate::store::pool::PooledConnection;
use crate::store::statement::{Fields, Statement, large_groups};
use crate::store::{
    ActiveSession, DueMessage, EventPage, Head, HeadWithMessage, HeadWithParticipant, HeadWithStatus, MessagePage,
    StoreResult, Taken, Timelines,
};
use async_trait::async_trait;
use uuid::Uuid;

/// Pending messages with a deadline up to `$1`, at most `$2`.
pub const DUE_MESSAGES: &str = "SELECT s.space_id, m.session_id, m.id FROM messages m \
     JOIN sessions s ON s.id = m.session_id \
     WHERE m.status = 'Pending' AND m.deadline_at IS NOT NULL AND m.deadline_at <= $1 \
     ORDER BY m.deadline_at LIMIT $2";

#[async_trait]
impl<E: Engine> Timelines for SqlStore<E> {
    async fn messages_after(
        &self,
        scope: Scope,
        session: SessionId,
        after: i64,
        limit: i64,
        max_bytes: i64,
    ) -> StoreResult<Option<MessagePage>> {
        let mut db = self.reader().await?;
        let total = look_ups::MESSAGE_COUNT.within::<E>(scope).bind(session.0);
        let Some(total) = total.first(&mut *db, |row| row.read::<i64>()).await? else { return Ok(None) };
        // A statement may see commits that the one before did not: nothing beyond the state in which the scope was checked
        // is read, since access may have ended with it.
        let to = after.saturating_add(limit).min(total);
        // First only the sizes, so that no more is loaded than the limit.
        let sizes: Vec<i64> =
            message_range::<E>(MESSAGE_SIZES, session, after, to).all(&mut *db, |row| row.read()).await?;
        let count = i64::try_from(fitting(sizes, max_bytes)).unwrap_or(limit);
        let to = after.saturating_add(count);
        let messages = message_range::<E>(MESSAGES, session, after, to).all(&mut *db, message).await?;
        Ok(Some(MessagePage { total, messages }))
    }

    async fn last_messages(
        &self,
        scope: Scope,
        sessions: &[(SessionId, i64)],
        max_bytes: i64,
    ) -> StoreResult<Taken<Message>> {
        let mut db = self.reader().await?;
        let mut taken = Taken { count: 0, data: Vec::new() };
        let mut bytes = 0;
        // One by one: for a list PostgreSQL can't estimate that there are few rows, and scans whole tables.
        for (session, count) in sessions {
            if bytes >= max_bytes {
                break;
            }
            taken.count += 1;
            if *count > 0 {
                let last = look_ups::MESSAGE_AT.within::<E>(scope).bind(session.0).bind(*count);
                let last = last.first(&mut *db, |row| Ok((message(row)?, row.read::<i64>()?))).await?;
                bytes += last.as_ref().map_or(0, |(_, size)| *size);
                taken.data.extend(last.map(|(message, _)| message));
            }
        }
        Ok(taken)
    }

    async fn message(&self, scope: Scope, session: SessionId, id: MessageId) -> StoreResult<Option<Message>> {
        let found = look_ups::MESSAGE.within::<E>(scope).bind(session.0).bind(id.0);
        found.first(&mut *self.reader().await?, message).await
    }

    async fn head(&self, scope: Scope, session: SessionId) -> StoreResult<Option<Head>> {
        head::<E>(&mut *self.reader().await?, scope, session).await
    }

    async fn head_with_participant(
        &self,
        scope: Scope,
        session: SessionId,
        principal: PrincipalId,
    ) -> StoreResult<Option<HeadWithParticipant>> {
        let found = look_ups::HEAD_WITH_PARTICIPANT.within::<E>(scope).bind(session.0).bind(principal.0);
        found
            .first(&mut *self.reader().await?, |row| {
                Ok(HeadWithParticipant {
                    head: read_head(row)?,
                    participant: row.read::<Option<Uuid>>()?.map(ParticipantId),
                    is_crowd: row.read::<Option<i64>>()?.is_some(),
                })
            })
            .await
    }

    async fn last_message_by(&self, scope: Scope, session: SessionId, sender: PrincipalId) -> StoreResult<Option<i64>> {
        let found = look_ups::LAST_MESSAGE_BY.within::<E>(scope).bind(session.0).bind(sender.0);
        found.first(&mut *self.reader().await?, |row| row.read()).await
    }

    async fn first_message_after(
        &self,
        scope: Scope,
        session: SessionId,
        after: i64,
    ) -> StoreResult<Option<HeadWithMessage>> {
        let found = look_ups::FIRST_MESSAGE_AFTER.within::<E>(scope).bind(session.0).bind(after);
        let read = |row: &mut Fields<'_, E>| {
            Ok(HeadWithMessage { head: read_head(row)?, message: row.read::<Option<Uuid>>()?.map(MessageId) })
        };
        found.first(&mut *self.reader().await?, read).await
    }

    async fn unacknowledged(
        &self,
        scope: Scope,
        agent: AgentId,
        page: PageRequest,
    ) -> StoreResult<Page<(SessionId, MessageId)>> {
        let count = UNACKNOWLEDGED_TOTAL.within::<E>(scope).bind(agent.0);
        let list = UNACKNOWLEDGED.within::<E>(scope).bind(agent.0);
        self.page(page, count, list, |row| Ok((SessionId(row.read()?), MessageId(row.read()?)))).await
    }

    async fn messages_of(
        &self,
        scope: Scope,
        messages: &[(SessionId, MessageId)],
        max_bytes: i64,
    ) -> StoreResult<Taken<Message>> {
        let mut db = self.reader().await?;
        let mut taken = Taken { count: 0, data: Vec::new() };
        let mut bytes = 0;
        for (session, id) in messages {
            if bytes >= max_bytes {
                break;
            }
            taken.count += 1;
            let found = look_ups::SIZED_MESSAGE.within::<E>(scope).bind(session.0).bind(id.0);
            let found = found.first(&mut *db, |row| Ok((message(row)?, row.read::<i64>()?))).await?;
            bytes += found.as_ref().map_or(0, |(_, size)| *size);
            taken.data.extend(found.map(|(message, _)| message));
        }
        Ok(taken)
    }

    async fn head_with_status(
        &self,
        scope: Scope,
        session: SessionId,
        id: MessageId,
    ) -> StoreResult<Option<HeadWithStatus>> {
        let found = look_ups::HEAD_WITH_STATUS.within::<E>(scope).bind(session.0).bind(id.0);
        let read =
            |row: &mut Fields<'_, E>| Ok(HeadWithStatus { head: read_head(row)?, status: rows::message_status(row)? });
        found.first(&mut *self.reader().await?, read).await
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
        // First only the sizes, so that no more is loaded than the limit. A statement may see commits that the one before
        // did not: nothing beyond the head with which the scope was checked is read, since access may have ended with it.
        let sizes = sql::<E>(
            "SELECT e.seq, e.size FROM events e WHERE e.session_id = $1 AND e.seq > $2 AND e.seq <= $3 \
             ORDER BY e.seq LIMIT $4",
        )
        .bind(session.0)
        .bind(after)
        .bind(head.last_seq)
        .bind(limit)
        .all(&mut *db, |row| Ok((row.read::<i64>()?, row.read::<i64>()?)))
        .await?;
        let count = fitting(sizes.iter().map(|(_, size)| *size), max_bytes);
        let Some((end, _)) = sizes[..count].last() else {
            return Ok(Some(EventPage { events: Vec::new(), head }));
        };
        let events = sql::<E>(
            "SELECT e.seq, e.kind, e.type, e.at, e.pending, e.subject, e.body FROM events e \
             WHERE e.session_id = $1 AND e.seq > $2 AND e.seq <= $3 ORDER BY e.seq",
        )
        .bind(session.0)
        .bind(after)
        .bind(*end)
        .all(&mut *db, |row| rows::event(head.space, session, row))
        .await?;
        Ok(Some(EventPage { events, head }))
    }

    async fn last_older(
        &self,
        scope: Scope,
        session: SessionId,
        seq: i64,
        floor: Timestamp,
    ) -> StoreResult<Option<i64>> {
        let found = look_ups::LAST_OLDER.within::<E>(scope).bind(session.0).bind(seq).bind(floor.0);
        found.first(&mut *self.reader().await?, |row| row.read()).await
    }

    async fn last_seqs(&self, sessions: &[(SpaceId, SessionId)]) -> StoreResult<Vec<(SessionId, Head)>> {
        let mut db = self.reader().await?;
        let mut found = Vec::with_capacity(sessions.len());
        for group in large_groups(sessions) {
            let mut statement = Statement::<E>::with_rows(
                "SELECT s.id, s.space_id, s.last_seq, s.first_seq, s.updated_at FROM (VALUES",
                ") AS v CROSS JOIN sessions s WHERE s.id = v.column2 AND s.space_id = v.column1",
                1,
                group.len(),
                2,
            );
            for (space, session) in group {
                statement.push(space.0);
                statement.push(session.0);
            }
            found.extend(statement.all(&mut *db, |row| Ok((SessionId(row.read()?), read_head(row)?))).await?);
        }
        Ok(found)
    }

    async fn active_since(&self, spaces: &[SpaceId], since: Timestamp) -> StoreResult<Vec<ActiveSession>> {
        let mut db = self.reader().await?;
        let mut found = Vec::new();
        for group in large_groups(spaces) {
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
    db: &mut PooledConnection<E>,
    scope: Scope,
    session: SessionId,
) -> StoreResult<Option<Head>> {
    look_ups::HEAD.within::<E>(scope).bind(session.0).first(db, read_head).await
}

/// Reads the columns of `HEAD`.
fn read_head<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Head> {
    Ok(Head { space: SpaceId(row.read()?), last_seq: row.read()?, first_seq: row.read()?, at: Timestamp(row.read()?) })
}
