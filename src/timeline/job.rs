//! A queued request with its caller, and what is called once its transaction has ended.

use super::idempotency::Claim;
use super::request::{Outcome, Request};
use crate::domain::{CommittedEvent, Refusal};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Span;

/// How long a caller waits in all before the database counts as unavailable.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(15);

/// A queued request.
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) caller: Caller,
}

/// The caller of a request, who waits for its outcome.
pub(super) struct Caller {
    /// When the caller began to wait.
    pub(super) since: Instant,
    /// Held until the outcome is durable, even if the caller has gone.
    pub(super) claim: Option<Claim>,
    /// The memory of the request, out of what all queued requests may use.
    pub(super) memory: OwnedSemaphorePermit,
    pub(super) reply: oneshot::Sender<Result<Outcome, Refusal>>,
    /// The span of the HTTP request, so that its id is in the log beside an error.
    pub(super) span: Span,
}

impl Caller {
    pub(super) fn reply(self, outcome: Result<Outcome, Refusal>) {
        // Released before the reply: a caller who has it may use the key again.
        drop((self.claim, self.memory));
        // The caller may have gone.
        let _ = self.reply.send(outcome);
    }
}

/// Called with the events of a transaction right after it is durable, in commit order. Must not block.
pub type OnCommit = Arc<dyn Fn(&[CommittedEvent]) + Send + Sync>;

/// Called when the outcome of a transaction is unknown: it may be durable, and its events were not announced. Must not
/// block.
pub type OnInDoubt = Arc<dyn Fn() + Send + Sync>;
