//! What errors of SQLite and its driver mean.

use super::pool::TimedOut;
use super::thread::Closed;
use crate::store::StoreError;
use rusqlite::Error;
use rusqlite::ffi::{self, ErrorCode};
use std::io;

/// Whether a retry may succeed after this error ("Result and Error Codes" of SQLite's documentation).
fn is_transient(code: ErrorCode) -> bool {
    use ErrorCode as C;
    matches!(code, C::DatabaseBusy | C::DatabaseLocked | C::ReadOnly | C::SystemIoFailure | C::DiskFull | C::CannotOpen)
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        const UNIQUE: [i32; 2] = [ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT_PRIMARYKEY];
        let kind = match &error {
            Error::SqliteFailure(failure, _) if UNIQUE.contains(&failure.extended_code) => Self::Conflict,
            Error::SqliteFailure(failure, _) if is_transient(failure.code) => Self::Unavailable,
            _ => Self::Failed,
        };
        kind(error.into())
    }
}

impl From<Closed> for StoreError {
    fn from(closed: Closed) -> Self {
        Self::Unavailable(closed.into())
    }
}

impl From<TimedOut> for StoreError {
    fn from(timed_out: TimedOut) -> Self {
        Self::Unavailable(timed_out.into())
    }
}

/// No thread could be started.
impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

#[cfg(test)]
mod tests {
    use crate::store::StoreError;
    use rusqlite::{Error, ffi};

    #[test]
    fn result_codes_are_recognised() {
        let from = |code| StoreError::from(Error::SqliteFailure(ffi::Error::new(code), None));
        // BUSY, BUSY_SNAPSHOT, LOCKED, READONLY, IOERR, IOERR_SHORT_READ, FULL, CANTOPEN.
        for code in [5, 517, 6, 8, 10, 522, 13, 14] {
            assert!(matches!(from(code), StoreError::Unavailable(_)), "{code}");
        }
        // CONSTRAINT_PRIMARYKEY, CONSTRAINT_UNIQUE.
        for code in [1555, 2067] {
            assert!(matches!(from(code), StoreError::Conflict(_)), "{code}");
        }
        // ERROR, CORRUPT, CONSTRAINT_FOREIGNKEY.
        for code in [1, 11, 787] {
            assert!(matches!(from(code), StoreError::Failed(_)), "{code}");
        }
    }
}
