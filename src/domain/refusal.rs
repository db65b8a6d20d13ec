//! Why a request is refused, with the text of the error. `protocol::error` has the code and status of each.

use super::{MessageId, Responder, Timestamp};
use thiserror::Error;

/// A refusal. Its `Display` is the message of the error that the caller gets.
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
    /// A quota of a space or a session is used up.
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
    /// A caller does something too often, or too many at a time.
    #[error("{}; please wait {} s", .0.what, .0.retry_after)]
    TooOften(TooOften),
    /// A credential has as many connections as it may.
    #[error("{limit} sockets, event streams and long-polls are open with this credential, and no more may be")]
    TooManyConnections { limit: u32 },
    /// The process can't open another socket.
    #[error("This node has as many sockets as it can take; please retry elsewhere or later")]
    NoRoom,
    #[error("The store is out of reach, please retry")]
    Unavailable,
    #[error("Something went wrong on our side")]
    Internal,
}

/// A used-up quota of failed sign-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// Failed sign-ins per minute.
    pub per_minute: u32,
    /// Seconds until there is one again, at least 1.
    pub retry_after: u64,
}

/// Another used-up quota of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOften {
    /// The beginning of the message.
    pub what: &'static str,
    /// The name of the quota in `RateLimit-Policy`.
    pub quota: &'static str,
    pub amount: u32,
    /// The window of the quota; 0 for a quota of concurrent work.
    pub seconds: u32,
    /// Seconds until there is something left again, at least 1.
    pub retry_after: u64,
}

/// The first answer: the `details` of `ALREADY_RESPONDED`.
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
