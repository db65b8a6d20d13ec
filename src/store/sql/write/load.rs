//! Reads everything that a batch names, and locks its sessions, with one statement for each kind of data.

use super::super::{replies, rows};
use crate::domain::{PrincipalId, SessionId, Timestamp};
use crate::store::batch::StatementBatch;
use crate::store::engine::Engine;
use crate::store::pool::PooledConnection;
use crate::store::statement::read_all;
use crate::store::{Loaded, LockWait, Named, StoreResult};

/// As [`WriteTx::load`](crate::store::WriteTx::load).
pub(super) async fn load<E: Engine>(
    tx: &mut PooledConnection<E>,
    wait: LockWait,
    named: &Named,
    since: Timestamp,
) -> StoreResult<Loaded> {
    let Named { sessions, members, answerers, new_sessions, messages, replies: keys } = named;
    let mut sessions = sessions.clone();
    sessions.sort_by_key(|(_, session)| *session);
    let mut batch = StatementBatch::<E>::new();
    batch.add(select_session!(" FROM (VALUES"), E::LOCK_SESSIONS, None, &sessions, |row, named| {
        row.push(named.map(|(space, _)| space.0));
        row.push(named.map(|(_, session)| session.0));
    });
    batch.add(
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
    batch.add(
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
    // In every space, since ids are unique across spaces. Read without a lock, so that no space waits for another.
    batch.add(
        "SELECT v.column1 FROM (VALUES",
        ") AS v WHERE EXISTS (SELECT 1 FROM sessions s WHERE s.id = v.column1) \
         OR EXISTS (SELECT 1 FROM retired_sessions r WHERE r.session_id = v.column1)",
        None,
        new_sessions,
        |row, id| row.push(id.map(|id| id.0)),
    );
    batch.add(
        concat!("SELECT ", state_columns!(), " FROM (VALUES"),
        ") AS v CROSS JOIN messages m WHERE m.id = v.column2 AND m.session_id = v.column1",
        None,
        messages,
        |row, named| {
            row.push(named.map(|(session, _)| session.0));
            row.push(named.map(|(_, message)| message.0));
        },
    );
    replies::find_all(&mut batch, keys, since);
    let mut lists = batch.execute(tx, wait, false).await?.into_iter();
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
