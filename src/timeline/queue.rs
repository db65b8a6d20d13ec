//! The group commit: what queues up while one transaction is in flight goes into the next.
//!
//! Each session belongs to one of the node's writers, so that what is asked of it stays in order. A store that can
//! carry out several transactions at a time has several writers.

use super::commit::Committer;
use super::idempotency::{Claim, InFlight};
use super::request::{Outcome, Request};
use super::writer::{TASK, Writer};
use crate::clock::Clock;
use crate::domain::{CommittedEvent, Refusal, SessionId, shard};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::supervisor::Supervisor;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tracing::Span;

/// Most commands that wait for one writer; beyond it a caller waits for a place.
const MAX_QUEUE: usize = 4096;
/// Most KiB of commands that wait or are being carried out, for all writers together.
const MAX_QUEUED_KIB: u32 = 64 * 1024;
/// How long a caller waits in all before the store counts as out of reach.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// A request under way.
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) caller: Caller,
}

/// Who waits for the outcome of a request.
pub(super) struct Caller {
    /// When it began to wait.
    pub(super) since: Instant,
    /// Held until the outcome is durable, even if the caller has gone away.
    claim: Option<Claim>,
    /// Its place among what may wait.
    room: OwnedSemaphorePermit,
    answer: oneshot::Sender<Result<Outcome, Refusal>>,
    /// The request's own, so that its id stands beside what went wrong.
    pub(super) span: Span,
}

impl Caller {
    pub(super) fn answer(self, outcome: Result<Outcome, Refusal>) {
        // Before the answer: a caller who has one may use the key again.
        drop((self.claim, self.room));
        // A caller that went away needs none.
        let _ = self.answer.send(outcome);
    }
}

/// Called with the events of a transaction right after it is durable, in commit order. Must not block.
pub type OnCommit = Arc<dyn Fn(&[CommittedEvent]) + Send + Sync>;

/// Called when a transaction failed in such a way that it may be durable all the same: what it wrote, if it did, has
/// not been announced. Must not block.
pub type OnDoubt = Arc<dyn Fn() + Send + Sync>;

/// The way in: hands requests to their session's writer and waits for their durable outcome.
#[derive(Clone)]
pub struct Timeline {
    /// One for each writer.
    queues: Arc<[mpsc::Sender<Job>]>,
    room: Arc<Semaphore>,
    /// The keys of requests that are being carried out; work outside of timelines takes its place here too.
    pub in_flight: InFlight,
}

impl Timeline {
    /// Starts as many writers as the store can do with. They end when the last `Timeline` is dropped, after what has
    /// queued up is done.
    pub fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        on_commit: OnCommit,
        on_doubt: OnDoubt,
        supervisor: &Supervisor,
    ) -> Self {
        let writers = store.writers().get();
        let supervisor = supervisor.clone();
        let committer = Arc::new(Committer { store, clock, metrics, on_commit, on_doubt, supervisor });
        let start = |_| {
            let (queue, jobs) = mpsc::channel(MAX_QUEUE);
            let writer = Writer::new(Arc::clone(&committer), jobs);
            committer.supervisor.spawn(TASK, writer, |writer| Box::pin(writer.run()));
            queue
        };
        Self {
            queues: (0..writers).map(start).collect(),
            room: Arc::new(Semaphore::new(MAX_QUEUED_KIB as usize)),
            in_flight: InFlight::default(),
        }
    }

    fn queue_of(&self, session: SessionId) -> &mpsc::Sender<Job> {
        &self.queues[shard(session.0, self.queues.len())]
    }

    /// Carries out `request`; the outcome is durable when this returns.
    ///
    /// A caller that gives up (its future is dropped) does not undo the request.
    pub async fn submit(&self, request: Request) -> Result<Outcome, Refusal> {
        let claim = request.idempotency.as_ref().map(|key| self.in_flight.claim(key)).transpose()?;
        let (answer, outcome) = oneshot::channel();
        let since = Instant::now();
        let wait = async {
            let queue = self.queue_of(request.session);
            let kib = u32::try_from(request.size() / 1024).unwrap_or(u32::MAX).saturating_add(1).min(MAX_QUEUED_KIB);
            let room = Arc::clone(&self.room).acquire_many_owned(kib).await.map_err(|_| Refusal::Unavailable)?;
            let caller = Caller { since, claim, room, answer, span: Span::current() };
            queue.send(Job { request, caller }).await.map_err(|_| Refusal::Unavailable)?;
            outcome.await.map_err(|_| Refusal::Unavailable)?
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or(Err(Refusal::Unavailable))
    }
}
