//! The write transaction of one batch: load and lock, write many rows a statement, commit.

use super::sessions::{select_participant, select_session};
use super::{interactions, replies, revocation, rows, sql};
use crate::domain::interaction::InteractionState;
use crate::domain::message::{MessageState, Settlement};
use crate::domain::{
    CommittedEvent, MessageId, MessageStatus, Participant, ParticipantId, PrincipalId, Session, SessionId, SpaceId,
    Timestamp,
};
use crate::store::engine::{Engine, Statement, groups};
use crate::store::lease::Lease;
use crate::store::{SavedReply, StoreError, StoreResult, WriteSet, WriteTx, subject_of};
use async_trait::async_trait;

/// What waits for an answer in session `$1`, in order.
pub const PENDING_MESSAGES: &str = "SELECT m.id, m.session_id, m.seq, m.sender_id, m.response_required, m.status, \
     m.priority, m.deadline_at, m.in_reply_to, m.settled_seq, m.settled_at, m.settled_by, m.response_message_id, \
     m.created_at, m.updated_at FROM messages m \
     WHERE m.session_id = $1 AND m.status = 'Pending' ORDER BY m.seq";

pub(super) struct SqlWriteTx<E: Engine> {
    pub(super) tx: Box<Lease<E>>,
}

#[async_trait]
impl<E: Engine> WriteTx for SqlWriteTx<E> {
    async fn lock_sessions(&mut self, ids: &[(SpaceId, SessionId)]) -> StoreResult<Vec<Session>> {
        let mut found = Vec::with_capacity(ids.len());
        let mut ids = ids.to_vec();
        ids.sort_by_key(|(_, session)| *session);
        for group in groups(&ids) {
            let mut statement =
                Statement::<E>::with_rows(select_session!(" FROM (VALUES"), E::LOCK_SESSIONS, 1, group.len(), 2);
            for (space, session) in group {
                statement.push(space.0);
                statement.push(session.0);
            }
            found.extend(statement.all(&mut *self.tx, rows::session).await?);
        }
        Ok(found)
    }

    async fn participations(
        &mut self,
        pairs: &[(SessionId, PrincipalId)],
    ) -> StoreResult<Vec<(SessionId, PrincipalId)>> {
        let mut found = Vec::with_capacity(pairs.len());
        for group in groups(pairs) {
            let mut statement = Statement::<E>::with_rows(
                "SELECT p.session_id, p.principal_id FROM (VALUES",
                ") AS v CROSS JOIN participants p WHERE p.session_id = v.column1 AND p.principal_id = v.column2",
                1,
                group.len(),
                2,
            );
            for (session, principal) in group {
                statement.push(session.0);
                statement.push(principal.0);
            }
            found.extend(
                statement.all(&mut *self.tx, |row| Ok((SessionId(row.read()?), PrincipalId(row.read()?)))).await?,
            );
        }
        Ok(found)
    }

    async fn message_states(&mut self, ids: &[(SessionId, MessageId)]) -> StoreResult<Vec<MessageState>> {
        let mut found = Vec::with_capacity(ids.len());
        for group in groups(ids) {
            let mut statement = Statement::<E>::with_rows(
                "SELECT m.id, m.session_id, m.seq, m.sender_id, m.response_required, m.status, m.priority, \
                 m.deadline_at, m.in_reply_to, m.settled_seq, m.settled_at, m.settled_by, m.response_message_id, \
                 m.created_at, m.updated_at FROM (VALUES",
                ") AS v CROSS JOIN messages m WHERE m.id = v.column2 AND m.session_id = v.column1",
                1,
                group.len(),
                2,
            );
            for (session, message) in group {
                statement.push(session.0);
                statement.push(message.0);
            }
            found.extend(statement.all(&mut *self.tx, rows::message_state).await?);
        }
        Ok(found)
    }

    async fn pending_messages(&mut self, session: SessionId) -> StoreResult<Vec<MessageState>> {
        sql::<E>(PENDING_MESSAGES).bind(session.0).all(&mut *self.tx, rows::message_state).await
    }

    async fn participant(&mut self, session: SessionId, id: ParticipantId) -> StoreResult<Option<Participant>> {
        sql::<E>(select_participant!("WHERE p.session_id = $1 AND p.id = $2"))
            .bind(session.0)
            .bind(id.0)
            .first(&mut *self.tx, rows::participant)
            .await
    }

    async fn participant_of(&mut self, session: SessionId, principal: PrincipalId) -> StoreResult<Option<Participant>> {
        sql::<E>(select_participant!("WHERE p.session_id = $1 AND p.principal_id = $2"))
            .bind(session.0)
            .bind(principal.0)
            .first(&mut *self.tx, rows::participant)
            .await
    }

    async fn interaction(&mut self, session: SessionId) -> StoreResult<Option<InteractionState>> {
        interactions::state::<E>(&mut self.tx, session).await
    }

    async fn saved_replies(&mut self, keys: &[(String, String)], since: Timestamp) -> StoreResult<Vec<SavedReply>> {
        replies::find_all::<E>(&mut self.tx, keys, since).await
    }

    async fn apply(&mut self, writes: WriteSet) -> StoreResult<()> {
        self.insert_sessions(&writes.new_sessions).await?;
        self.update_sessions(&writes.changed_sessions).await?;
        self.insert_guests(&writes.new_guests).await?;
        self.insert_participants(&writes.new_participants).await?;
        self.delete_participants(&writes.gone_participants).await?;
        self.insert_events(&writes.events).await?;
        self.insert_messages(&writes.new_messages).await?;
        self.settle(&writes.settled).await?;
        self.insert_interactions(&writes.new_interactions).await?;
        self.acknowledge(&writes.acknowledged).await?;
        // In one order, so that two batches with the same keys can't deadlock.
        let mut kept = writes.replies;
        kept.sort_by(|a, b| (&a.scope, &a.key).cmp(&(&b.scope, &b.key)));
        replies::insert_all::<E>(&mut self.tx, &kept).await
    }

    async fn commit(self: Box<Self>) -> StoreResult<()> {
        Ok(self.tx.commit().await?)
    }
}

impl<E: Engine> SqlWriteTx<E> {
    /// Inserts `items` with as few statements as the chunk sizes allow.
    pub(super) async fn insert_rows<T: Sync>(
        &mut self,
        head: &'static str,
        tail: &'static str,
        columns: usize,
        items: &[T],
        mut bind: impl FnMut(&mut Statement<E>, &T) + Send,
    ) -> StoreResult<()> {
        for group in groups(items) {
            let mut statement = Statement::<E>::with_rows(head, tail, 1, group.len(), columns);
            for item in group {
                bind(&mut statement, item);
            }
            statement.execute(&mut *self.tx).await?;
        }
        Ok(())
    }

    async fn insert_sessions(&mut self, sessions: &[Session]) -> StoreResult<()> {
        self.insert_rows(
            "INSERT INTO sessions (id, space_id, created_by_agent_id, created_by_human_id, title, encrypted_title, \
             status, priority, metadata, first_seq, last_seq, message_count, pending_count, created_at, updated_at, \
             closed_at, archived_at) VALUES",
            "",
            17,
            sessions,
            |statement, s| {
                statement.push(s.id.0);
                statement.push(s.space_id.0);
                statement.push(s.created_by_agent_id.map(|id| id.0));
                statement.push(s.created_by_human_id.map(|id| id.0));
                statement.push(s.title.clone());
                statement.push(s.encrypted_title.as_ref().map(|title| title.as_str().to_owned()));
                statement.push(s.status.as_str().to_owned());
                statement.push(s.priority.rank());
                statement.push(s.metadata.as_ref().map(|metadata| metadata.get().to_owned()));
                statement.push(s.first_seq);
                statement.push(s.last_seq);
                statement.push(s.message_count);
                statement.push(s.pending_count);
                statement.push(s.created_at.0);
                statement.push(s.updated_at.0);
                statement.push(s.closed_at.map(|at| at.0));
                statement.push(s.archived_at.map(|at| at.0));
            },
        )
        .await
    }

    async fn update_sessions(&mut self, sessions: &[Session]) -> StoreResult<()> {
        self.insert_rows(
            "UPDATE sessions SET title = v.column2, encrypted_title = v.column3, status = v.column4, \
             priority = v.column5, metadata = v.column6, last_seq = v.column7, message_count = v.column8, \
             pending_count = v.column9, updated_at = v.column10, closed_at = v.column11, archived_at = v.column12 \
             FROM (VALUES",
            ") AS v WHERE sessions.id = v.column1",
            12,
            sessions,
            |statement, s| {
                statement.push(s.id.0);
                statement.push(s.title.clone());
                statement.push(s.encrypted_title.as_ref().map(|title| title.as_str().to_owned()));
                statement.push(s.status.as_str().to_owned());
                statement.push(s.priority.rank());
                statement.push(s.metadata.as_ref().map(|metadata| metadata.get().to_owned()));
                statement.push(s.last_seq);
                statement.push(s.message_count);
                statement.push(s.pending_count);
                statement.push(s.updated_at.0);
                statement.push(s.closed_at.map(|at| at.0));
                statement.push(s.archived_at.map(|at| at.0));
            },
        )
        .await
    }

    async fn insert_events(&mut self, events: &[CommittedEvent]) -> StoreResult<()> {
        self.insert_rows(
            "INSERT INTO events (session_id, seq, kind, at, pending, subject, size, body) VALUES",
            "",
            8,
            events,
            |statement, e| {
                statement.push(e.session.0);
                statement.push(e.seq);
                statement.push(e.kind.as_str().to_owned());
                statement.push(e.at.0);
                statement.push(e.pending);
                statement.push(subject_of(e));
                statement.push(i64::try_from(e.text.len()).unwrap_or(i64::MAX));
                statement.push(e.text.to_string());
            },
        )
        .await
    }

    async fn insert_messages(&mut self, messages: &[(MessageState, i64)]) -> StoreResult<()> {
        self.insert_rows(
            "INSERT INTO messages (id, session_id, seq, ordinal, sender_id, response_required, status, priority, \
             deadline_at, in_reply_to, created_at, updated_at) VALUES",
            "",
            12,
            messages,
            |statement, (m, ordinal)| {
                statement.push(m.id.0);
                statement.push(m.session_id.0);
                statement.push(m.seq);
                statement.push(*ordinal);
                statement.push(m.sender.map(|id| id.0));
                statement.push(m.response_required);
                statement.push(m.status.as_str().to_owned());
                statement.push(m.priority.rank());
                statement.push(m.deadline_at.map(|at| at.0));
                statement.push(m.in_reply_to.map(|id| id.0));
                statement.push(m.created_at.0);
                statement.push(m.updated_at.0);
            },
        )
        .await
    }

    /// The compare-and-set by which a message settles once: it must still be pending.
    async fn settle(&mut self, settled: &[(MessageId, MessageStatus, Settlement)]) -> StoreResult<()> {
        for group in groups(settled) {
            let mut statement = Statement::<E>::with_rows(
                "UPDATE messages SET status = v.column2, settled_seq = v.column3, settled_at = v.column4, \
                 settled_by = v.column5, response_message_id = v.column6, updated_at = v.column4 FROM (VALUES",
                ") AS v WHERE messages.id = v.column1 AND messages.status = 'Pending'",
                1,
                group.len(),
                6,
            );
            for (id, status, settlement) in group {
                let by = serde_json::to_string(&settlement.by);
                statement.push(id.0);
                statement.push(status.as_str().to_owned());
                statement.push(settlement.seq);
                statement.push(settlement.at.0);
                statement.push(by.map_err(|error| StoreError::damaged(error.to_string()))?);
                statement.push(settlement.response.map(|id| id.0));
            }
            if statement.execute(&mut *self.tx).await? != group.len() as u64 {
                return Err(StoreError::damaged("a message that settled twice"));
            }
        }
        Ok(())
    }

    async fn insert_participants(&mut self, participants: &[Participant]) -> StoreResult<()> {
        self.insert_rows(
            "INSERT INTO participants (id, session_id, principal_id, kind, role, last_read_seq, read_count, \
             added_at) VALUES",
            "",
            8,
            participants,
            |statement, p| {
                statement.push(p.id.0);
                statement.push(p.session_id.0);
                statement.push(p.principal().0);
                statement.push(p.kind.as_str().to_owned());
                statement.push(p.role.clone());
                statement.push(p.last_read_seq);
                statement.push(0_i64);
                statement.push(p.added_at.0);
            },
        )
        .await
    }

    /// Takes participants out. A guest is nothing without their session, so their token ends with it.
    async fn delete_participants(&mut self, participants: &[(Participant, Timestamp)]) -> StoreResult<()> {
        for (gone, at) in participants {
            sql::<E>("DELETE FROM participants WHERE session_id = $1 AND id = $2")
                .bind(gone.session_id.0)
                .bind(gone.id.0)
                .execute(&mut *self.tx)
                .await?;
            if let Some(guest) = gone.guest_id {
                sql::<E>("UPDATE guests SET revoked_at = $1 WHERE session_id = $2 AND id = $3 AND revoked_at IS NULL")
                    .bind(at.0)
                    .bind(gone.session_id.0)
                    .bind(guest.0)
                    .execute(&mut *self.tx)
                    .await?;
                revocation::<E>(guest.0, *at).execute(&mut *self.tx).await?;
            }
        }
        Ok(())
    }

    async fn insert_guests(
        &mut self,
        guests: &[(SpaceId, Participant, crate::domain::decide::NewGuest)],
    ) -> StoreResult<()> {
        self.insert_rows(
            "INSERT INTO guests (id, space_id, session_id, name, secret_hash, expires_at, created_at) VALUES",
            "",
            7,
            guests,
            |statement, (space, p, guest)| {
                statement.push(p.principal().0);
                statement.push(space.0);
                statement.push(p.session_id.0);
                statement.push(p.name.clone());
                statement.push(guest.token_hash.to_vec());
                statement.push(guest.expires_at.0);
                statement.push(p.added_at.0);
            },
        )
        .await
    }
}
