//! Errors of the store.

use thiserror::Error;

pub type StoreResult<T> = Result<T, StoreError>;

/// The error of the database or of its driver.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Error)]
pub enum StoreError {
    /// The database can't be reached or can't execute the statement now. The same call may succeed later.
    #[error("database unavailable: {0}")]
    Unavailable(#[source] Cause),
    /// The database ended this transaction because of another one: lock timeout, deadlock or serialization failure. The same
    /// call may succeed at once.
    #[error("conflict with another transaction: {0}")]
    Busy(#[source] Cause),
    /// A unique constraint was violated, usually by a concurrent request.
    #[error("unique constraint violated: {0}")]
    Conflict(#[source] Cause),
    /// Another request with the same Idempotency-Key was faster. Its reply can be read.
    #[error("a reply is already saved under this Idempotency-Key")]
    Raced,
    #[error("database error: {0}")]
    Failed(#[source] Cause),
    /// A stored value is invalid.
    #[error("corrupt data: {0}")]
    Damaged(String),
}

impl StoreError {
    pub fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }
}
