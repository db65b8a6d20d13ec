//! Why a request is refused: the contract's error codes as a type.

use super::{MessageId, Responder, Timestamp};
use thiserror::Error;

/// A refusal that the caller is told about. The HTTP status of each is fixed in the contract, section 1.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum Refusal {
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Unauthorized(String),
    /// A credential that was good, until it ended: to callers the same as `Unauthorized`, but no sign of guessing.
    #[error("{0}")]
    Expired(String),
    #[error("{0}")]
    Forbidden(String),
    #[error("{0} not found")]
    NotFound(&'static str),
    #[error("{0}")]
    Conflict(String),
    #[error("The session is closed")]
    SessionClosed,
    #[error("The message has already been answered")]
    AlreadyResponded(Box<Responded>),
    #[error("The message is already settled")]
    AlreadySettled,
    #[error("The answer has already been acknowledged")]
    AlreadyAcknowledged,
    #[error("The principal has another public key; sign the entry with that key, or send \"replace\": true")]
    KeyExists,
    /// A quota of what a space or a session may hold is used up.
    #[error("{what}: the limit of {limit} is reached")]
    LimitReached { what: &'static str, limit: u64 },
    #[error("A request with this Idempotency-Key is still being carried out")]
    IdempotencyInFlight,
    #[error("This Idempotency-Key was used with a different request")]
    IdempotencyMismatch,
    #[error("{0}")]
    TooLarge(String),
    #[error("Too many failed sign-ins from this address; please wait {} s", .0.retry_after)]
    RateLimited(Exhausted),
    /// A caller does something too often, or too much of it at a time.
    #[error("{}; please wait {} s", .0.what, .0.retry_after)]
    TooOften(TooOften),
    /// A credential has as many connections as it may.
    #[error("{limit} sockets, event streams and long-polls are open with this credential, and no more may be")]
    TooManyConnections { limit: u32 },
    /// The process has no room for another socket.
    #[error("This node has as many sockets as it can take; please retry elsewhere or later")]
    NoRoom,
    #[error("The store is out of reach, please retry")]
    Unavailable,
    #[error("Something went wrong on our side")]
    Internal,
}

/// A quota of failed sign-ins that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// So many in a minute.
    pub per_minute: u32,
    /// Seconds until there is one again, at least 1.
    pub retry_after: u64,
}

/// Another quota of a caller that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOften {
    /// What there is too much of, for people.
    pub what: &'static str,
    /// What the quota is called.
    pub quota: &'static str,
    pub amount: u32,
    /// In which the quota holds; 0 for one of what is under way at the same time.
    pub seconds: u32,
    /// Seconds until there is something left again, at least 1.
    pub retry_after: u64,
}

/// Who answered first: the `details` of `ALREADY_RESPONDED`.
#[derive(Clone, Debug, PartialEq)]
pub struct Responded {
    pub response_message_id: Option<MessageId>,
    pub responded_by: Responder,
    pub responded_at: Timestamp,
}

impl Refusal {
    /// A bad field; the text names it, as the contract asks.
    pub fn invalid(field: &str, problem: &str) -> Self {
        Self::Invalid(format!("Field '{field}' {problem}"))
    }

    pub fn required(field: &str) -> Self {
        Self::invalid(field, "is required")
    }
}
