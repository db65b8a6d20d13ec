//! Messages, put together from their state and the events that hold their content.

use super::scoped::Scoped;
use super::{rows, sql};
use crate::domain::message::{MessageState, Response};
use crate::domain::{Message, MessageStatus, SessionId};
use crate::store::engine::Engine;
use crate::store::statement::{Fields, Statement};
use crate::store::{StoreError, StoreResult};
use serde::Deserialize;

/// The settled questions of agent `$3` that are not acknowledged. Starts at an index of these, so that other messages of the
/// agent's sessions cost nothing.
macro_rules! unacknowledged {
    ($select:literal, $scope:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $select,
            " FROM messages m CROSS JOIN sessions s WHERE m.sender_id = $3 AND m.response_required \
             AND m.settled_at IS NOT NULL AND m.acknowledged_at IS NULL AND s.id = m.session_id ",
            $scope,
            $rest
        )
    };
    ($select:literal, $rest:literal) => {
        Scoped {
            space: unacknowledged!($select, "AND s.space_id = $1 ", $rest),
            member: unacknowledged!(
                $select,
                "AND s.space_id = $1 AND EXISTS (SELECT 1 FROM participants sp \
                 WHERE sp.session_id = s.id AND sp.principal_id = $2) ",
                $rest
            ),
        }
    };
}

pub(super) const UNACKNOWLEDGED_TOTAL: Scoped = unacknowledged!("COUNT(*)", "");
/// In the order in which they settled; `$4` and `$5` are limit and offset.
pub const UNACKNOWLEDGED: Scoped =
    unacknowledged!("m.session_id, m.id", "ORDER BY m.settled_at, m.id LIMIT $4 OFFSET $5");

pub(super) const MESSAGE_SIZES: &str = concat!(
    "SELECT c.size + COALESCE(x.size, 0) FROM messages m ",
    from_events!(),
    "WHERE m.session_id = $1 AND m.ordinal > $2 AND m.ordinal <= $3 ORDER BY m.ordinal"
);
pub(super) const MESSAGES: &str = concat!(
    "SELECT ",
    message_columns!(),
    " FROM messages m ",
    from_events!(),
    "WHERE m.session_id = $1 AND m.ordinal > $2 AND m.ordinal <= $3 ORDER BY m.ordinal"
);

/// For the messages with ordinals in (`from`, `to`] of a session. The caller has checked the scope.
pub(super) fn message_range<E: Engine>(text: &'static str, session: SessionId, from: i64, to: i64) -> Statement<E> {
    sql::<E>(text).bind(session.0).bind(from).bind(to)
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

/// Reads the columns of `message_columns!`.
pub(super) fn message<E: Engine>(row: &mut Fields<'_, E>) -> StoreResult<Message> {
    let state: MessageState = rows::message_state(row)?;
    let created: String = row.read()?;
    let answered: Option<String> = row.read()?;
    let damaged = |error: serde_json::Error| StoreError::damaged(format!("an event: {error}"));
    let mut message = serde_json::from_str::<Created>(&created).map_err(damaged)?.data.message;
    message.status = state.status;
    message.deadline_at = state.deadline_at;
    message.acknowledged_at = state.acknowledged_at;
    message.updated_at = state.updated_at;
    if state.status == MessageStatus::Completed && state.response_required {
        let answered = answered.ok_or_else(|| StoreError::damaged("an answered message without its answer"))?;
        let response = serde_json::from_str::<Answered>(&answered).map_err(damaged)?.data.response;
        message.outcome = Some(response.outcome);
        message.response = Some(response);
    }
    Ok(message)
}
