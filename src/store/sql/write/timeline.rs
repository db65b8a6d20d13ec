//! Writes sessions, their events, and the state of their messages.

use crate::domain::message::{MessageState, Settlement};
use crate::domain::{CommittedEvent, MessageId, MessageStatus, Session, SessionId};
use crate::store::batch::{Row, SKIP_PADDING, StatementBatch};
use crate::store::engine::Engine;
use crate::store::{Acknowledged, StoreError, StoreResult, subject_of};
use std::collections::HashMap;

/// The bytes that these events add to each session.
pub(super) fn added_bytes(events: &[CommittedEvent]) -> HashMap<SessionId, i64> {
    let mut added = HashMap::with_capacity(events.len());
    for event in events {
        *added.entry(event.session).or_insert(0) += i64::try_from(event.text.len()).unwrap_or(i64::MAX);
    }
    added
}

pub(super) fn insert_sessions<E: Engine>(
    batch: &mut StatementBatch<E>,
    sessions: &[Session],
    added: &HashMap<SessionId, i64>,
) {
    batch.add(
        "INSERT INTO sessions (id, space_id, created_by_agent_id, created_by_human_id, title, encrypted_title, \
         status, priority, metadata, first_seq, last_seq, message_count, pending_count, created_at, updated_at, \
         closed_at, archived_at, bytes) SELECT * FROM (VALUES",
        SKIP_PADDING,
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

pub(super) fn update_sessions<E: Engine>(
    batch: &mut StatementBatch<E>,
    sessions: &[Session],
    added: &HashMap<SessionId, i64>,
) {
    batch.add(
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

pub(super) fn insert_events<E: Engine>(batch: &mut StatementBatch<E>, events: &[CommittedEvent]) {
    batch.add(
        "INSERT INTO events (session_id, seq, kind, type, at, pending, subject, size, body) SELECT * FROM (VALUES",
        SKIP_PADDING,
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

pub(super) fn insert_messages<E: Engine>(batch: &mut StatementBatch<E>, messages: &[(MessageState, i64)]) {
    batch.add(
        "INSERT INTO messages (id, session_id, seq, ordinal, sender_id, response_required, status, priority, \
         deadline_at, answerers, in_reply_to, created_at, updated_at) SELECT * FROM (VALUES",
        SKIP_PADDING,
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
pub(super) fn settle<E: Engine>(
    batch: &mut StatementBatch<E>,
    settled: &[(MessageId, MessageStatus, Settlement)],
) -> StoreResult<()> {
    let by = |(_, _, settlement): &(_, _, Settlement)| {
        serde_json::to_string(&settlement.by).map_err(|error| StoreError::damaged(error.to_string()))
    };
    let by = settled.iter().map(by).collect::<StoreResult<Vec<_>>>()?;
    let settled: Vec<_> = settled.iter().zip(by).collect();
    batch.add(
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

/// Records acknowledgements, once for each message. Interactions have their own column for it, for the previous release.
pub(super) fn acknowledge<E: Engine>(batch: &mut StatementBatch<E>, acknowledged: &[Acknowledged]) {
    let columns = |row: &mut Row<'_, E>, taken: Option<&Acknowledged>| {
        row.push(taken.map(|taken| taken.message.0));
        row.push(taken.map(|taken| taken.session.0));
        row.push(taken.map(|taken| taken.seq));
        row.push(taken.map(|taken| taken.at.0));
    };
    batch.add(
        "UPDATE messages SET acknowledged_seq = v.column3, acknowledged_at = v.column4 FROM (VALUES",
        ") AS v WHERE messages.id = v.column1 AND messages.session_id = v.column2 \
         AND messages.acknowledged_at IS NULL",
        Some(|| StoreError::damaged("a message that was acknowledged twice")),
        acknowledged,
        columns,
    );
    batch.add(
        "UPDATE interactions SET acknowledged_seq = v.column3, acknowledged_at = v.column4 FROM (VALUES",
        ") AS v WHERE interactions.message_id = v.column1 AND interactions.session_id = v.column2 \
         AND interactions.acknowledged_at IS NULL",
        None,
        acknowledged,
        columns,
    );
}
