//! All look-ups of sessions that are restricted to a scope, each with one text for each kind of scope.
//!
//! Each text starts at an index of its scope, so that sessions of others cost nothing: the sessions of a space, or the
//! participations of a principal. `CROSS JOIN` makes SQLite keep this order.

use super::scoped::{Scoped, of_space};

/// Defines look-ups by their selection, their join to the sessions `s`, and the rest of their condition, which ends before
/// the list of sessions if these are `named`.
macro_rules! look_ups {
    ($($(#[$meta:meta])* $name:ident $(($named:ident))?: $select:expr, $join:expr, $rest:expr;)+) => {
        $(
            $(#[$meta])*
            pub(super) const $name: Scoped = Scoped {
                space: concat!($select, " FROM sessions s ", $join, " WHERE ", of_space!($($named)?), $rest),
                member: concat!(
                    $select,
                    " FROM participants sp CROSS JOIN sessions s ",
                    $join,
                    " WHERE sp.principal_id = $2 AND s.id = sp.session_id AND s.space_id = $1 ",
                    $rest
                ),
            };
        )+

        /// All of them, by name, for the test of their query plans.
        pub const LOOK_UPS: &[(&str, Scoped)] = &[$((stringify!($name), $name)),+];
    };
}

/// The condition of lists of sessions; `$3` is a status or null.
macro_rules! of_status {
    () => {
        "AND (s.status = $3 OR ($3 IS NULL AND s.status <> 'Archived')) "
    };
}

/// The condition of lists of interactions; `$3` is a status or null.
macro_rules! listed_interactions {
    () => {
        "AND i.session_id = s.id AND m.id = i.message_id AND s.status <> 'Archived' \
         AND (m.status = $3 OR $3 IS NULL) "
    };
}

/// The question of each interaction with its events.
macro_rules! asked {
    () => {
        concat!("CROSS JOIN interactions i CROSS JOIN messages m ", from_events!())
    };
}

/// The columns of feeds, of a session `s` and the participation `p`. (`+ 0` keeps PostgreSQL from searching the index of all
/// deadlines for the smallest one.)
macro_rules! feed_columns {
    () => {
        select_listed!(
            ", CASE WHEN s.message_count > p.read_count THEN s.message_count - p.read_count ELSE 0 END, \
             CASE WHEN s.pending_count > 0 THEN (SELECT MAX(m.priority) FROM messages m \
             WHERE m.session_id = s.id AND m.status = 'Pending') END AS urgency, \
             CASE WHEN s.pending_count > 0 THEN (SELECT MIN(m.deadline_at + 0) FROM messages m \
             WHERE m.session_id = s.id AND m.status = 'Pending') END AS due"
        )
    };
}

/// The `seq` of the first message after `$4` in session `$3` by a human or a guest. Messages of agents are skipped by an
/// index alone, one step each; an agent that no longer participates is looked up.
macro_rules! first_of_people {
    () => {
        "SELECT f.seq FROM messages f WHERE f.session_id = $3 AND f.seq > $4 AND f.sender_id NOT IN \
         (SELECT p.principal_id FROM participants p WHERE p.session_id = $3 AND p.kind = 'Agent') \
         AND NOT EXISTS (SELECT 1 FROM agents a WHERE a.id = f.sender_id) ORDER BY f.seq LIMIT 1"
    };
}

look_ups! {
    /// `$3` is a session.
    SESSION: select_session!(""), "", "AND s.id = $3";
    /// `$3` is a status or null.
    SESSIONS_TOTAL: "SELECT COUNT(*)", "", of_status!();
    /// `$3` is a status or null, `$4` and `$5` limit and offset.
    SESSIONS:
        select_listed!(""),
        "",
        concat!(of_status!(), "ORDER BY s.updated_at DESC, s.id DESC LIMIT $4 OFFSET $5");
    /// Ends before the sessions.
    SESSIONS_OF (named): select_listed!(""), "", "AND s.id IN (VALUES";
    /// Of the participant's own feed. Ends before the sessions.
    FEED_OF (named):
        feed_columns!(),
        "CROSS JOIN participants p",
        "AND p.session_id = s.id AND p.principal_id = $2 AND s.id IN (VALUES";
    /// Ends before the sessions.
    ENCRYPTED_TITLES (named): "SELECT s.id, s.encrypted_title", "", "AND s.id IN (VALUES";
    FEED_TOTAL: "SELECT COUNT(*)", "", "AND s.status <> 'Archived'";
    /// `$3` is the participant, `$4` and `$5` limit and offset.
    FEED:
        feed_columns!(),
        "CROSS JOIN participants p",
        "AND p.session_id = s.id AND p.principal_id = $3 AND s.status <> 'Archived' \
         ORDER BY CASE WHEN s.pending_count > 0 THEN 0 ELSE 1 END, urgency DESC NULLS LAST, \
         due ASC NULLS LAST, s.updated_at DESC, s.id DESC LIMIT $4 OFFSET $5";
    /// With its size and that of its answer; `$3` is a session, `$4` the message's ordinal.
    MESSAGE_AT:
        concat!("SELECT ", message_columns!(), ", c.size + COALESCE(x.size, 0)"),
        concat!("CROSS JOIN messages m ", from_events!()),
        "AND s.id = $3 AND m.session_id = s.id AND m.ordinal = $4";
    /// `$3` is a session.
    HEAD: "SELECT s.space_id, s.last_seq, s.first_seq, s.updated_at", "", "AND s.id = $3";
    /// The last event older than a time, or the `seq` before the first stored one; `$3` is a session, `$4` the `seq` before
    /// which to look, `$5` the time.
    LAST_OLDER:
        "SELECT COALESCE((SELECT e.seq FROM events e WHERE e.session_id = s.id AND e.seq < $4 AND e.at < $5 \
         ORDER BY e.seq DESC LIMIT 1), s.first_seq - 1)",
        "",
        "AND s.id = $3";
    /// With a 1 if more than 20 people participate; `$3` is a session, `$4` a principal.
    HEAD_WITH_PARTICIPANT:
        "SELECT s.space_id, s.last_seq, s.first_seq, s.updated_at, (SELECT p.id FROM participants p \
         WHERE p.session_id = s.id AND p.principal_id = $4), (SELECT CAST(1 AS BIGINT) FROM participants c \
         WHERE c.session_id = s.id AND c.kind <> 'Agent' LIMIT 1 OFFSET 20)",
        "",
        "AND s.id = $3";
    /// The read mark of a participant, the last `seq`, and the number of messages up to an event; `$3` is a session, `$4` the
    /// participant, `$5` the event's `seq`.
    READ_MARK:
        "SELECT p.id, p.last_read_seq, s.last_seq, COALESCE((SELECT m.ordinal FROM messages m \
         WHERE m.session_id = s.id AND m.seq <= $5 ORDER BY m.seq DESC LIMIT 1), 0)",
        "CROSS JOIN participants p",
        "AND s.id = $3 AND p.session_id = s.id AND p.principal_id = $4";
    /// `$3` is a session.
    MESSAGE_COUNT: "SELECT s.message_count", "", "AND s.id = $3";
    /// `$3` is a session, `$4` a message.
    MESSAGE:
        concat!("SELECT ", message_columns!()),
        concat!("CROSS JOIN messages m ", from_events!()),
        "AND s.id = $3 AND m.id = $4 AND m.session_id = s.id";
    /// With its size and that of its answer; `$3` is a session, `$4` a message.
    SIZED_MESSAGE:
        concat!("SELECT ", message_columns!(), ", c.size + COALESCE(x.size, 0)"),
        concat!("CROSS JOIN messages m ", from_events!()),
        "AND s.id = $3 AND m.id = $4 AND m.session_id = s.id";
    /// `$3` is a session, `$4` the sender.
    LAST_MESSAGE_BY:
        "SELECT COALESCE((SELECT m.seq FROM messages m WHERE m.session_id = s.id AND m.sender_id = $4 \
         ORDER BY m.seq DESC LIMIT 1), 0)",
        "",
        "AND s.id = $3";
    /// `$3` is a session, `$4` the `seq` after which a human or guest wrote.
    FIRST_MESSAGE_AFTER:
        concat!(
            "SELECT s.space_id, s.last_seq, s.first_seq, s.updated_at, (SELECT m.id FROM messages m \
             WHERE m.session_id = $3 AND m.seq = (",
            first_of_people!(),
            "))"
        ),
        "",
        "AND s.id = $3";
    /// `$3` is a session, `$4` a message: without its content, which may be large.
    HEAD_WITH_STATUS:
        "SELECT s.space_id, s.last_seq, s.first_seq, s.updated_at, m.status",
        "CROSS JOIN messages m",
        "AND s.id = $3 AND m.id = $4 AND m.session_id = s.id";
    /// `$3` is a session.
    INTERACTION_MESSAGE:
        "SELECT i.message_id",
        "CROSS JOIN interactions i",
        "AND s.id = $3 AND i.session_id = s.id";
    /// `$3` is a session.
    INTERACTION:
        interaction_columns!(),
        asked!(),
        "AND s.id = $3 AND i.session_id = s.id AND m.id = i.message_id AND m.session_id = s.id";
    /// `$3` is a status or null.
    INTERACTIONS_TOTAL:
        "SELECT COUNT(*)",
        "CROSS JOIN interactions i CROSS JOIN messages m",
        listed_interactions!();
    /// `$3` is a status or null, `$4` and `$5` limit and offset.
    INTERACTIONS:
        "SELECT s.id",
        "CROSS JOIN interactions i CROSS JOIN messages m",
        concat!(listed_interactions!(), "ORDER BY s.updated_at DESC, s.id DESC LIMIT $4 OFFSET $5");
    /// The size of each of these interactions, with its answer and its blocks. Ends before the sessions.
    INTERACTION_SIZES (named):
        "SELECT s.id, c.size + COALESCE(x.size, 0) + (SELECT CAST(COALESCE(SUM(b.size), 0) AS BIGINT) \
         FROM events b WHERE b.session_id = s.id AND b.kind = 'blocks.pushed')",
        asked!(),
        "AND i.session_id = s.id AND m.id = i.message_id AND m.session_id = s.id AND s.id IN (VALUES";
    /// Ends before the sessions.
    INTERACTIONS_OF (named):
        interaction_columns!(),
        asked!(),
        "AND i.session_id = s.id AND m.id = i.message_id AND m.session_id = s.id AND s.id IN (VALUES";
}
