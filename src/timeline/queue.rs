//! The queues of the group commit: requests that arrive while one transaction is made durable go into the next one.
//!
//! Each session belongs to one of the node's writers, so that its requests stay in order. A store that can run several
//! transactions at a time has several writers.

use super::commit::Committer;
use super::idempotency::InFlight;
use super::job::{Caller, Job, MAX_WAIT, OnCommit, OnInDoubt};
use super::request::{Outcome, Request};
use super::writer::{TASK, Writer};
use crate::clock::Clock;
use crate::domain::{Refusal, SessionId, partition};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::supervisor::Supervisor;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::Span;

/// Most requests in the queue of one writer. Beyond it a caller waits for room.
const MAX_QUEUE: usize = 4096;
/// Most KiB of requests that are queued or in progress, for all writers together.
const MAX_QUEUED_KIB: u32 = 64 * 1024;
/// The entry to the group commit: queues a request at the writer of its session and waits for the durable outcome.
#[derive(Clone)]
pub struct Timeline {
    /// The queue of each writer.
    queues: Arc<[mpsc::Sender<Job>]>,
    memory: Arc<Semaphore>,
    /// The idempotency keys of requests in progress, including those that change no timeline.
    pub in_flight: InFlight,
}

impl Timeline {
    /// Starts as many writers as the store can use. They end when the last `Timeline` is dropped and the queues are
    /// empty.
    pub fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        on_commit: OnCommit,
        on_in_doubt: OnInDoubt,
        supervisor: &Supervisor,
    ) -> Self {
        let writers = store.writers().get();
        let supervisor = supervisor.clone();
        let committer = Arc::new(Committer { store, clock, metrics, on_commit, on_in_doubt, supervisor });
        let start = |_| {
            let (queue, jobs) = mpsc::channel(MAX_QUEUE);
            let writer = Writer::new(Arc::clone(&committer), jobs);
            committer.supervisor.spawn(TASK, writer, |writer| Box::pin(writer.run()));
            queue
        };
        Self {
            queues: (0..writers).map(start).collect(),
            memory: Arc::new(Semaphore::new(MAX_QUEUED_KIB as usize)),
            in_flight: InFlight::default(),
        }
    }

    fn queue_of(&self, session: SessionId) -> &mpsc::Sender<Job> {
        &self.queues[partition(session.0, self.queues.len())]
    }

    /// Executes `request`. The outcome is durable when this returns.
    ///
    /// Dropping the future does not cancel the request.
    pub async fn submit(&self, request: Request) -> Result<Outcome, Refusal> {
        let claim = request.idempotency.as_ref().map(|key| self.in_flight.claim(key)).transpose()?;
        let (reply, outcome) = oneshot::channel();
        let since = Instant::now();
        let wait = async {
            let queue = self.queue_of(request.session);
            let kib = u32::try_from(request.size() / 1024).unwrap_or(u32::MAX).saturating_add(1).min(MAX_QUEUED_KIB);
            let memory = Arc::clone(&self.memory).acquire_many_owned(kib).await.map_err(|_| Refusal::Unavailable)?;
            let caller = Caller { since, claim, memory, reply, span: Span::current() };
            queue.send(Job { request, caller }).await.map_err(|_| Refusal::Unavailable)?;
            outcome.await.map_err(|_| Refusal::Unavailable)?
        };
        tokio::time::timeout(MAX_WAIT, wait).await.unwrap_or(Err(Refusal::Unavailable))
    }
}
