//! The write transaction of one batch: load and lock, write many rows a statement, commit.

use super::rows::state_columns;
use super::sessions::{select_participant, select_session};
use super::{api_keys, interactions, replies, revocation, rows, sql};
use crate::domain::decide::NewGuest;
use crate::domain::interaction::InteractionState;
use crate::domain::message::{MessageState, Settlement};
use crate::domain::participant::TakenName;
use crate::domain::{
    CommittedEvent, KeyId, MessageId, MessageStatus, Participant, ParticipantId, ParticipantType, PrincipalId, Session,
    SessionId, SpaceId, Timestamp,
};
use crate::store::engine::{Engine, read_all};
use crate::store::lease::Lease;
use crate::store::script::{FILLED, Row, Script};
use crate::store::{
    Acknowledged, Loaded, LockWait, Named, NewMark, StoreError, StoreResult, WriteSet, WriteTx, subject_of,
};
use async_trait::async_trait;
use std::collections::HashMap;

/// What waits for an answer in session `$1`, in order.
pub const PENDING_MESSAGES: &str = concat!(
    "SELECT ",
    state_columns!(),
    " FROM messages m WHERE m.session_id = $1 AND m.status = 'Pending' ORDER BY m.seq"
);

/// What those who take part in session `$1` are called: everybody if `$2`, else guests alone.
const PARTICIPANT_NAMES: &str = "SELECT p.kind, COALESCE(a.name, h.name, g.name), p.invited_by FROM participants p \
     LEFT JOIN agents a ON a.id = p.principal_id AND p.kind = 'Agent' \
     LEFT JOIN humans h ON h.id = p.principal_id AND p.kind = 'Human' \
     LEFT JOIN guests g ON g.id = p.principal_id AND p.kind = 'Guest' \
     WHERE p.session_id = $1 AND ($2 OR p.kind = 'Guest')";

pub(super) struct SqlWriteTx<E: Engine> {
    tx: Box<Lease<E>>,
    /// How it waits for what it locks. It begins with its first statement.
    wait: LockWait,
}

#[async_trait]
impl<E: Engine> WriteTx for SqlWriteTx<E> {
    async fn load(&mut self, named: &Named, since: Timestamp) -> StoreResult<Loaded> {
        let Named { sessions, members, answerers, new_sessions, messages, replies: keys } = named;
        let mut sessions = sessions.clone();
        sessions.sort_by_key(|(_, session)| *session);
        let mut script = Script::<E>::about(&[
            sessions.len(),
            members.len(),
            answerers.len(),
            new_sessions.len(),
            messages.len(),
            keys.len(),
        ]);
        script.table(select_session!(" FROM (VALUES"), E::LOCK_SESSIONS, None, &sessions, |row, named| {
            row.push(named.map(|(space, _)| space.0));
            row.push(named.map(|(_, session)| session.0));
        });
        script.table(
            "SELECT p.session_id, p.principal_id, p.id, p.invited_by, g.answers_agent_id FROM (VALUES",
            ") AS v CROSS JOIN participants p LEFT JOIN guests g ON g.id = p.principal_id AND p.kind = 'Guest' \
             WHERE p.session_id = v.column1 AND p.principal_id = v.column2",
            None,
            members,
            |row, named| {
                row.push(named.map(|(session, _)| session.0));
                row.push(named.map(|(_, principal)| principal.0));
            },
        );
        script.table(
            "SELECT p.session_id, p.principal_id FROM (VALUES",
            ") AS v CROSS JOIN participants p LEFT JOIN humans h ON h.id = p.principal_id AND p.kind = 'Human' \
             WHERE p.session_id = v.column1 AND p.principal_id = v.column2 AND p.kind <> 'Agent' \
             AND h.deactivated_at IS NULL",
            None,
            answerers,
            |row, named| {
                row.push(named.map(|(session, _)| session.0));
                row.push(named.map(|(_, principal)| principal.0));
            },
        );
        // Of every space: an id is taken whoever has it. Read without a lock, so that nobody waits for another's.
        script.table(
            "SELECT v.column1 FROM (VALUES",
            ") AS v WHERE EXISTS (SELECT 1 FROM sessions s WHERE s.id = v.column1) \
             OR EXISTS (SELECT 1 FROM retired_sessions r WHERE r.session_id = v.column1)",
            None,
            new_sessions,
            |row, id| row.push(id.map(|id| id.0)),
        );
        script.table(
            concat!("SELECT ", state_columns!(), " FROM (VALUES"),
            ") AS v CROSS JOIN messages m WHERE m.id = v.column2 AND m.session_id = v.column1",
            None,
            messages,
            |row, named| {
                row.push(named.map(|(session, _)| session.0));
                row.push(named.map(|(_, message)| message.0));
            },
        );
        replies::find_all(&mut script, keys, since);
        let mut lists = script.run(&mut self.tx, self.wait, false).await?.into_iter();
        let mut list = || lists.next().unwrap_or_default();
        Ok(Loaded {
            sessions: read_all(&list(), &mut rows::session::<E>)?,
            members: read_all(&list(), &mut rows::member::<E>)?,
            answerers: read_all::<E, _>(&list(), &mut |row| Ok((SessionId(row.read()?), PrincipalId(row.read()?))))?,
            taken: read_all::<E, _>(&list(), &mut |row| Ok(SessionId(row.read()?)))?,
            messages: read_all(&list(), &mut rows::message_state::<E>)?,
            replies: read_all(&list(), &mut replies::read::<E>)?,
        })
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
        self.begun().await?;
        sql::<E>("SELECT COUNT(*) FROM participants p WHERE p.session_id = $1 AND p.kind = 'Guest'")
            .bind(session.0)
            .number(&mut self.tx)
            .await
    }

    async fn hold_key(&mut self, key: KeyId) -> StoreResult<bool> {
        self.begun().await?;
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

    async fn told_key(&mut self, session: SessionId, principal: PrincipalId) -> StoreResult<Option<Timestamp>> {
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
    pub(super) fn new(lease: Box<Lease<E>>, wait: LockWait) -> Self {
        Self { tx: lease, wait }
    }

    async fn write(&mut self, writes: WriteSet, commits: bool) -> StoreResult<()> {
        self.delete_participants(&writes.gone_participants).await?;
        // In one order, so that two batches with the same keys can't deadlock.
        let mut kept = writes.replies;
        kept.sort_by(|a, b| (&a.scope, &a.key).cmp(&(&b.scope, &b.key)));
        let mut script = Script::<E>::about(&[
            writes.new_sessions.len(),
            writes.changed_sessions.len(),
            writes.new_guests.len(),
            writes.new_participants.len(),
            writes.read_marks.len(),
            writes.told_keys.len(),
            writes.events.len(),
            writes.new_messages.len(),
            writes.settled.len(),
            writes.acknowledged.len(),
            writes.new_interactions.len(),
            kept.len(),
        ]);
        let added = added_bytes(&writes.events);
        insert_sessions(&mut script, &writes.new_sessions, &added);
        update_sessions(&mut script, &writes.changed_sessions, &added);
        insert_guests(&mut script, &writes.new_guests);
        insert_participants(&mut script, &writes.new_participants);
        mark_read(&mut script, &writes.read_marks);
        note_told_keys(&mut script, &writes.told_keys);
        insert_events(&mut script, &writes.events);
        insert_messages(&mut script, &writes.new_messages);
        settle(&mut script, &writes.settled)?;
        acknowledge(&mut script, &writes.acknowledged);
        interactions::insert(&mut script, &writes.new_interactions);
        replies::insert_all(&mut script, &kept);
        script.run(&mut self.tx, self.wait, commits).await?;
        Ok(())
    }

    /// Sees to it that the transaction has begun.
    async fn begun(&mut self) -> StoreResult<()> {
        if self.tx.is_in_transaction() { Ok(()) } else { self.tx.begin(self.wait).await }
    }

    /// Takes participants out. A guest is nothing without their session, so their token ends with it.
    async fn delete_participants(&mut self, participants: &[(Participant, Timestamp)]) -> StoreResult<()> {
        for (gone, at) in participants {
            self.begun().await?;
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

/// How many bytes these events add to each session.
fn added_bytes(events: &[CommittedEvent]) -> HashMap<SessionId, i64> {
    let mut added = HashMap::with_capacity(events.len());
    for event in events {
        *added.entry(event.session).or_insert(0) += i64::try_from(event.text.len()).unwrap_or(i64::MAX);
    }
    added
}

fn insert_sessions<E: Engine>(script: &mut Script<E>, sessions: &[Session], added: &HashMap<SessionId, i64>) {
    script.table(
        "INSERT INTO sessions (id, space_id, created_by_agent_id, created_by_human_id, title, encrypted_title, \
         status, priority, metadata, first_seq, last_seq, message_count, pending_count, created_at, updated_at, \
         closed_at, archived_at, bytes) SELECT * FROM (VALUES",
        FILLED,
        None,
        sessions,
        |row, s| {
            row.push(s.map(|s| s.id.0));
            row.push(s.map(|s| s.space_id.0));
            row.push(s.and_then(|s| s.created_by_agent_id).map(|id| id.0));
            row.push(s.and_then(|s| s.created_by_human_id).map(|id| id.0));
            row.push(s.and_then(|s| s.title.clone()));
            row.push(s.and_then(|s| s.encrypted_title.as_ref()).map(|title| title.as_str().to_owned()));
            row.push(s.map(|s| s.status.as_str().to_owned()));
            row.push(s.map(|s| s.priority.rank()));
            row.push(s.and_then(|s| s.metadata.as_ref()).map(|metadata| metadata.get().to_owned()));
            row.push(s.map(|s| s.first_seq));
            row.push(s.map(|s| s.last_seq));
            row.push(s.map(|s| s.message_count));
            row.push(s.map(|s| s.pending_count));
            row.push(s.map(|s| s.created_at.0));
            row.push(s.map(|s| s.updated_at.0));
            row.push(s.and_then(|s| s.closed_at).map(|at| at.0));
            row.push(s.and_then(|s| s.archived_at).map(|at| at.0));
            row.push(s.map(|s| added.get(&s.id).copied().unwrap_or(0)));
        },
    );
}

fn update_sessions<E: Engine>(script: &mut Script<E>, sessions: &[Session], added: &HashMap<SessionId, i64>) {
    script.table(
        "UPDATE sessions SET title = v.column2, encrypted_title = v.column3, status = v.column4, \
         priority = v.column5, metadata = v.column6, last_seq = v.column7, message_count = v.column8, \
         pending_count = v.column9, updated_at = v.column10, closed_at = v.column11, archived_at = v.column12, \
         bytes = sessions.bytes + v.column13 FROM (VALUES",
        ") AS v WHERE sessions.id = v.column1",
        None,
        sessions,
        |row, s| {
            row.push(s.map(|s| s.id.0));
            row.push(s.and_then(|s| s.title.clone()));
            row.push(s.and_then(|s| s.encrypted_title.as_ref()).map(|title| title.as_str().to_owned()));
            row.push(s.map(|s| s.status.as_str().to_owned()));
            row.push(s.map(|s| s.priority.rank()));
            row.push(s.and_then(|s| s.metadata.as_ref()).map(|metadata| metadata.get().to_owned()));
            row.push(s.map(|s| s.last_seq));
            row.push(s.map(|s| s.message_count));
            row.push(s.map(|s| s.pending_count));
            row.push(s.map(|s| s.updated_at.0));
            row.push(s.and_then(|s| s.closed_at).map(|at| at.0));
            row.push(s.and_then(|s| s.archived_at).map(|at| at.0));
            row.push(s.map(|s| added.get(&s.id).copied().unwrap_or(0)));
        },
    );
}

fn insert_events<E: Engine>(script: &mut Script<E>, events: &[CommittedEvent]) {
    script.table(
        "INSERT INTO events (session_id, seq, kind, type, at, pending, subject, size, body) SELECT * FROM (VALUES",
        FILLED,
        None,
        events,
        |row, e| {
            row.push(e.map(|e| e.session.0));
            row.push(e.map(|e| e.seq));
            row.push(e.map(|e| e.kind.basic().as_str().to_owned()));
            row.push(e.and_then(|e| e.kind.precise()).map(str::to_owned));
            row.push(e.map(|e| e.at.0));
            row.push(e.map(|e| e.pending));
            row.push(e.and_then(subject_of));
            row.push(e.map(|e| i64::try_from(e.text.len()).unwrap_or(i64::MAX)));
            row.push(e.map(|e| e.text.to_string()));
        },
    );
}

fn insert_messages<E: Engine>(script: &mut Script<E>, messages: &[(MessageState, i64)]) {
    script.table(
        "INSERT INTO messages (id, session_id, seq, ordinal, sender_id, response_required, status, priority, \
         deadline_at, answerers, in_reply_to, created_at, updated_at) SELECT * FROM (VALUES",
        FILLED,
        None,
        messages,
        |row, message| {
            let m = message.map(|(state, _)| state);
            row.push(m.map(|m| m.id.0));
            row.push(m.map(|m| m.session_id.0));
            row.push(m.map(|m| m.seq));
            row.push(message.map(|(_, ordinal)| *ordinal));
            row.push(m.and_then(|m| m.sender).map(|id| id.0));
            row.push(m.map(|m| m.response_required));
            row.push(m.map(|m| m.status.as_str().to_owned()));
            row.push(m.map(|m| m.priority.rank()));
            row.push(m.and_then(|m| m.deadline_at).map(|at| at.0));
            row.push(m.and_then(|m| m.answerers.as_ref()).map(|ids| serde_json::json!(ids).to_string()));
            row.push(m.and_then(|m| m.in_reply_to).map(|id| id.0));
            row.push(m.map(|m| m.created_at.0));
            row.push(m.map(|m| m.updated_at.0));
        },
    );
}

/// The compare-and-set by which a message settles once: it must still be pending.
fn settle<E: Engine>(script: &mut Script<E>, settled: &[(MessageId, MessageStatus, Settlement)]) -> StoreResult<()> {
    let by = |(_, _, settlement): &(_, _, Settlement)| {
        serde_json::to_string(&settlement.by).map_err(|error| StoreError::damaged(error.to_string()))
    };
    let by = settled.iter().map(by).collect::<StoreResult<Vec<_>>>()?;
    let settled: Vec<_> = settled.iter().zip(by).collect();
    script.table(
        "UPDATE messages SET status = v.column2, settled_seq = v.column3, settled_at = v.column4, \
         settled_by = v.column5, response_message_id = v.column6, outcome = v.column7, updated_at = v.column4 \
         FROM (VALUES",
        ") AS v WHERE messages.id = v.column1 AND messages.status = 'Pending'",
        Some(|| StoreError::damaged("a message that settled twice")),
        &settled,
        |row, settled| {
            let settlement = settled.map(|((_, _, settlement), _)| settlement);
            row.push(settled.map(|((id, ..), _)| id.0));
            row.push(settled.map(|((_, status, _), _)| status.as_str().to_owned()));
            row.push(settlement.map(|settlement| settlement.seq));
            row.push(settlement.map(|settlement| settlement.at.0));
            row.push(settled.map(|(_, by)| by.clone()));
            let response = settlement.and_then(|settlement| settlement.response);
            row.push(response.map(|(message, _)| message.0));
            row.push(response.map(|(_, outcome)| outcome.as_str().to_owned()));
        },
    );
    Ok(())
}

/// Notes that outcomes were taken: once each, as messages settle once. Interactions have it in a column of their own
/// for the release before.
fn acknowledge<E: Engine>(script: &mut Script<E>, acknowledged: &[Acknowledged]) {
    let columns = |row: &mut Row<'_, E>, taken: Option<&Acknowledged>| {
        row.push(taken.map(|taken| taken.message.0));
        row.push(taken.map(|taken| taken.session.0));
        row.push(taken.map(|taken| taken.seq));
        row.push(taken.map(|taken| taken.at.0));
    };
    script.table(
        "UPDATE messages SET acknowledged_seq = v.column3, acknowledged_at = v.column4 FROM (VALUES",
        ") AS v WHERE messages.id = v.column1 AND messages.session_id = v.column2 \
         AND messages.acknowledged_at IS NULL",
        Some(|| StoreError::damaged("a message that was acknowledged twice")),
        acknowledged,
        columns,
    );
    script.table(
        "UPDATE interactions SET acknowledged_seq = v.column3, acknowledged_at = v.column4 FROM (VALUES",
        ") AS v WHERE interactions.message_id = v.column1 AND interactions.session_id = v.column2 \
         AND interactions.acknowledged_at IS NULL",
        None,
        acknowledged,
        columns,
    );
}

fn insert_participants<E: Engine>(script: &mut Script<E>, participants: &[Participant]) {
    script.table(
        "INSERT INTO participants (id, session_id, principal_id, kind, role, last_read_seq, read_count, \
         added_at, told_key_at, invited_by) SELECT * FROM (VALUES",
        FILLED,
        None,
        participants,
        |row, p| {
            row.push(p.map(|p| p.id.0));
            row.push(p.map(|p| p.session_id.0));
            row.push(p.map(|p| p.principal().0));
            row.push(p.map(|p| p.kind.as_str().to_owned()));
            row.push(p.map(|p| p.role.clone()));
            row.push(p.map(|p| p.last_read_seq));
            row.push(p.map(|_| 0_i64));
            row.push(p.map(|p| p.added_at.0));
            row.push(p.and_then(|p| p.key.as_ref()).map(|key| key.created_at.0));
            row.push(p.and_then(|p| p.invited_by.as_ref()).map(|actor| serde_json::json!(actor).to_string()));
        },
    );
}

fn mark_read<E: Engine>(script: &mut Script<E>, marks: &[NewMark]) {
    script.table(
        "UPDATE participants SET last_read_seq = v.column3, read_count = v.column4 FROM (VALUES",
        ") AS v WHERE participants.session_id = v.column1 AND participants.principal_id = v.column2 \
         AND participants.last_read_seq < v.column3",
        None,
        marks,
        |row, mark| {
            row.push(mark.map(|mark| mark.session.0));
            row.push(mark.map(|mark| mark.principal.0));
            row.push(mark.map(|mark| mark.seq));
            row.push(mark.map(|mark| mark.count));
        },
    );
}

fn note_told_keys<E: Engine>(script: &mut Script<E>, told: &[(SessionId, PrincipalId, Timestamp)]) {
    script.table(
        "UPDATE participants SET told_key_at = v.column3 FROM (VALUES",
        ") AS v WHERE participants.session_id = v.column1 AND participants.principal_id = v.column2",
        None,
        told,
        |row, told| {
            row.push(told.map(|(session, ..)| session.0));
            row.push(told.map(|(_, principal, _)| principal.0));
            row.push(told.map(|(.., at)| at.0));
        },
    );
}

fn insert_guests<E: Engine>(script: &mut Script<E>, guests: &[(SpaceId, Participant, NewGuest)]) {
    script.table(
        "INSERT INTO guests (id, space_id, session_id, name, secret_hash, expires_at, created_at, \
         created_by, created_by_key, answers_agent_id) SELECT * FROM (VALUES",
        FILLED,
        None,
        guests,
        |row, guest| {
            let p = guest.map(|(_, participant, _)| participant);
            row.push(p.map(|p| p.principal().0));
            row.push(guest.map(|(space, ..)| space.0));
            row.push(p.map(|p| p.session_id.0));
            row.push(p.map(|p| p.name.clone()));
            row.push(guest.map(|(_, _, guest)| guest.token_hash.to_vec()));
            row.push(guest.map(|(_, _, guest)| guest.expires_at.0));
            row.push(p.map(|p| p.added_at.0));
            // An author's JSON has no keys but texts, so that it can't fail.
            row.push(guest.and_then(|(_, _, guest)| serde_json::to_string(&guest.created_by).ok()));
            row.push(guest.and_then(|(_, _, guest)| guest.created_by.key_id).map(|key| key.0));
            row.push(guest.and_then(|(_, _, guest)| guest.answers_agent).map(|agent| agent.0));
        },
    );
}
