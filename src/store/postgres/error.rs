//! What errors of PostgreSQL and its driver mean.

use crate::store::StoreError;
use sqlx::Error;

/// SQLSTATE classes and codes (PostgreSQL's manual, appendix A) after which a retry may succeed. 57014 and 25P03 are the
/// timeouts of a statement and of an idle transaction, 55000 is the error for a connection to a database that is closed
/// for maintenance.
const TRANSIENT: &[&str] = &["08", "53", "57P", "57014", "40", "55000", "25006", "25P03"];
/// A serialization failure, a deadlock and a lock timeout.
const BUSY: &[&str] = &["40001", "40P01", "55P03"];
/// After these, a connection can't be used any more.
const BROKEN: &[&str] = &["08", "57P", "25006"];

/// Whether `code` is one of these codes or belongs to one of these classes.
fn is_of(classes: &[&str], code: &str) -> bool {
    classes.iter().any(|class| code.starts_with(class))
}

fn has_code_of(classes: &[&str], error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| is_of(classes, &code))
}

/// Whether the server rejects writes because it is a standby.
pub(super) fn says_read_only(error: &Error) -> bool {
    matches!(error, Error::Database(db) if has_code_of(&["25006"], &**db))
}

/// Whether the connection can't be used after this error: it is broken, or its server shuts down or rejects writes.
pub(super) fn breaks_connection(error: &Error) -> bool {
    match error {
        Error::Database(db) => has_code_of(BROKEN, &**db),
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
        _ => false,
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Database(db) if db.is_unique_violation() => Self::Conflict,
            Error::Database(db) if has_code_of(BUSY, &**db) => Self::Busy,
            Error::Database(db) if has_code_of(TRANSIENT, &**db) => Self::Unavailable,
            Error::Io(_) | Error::Tls(_) | Error::PoolTimedOut | Error::PoolClosed | Error::WorkerCrashed => {
                Self::Unavailable
            }
            Error::Protocol(_) => Self::Unavailable,
            _ => Self::Failed,
        };
        kind(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{BUSY, TRANSIENT, is_of};

    #[test]
    fn transient_errors_are_recognised() {
        for code in ["57P01", "08006", "40001", "53300", "55000", "57014"] {
            assert!(is_of(TRANSIENT, code), "{code}");
        }
        for code in ["42601", "23505"] {
            assert!(!is_of(TRANSIENT, code), "{code}");
        }
        for code in ["40001", "40P01", "55P03"] {
            assert!(is_of(BUSY, code), "{code}");
        }
        assert!(!is_of(BUSY, "40003") && !is_of(BUSY, "57014"));
    }
}
