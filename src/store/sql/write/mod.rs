//! The write transaction of one batch: load and lock, write many rows in each statement, commit.

mod load;
mod participants;
mod timeline;

use self::participants::{insert_guests, insert_participants, mark_read, note_announced_keys};
use self::timeline::{
    acknowledge, added_bytes, insert_events, insert_messages, insert_sessions, settle, update_sessions,
};
use super::revocations::revocation;
use super::{api_keys, interactions, replies, rows, sql};
use crate::domain::interaction::InteractionState;
use crate::domain::message::MessageState;
use crate::domain::participant::TakenName;
use crate::domain::{KeyId, Participant, ParticipantId, ParticipantType, PrincipalId, SessionId, Timestamp};
use crate::store::batch::StatementBatch;
use crate::store::engine::Engine;
use crate::store::pool::PooledConnection;
use crate::store::{Loaded, LockWait, Named, StoreError, StoreResult, WriteSet, WriteTx};
use async_trait::async_trait;

/// The pending messages of session `$1`, in order.
pub const PENDING_MESSAGES: &str = concat!(
    "SELECT ",
    state_columns!(),
    " FROM messages m WHERE m.session_id = $1 AND m.status = 'Pending' ORDER BY m.seq"
);

/// The names of the participants of session `$1`: of all if `$2`, else of guests only.
const PARTICIPANT_NAMES: &str = "SELECT p.kind, COALESCE(a.name, h.name, g.name), p.invited_by FROM participants p \
     LEFT JOIN agents a ON a.id = p.principal_id AND p.kind = 'Agent' \
     LEFT JOIN humans h ON h.id = p.principal_id AND p.kind = 'Human' \
     LEFT JOIN guests g ON g.id = p.principal_id AND p.kind = 'Guest' \
     WHERE p.session_id = $1 AND ($2 OR p.kind = 'Guest')";

pub(super) struct SqlWriteTx<E: Engine> {
    tx: Box<PooledConnection<E>>,
    /// How long it waits for locks. The transaction begins with its first statement.
    wait: LockWait,
}

#[async_trait]
impl<E: Engine> WriteTx for SqlWriteTx<E> {
    async fn load(&mut self, named: &Named, since: Timestamp) -> StoreResult<Loaded> {
        load::load(&mut self.tx, self.wait, named, since).await
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

    async fn count_guests(&mut self, session: SessionId) -> StoreResult<i64> {
        self.ensure_begun().await?;
        sql::<E>("SELECT COUNT(*) FROM participants p WHERE p.session_id = $1 AND p.kind = 'Guest'")
            .bind(session.0)
            .number(&mut self.tx)
            .await
    }

    async fn hold_key(&mut self, key: KeyId) -> StoreResult<bool> {
        self.ensure_begun().await?;
        api_keys::hold::<E>(&mut self.tx, key).await
    }

    async fn participant_names(&mut self, session: SessionId, of_everybody: bool) -> StoreResult<Vec<TakenName>> {
        sql::<E>(PARTICIPANT_NAMES)
            .bind(session.0)
            .bind(of_everybody)
            .all(&mut *self.tx, |row| {
                let kind: String = row.read()?;
                let kind = ParticipantType::parse(&kind).ok_or_else(|| StoreError::damaged("a type of participant"))?;
                let name = row.read::<Option<String>>()?.unwrap_or_default();
                Ok(TakenName { kind, name, invited_by: rows::invited_by(row)? })
            })
            .await
    }

    async fn announced_key(&mut self, session: SessionId, principal: PrincipalId) -> StoreResult<Option<Timestamp>> {
        sql::<E>("SELECT p.told_key_at FROM participants p WHERE p.session_id = $1 AND p.principal_id = $2")
            .bind(session.0)
            .bind(principal.0)
            .first(&mut *self.tx, |row| Ok(row.read::<Option<i64>>()?.map(Timestamp)))
            .await
            .map(Option::flatten)
    }

    async fn interaction(&mut self, session: SessionId) -> StoreResult<Option<InteractionState>> {
        interactions::state::<E>(&mut self.tx, session).await
    }

    async fn apply(&mut self, writes: WriteSet) -> StoreResult<()> {
        self.write(writes, false).await
    }

    async fn commit(mut self: Box<Self>, writes: WriteSet) -> StoreResult<()> {
        self.write(writes, true).await
    }
}

impl<E: Engine> SqlWriteTx<E> {
    pub(super) fn new(tx: Box<PooledConnection<E>>, wait: LockWait) -> Self {
        Self { tx, wait }
    }

    async fn write(&mut self, writes: WriteSet, commits: bool) -> StoreResult<()> {
        self.delete_participants(&writes.gone_participants).await?;
        // In a fixed order, so that two batches with the same keys can't deadlock.
        let mut kept = writes.replies;
        kept.sort_by(|a, b| (&a.scope, &a.key).cmp(&(&b.scope, &b.key)));
        let mut batch = StatementBatch::<E>::new();
        let added = added_bytes(&writes.events);
        insert_sessions(&mut batch, &writes.new_sessions, &added);
        update_sessions(&mut batch, &writes.changed_sessions, &added);
        insert_guests(&mut batch, &writes.new_guests);
        insert_participants(&mut batch, &writes.new_participants);
        mark_read(&mut batch, &writes.read_marks);
        note_announced_keys(&mut batch, &writes.announced_keys);
        insert_events(&mut batch, &writes.events);
        insert_messages(&mut batch, &writes.new_messages);
        settle(&mut batch, &writes.settled)?;
        acknowledge(&mut batch, &writes.acknowledged);
        interactions::insert(&mut batch, &writes.new_interactions);
        replies::insert_all(&mut batch, &kept);
        batch.execute(&mut self.tx, self.wait, commits).await?;
        Ok(())
    }

    /// Begins the transaction, unless it has begun.
    async fn ensure_begun(&mut self) -> StoreResult<()> {
        if self.tx.is_in_transaction() { Ok(()) } else { self.tx.begin(self.wait).await }
    }

    /// Removes participants. The token of a guest is revoked, since a guest belongs to one session.
    async fn delete_participants(&mut self, participants: &[(Participant, Timestamp)]) -> StoreResult<()> {
        for (gone, at) in participants {
            self.ensure_begun().await?;
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
}
