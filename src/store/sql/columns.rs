//! The columns of queries, in the order in which `rows`, `messages` and `interactions` read them. The macros are in scope
//! of every file of this folder.

/// The column that `rows::key` reads: the current key entry of a principal, if there is one.
macro_rules! current_key {
    ($principal:literal) => {
        concat!("(SELECT k.body FROM key_entries k WHERE k.principal_id = ", $principal, " AND k.replaced_at IS NULL)")
    };
}

/// `SELECT` the columns that `rows::space` reads, then what follows.
macro_rules! select_space {
    ($rest:literal) => {
        concat!("SELECT s.id, s.name, s.created_at ", $rest)
    };
}

/// `SELECT` the columns that `rows::agent` reads, then what follows.
macro_rules! select_agent {
    ($rest:literal) => {
        concat!("SELECT a.id, a.space_id, a.name, a.description, ", current_key!("a.id"), ", a.created_at ", $rest)
    };
}

/// `SELECT` the columns that `rows::human` reads, then what follows.
macro_rules! select_human {
    ($rest:literal) => {
        concat!(
            "SELECT h.id, h.space_id, h.address, h.name, h.role, h.password_hash, ",
            current_key!("h.id"),
            ", h.created_at, h.tokens_valid_from, h.revived_at ",
            $rest
        )
    };
}

/// `SELECT` the columns that `rows::guest` reads, then what follows.
macro_rules! select_guest {
    ($rest:literal) => {
        concat!(
            "SELECT g.id, g.space_id, g.session_id, g.name, ",
            current_key!("g.id"),
            ", g.created_by, g.last_used_at, g.expires_at, g.created_at ",
            $rest
        )
    };
}

/// The columns that `rows::session` reads.
macro_rules! select_session {
    ($rest:expr) => {
        select_session!("s.encrypted_title", $rest)
    };
    ($title:literal, $rest:expr) => {
        concat!(
            "SELECT s.id, s.space_id, s.created_by_agent_id, s.created_by_human_id, s.title, ",
            $title,
            ", s.status, s.priority, s.metadata, s.first_seq, s.last_seq, s.message_count, s.pending_count, \
             s.created_at, s.updated_at, s.closed_at, s.archived_at",
            $rest
        )
    };
}

/// The columns that `rows::listed` reads: an encrypted title of more than 4 KiB is left out, so that a page of a
/// hundred sessions is below a megabyte.
macro_rules! select_listed {
    ($rest:expr) => {
        select_session!(
            "CASE WHEN OCTET_LENGTH(s.encrypted_title) <= 4096 THEN s.encrypted_title END",
            concat!(
                ", CASE WHEN OCTET_LENGTH(s.encrypted_title) > 4096 \
                 THEN CAST(OCTET_LENGTH(s.encrypted_title) AS BIGINT) ELSE 0 END",
                $rest
            )
        )
    };
}

/// The columns that `rows::participant` reads.
macro_rules! select_participant {
    ($rest:literal) => {
        concat!(
            "SELECT p.id, p.session_id, p.principal_id, p.kind, p.role, p.last_read_seq, p.added_at, p.invited_by, \
             COALESCE(a.name, h.name, g.name), ",
            current_key!("p.principal_id"),
            " FROM participants p \
             LEFT JOIN agents a ON a.id = p.principal_id AND p.kind = 'Agent' \
             LEFT JOIN humans h ON h.id = p.principal_id AND p.kind = 'Human' \
             LEFT JOIN guests g ON g.id = p.principal_id AND p.kind = 'Guest' ",
            $rest
        )
    };
}

/// The columns that `rows::message_state` reads.
macro_rules! state_columns {
    () => {
        "m.id, m.session_id, m.seq, m.sender_id, m.response_required, m.status, m.priority, m.deadline_at, \
         m.answerers, m.in_reply_to, m.settled_seq, m.settled_at, m.settled_by, m.response_message_id, m.outcome, \
         m.acknowledged_at, m.created_at, m.updated_at"
    };
}

/// The columns that `messages::message` reads: a message's state, the event that created it, and the one that answered it.
macro_rules! message_columns {
    () => {
        concat!(state_columns!(), ", c.body, x.body")
    };
}

/// Joins those events to messages `m`.
macro_rules! from_events {
    () => {
        "JOIN events c ON c.session_id = m.session_id AND c.seq = m.seq \
         LEFT JOIN events x ON x.session_id = m.session_id AND x.seq = m.settled_seq AND m.status = 'Completed' "
    };
}

/// `SELECT` the columns that `interactions::found` reads.
macro_rules! interaction_columns {
    () => {
        concat!(
            "SELECT ",
            message_columns!(),
            ", i.kind, s.title, s.updated_at, s.last_seq, m.settled_seq, m.acknowledged_seq"
        )
    };
}
