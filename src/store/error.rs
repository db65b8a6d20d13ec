//! Errors of the store.

use thiserror::Error;

pub type StoreResult<T> = Result<T, StoreError>;

#[derive(Debug, Error)]
pub enum StoreError {
    /// The database can't be reached or can't execute the statement now. The same call may succeed later.
    #[error("database unavailable: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// The database ended this transaction because of another one: lock timeout, deadlock or serialization failure. The same
    /// call may succeed at once.
    #[error("conflict with another transaction: {0}")]
    Busy(#[source] sqlx::Error),
    /// A unique constraint was violated, usually by a concurrent request.
    #[error("unique constraint violated: {0}")]
    Conflict(#[source] sqlx::Error),
    /// Another request with the same Idempotency-Key was faster. Its reply can be read.
    #[error("a reply is already saved under this Idempotency-Key")]
    Raced,
    #[error("database error: {0}")]
    Failed(#[source] sqlx::Error),
    /// A stored value is invalid.
    #[error("corrupt data: {0}")]
    Damaged(String),
}

impl StoreError {
    pub fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }
}

/// The SQLSTATE of PostgreSQL for a serialization failure, a deadlock and a lock timeout.
fn is_busy(code: &str) -> bool {
    ["40001", "40P01", "55P03"].contains(&code)
}

/// Whether the server rejects writes because it is a standby.
pub(super) fn says_read_only(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(db) if db.code().as_deref() == Some("25006"))
}

/// Whether the connection can't be used after this error: it is broken, or its server shuts down or rejects writes.
pub(super) fn breaks_connection(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    match error {
        E::Database(db) => {
            db.code().is_some_and(|code| code.len() == 5 && ["08", "57P", "25006"].iter().any(|c| code.starts_with(c)))
        }
        E::Io(_) | E::Tls(_) | E::Protocol(_) | E::WorkerCrashed => true,
        _ => false,
    }
}

/// SQLSTATE classes and codes of PostgreSQL (its manual, appendix A) and primary result codes of SQLite
/// ("Result and Error Codes") after which a retry may succeed.
fn is_transient(code: &str) -> bool {
    // 57014 and 25P03 are the timeouts of a statement and of an idle transaction.
    // 55000 is the error for a connection to a database that is closed for maintenance.
    const POSTGRES: &[&str] = &["08", "53", "57P", "57014", "40", "55000", "25006", "25P03"];
    // BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN: the low byte of an extended code.
    const SQLITE: &[i32] = &[5, 6, 8, 10, 13, 14];
    // An SQLSTATE has five characters, a code of SQLite at most four.
    if code.len() == 5 {
        return POSTGRES.iter().any(|class| code.starts_with(class));
    }
    code.parse::<i32>().is_ok_and(|number| SQLITE.contains(&(number & 0xff)))
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Database(db) if db.is_unique_violation() => Self::Conflict(error),
            E::Database(db) if db.code().is_some_and(|code| is_busy(&code)) => Self::Busy(error),
            E::Database(db) if db.code().is_some_and(|code| is_transient(&code)) => Self::Unavailable(error),
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => Self::Unavailable(error),
            E::Protocol(_) => Self::Unavailable(error),
            _ => Self::Failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_busy, is_transient};

    #[test]
    fn transient_errors_are_recognised() {
        for code in ["57P01", "08006", "40001", "53300", "55000", "57014", "5", "517", "13", "2570"] {
            assert!(is_transient(code), "{code}");
        }
        for code in ["42601", "23505", "1", "2067", "11"] {
            assert!(!is_transient(code), "{code}");
        }
        for code in ["40001", "40P01", "55P03"] {
            assert!(is_busy(code), "{code}");
        }
        assert!(!is_busy("40003") && !is_busy("57014"));
    }
}
