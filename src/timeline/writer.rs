//! The group commit: what queues up while one transaction is in flight goes into the next.
//!
//! Each session belongs to one of the node's writers, so that what is asked of it stays in order. A store that can
//! carry out several transactions at a time has several writers: a session whose row another node holds then keeps
//! up its own shard alone.

use super::batch::{self, Outcome, Request};
use super::idempotency::{Claim, InFlight};
use crate::clock::Clock;
use crate::domain::{CommittedEvent, Refusal, SessionId, shard};
use crate::metrics::{During, Metrics};
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tracing::Span;

/// Most commands in one transaction.
const MAX_BATCH: usize = 256;
/// Most commands that wait for one writer; beyond it a caller waits for a place.
const MAX_QUEUE: usize = 4096;
/// How long a caller waits in all before the store counts as out of reach.
const PATIENCE: Duration = Duration::from_secs(15);

type Answer = oneshot::Sender<Result<Outcome, Refusal>>;

struct Job {
    request: Request,
    /// Held until the outcome is durable, even if the caller has gone away.
    claim: Option<Claim>,
    answer: Answer,
    /// The request's own, so that its id stands beside what went wrong.
    span: Span,
}

/// Called with the events of a transaction right after it is durable, in commit order. Must not block.
pub type OnCommit = Arc<dyn Fn(&[CommittedEvent]) + Send + Sync>;

/// The way in: hands requests to their session's writer and waits for their durable outcome.
#[derive(Clone)]
pub struct Timeline {
    /// One for each writer.
    queues: Arc<[mpsc::Sender<Job>]>,
    /// The keys of requests that are being carried out; work outside of timelines takes its place here too.
    pub in_flight: InFlight,
}

impl Timeline {
    /// Starts as many writers as the store can do with. They end when the last `Timeline` is dropped, after what has
    /// queued up is done.
    pub fn start(store: Arc<dyn Store>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>, on_commit: OnCommit) -> Self {
        let writer = Writer { store, clock, metrics, on_commit };
        let start = |_| {
            let (queue, jobs) = mpsc::channel(MAX_QUEUE);
            tokio::spawn(writer.clone().run(jobs));
            queue
        };
        Self { queues: (0..writer.store.writers().get()).map(start).collect(), in_flight: InFlight::default() }
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
        let wait = async {
            let queue = self.queue_of(request.session);
            let job = Job { request, claim, answer, span: Span::current() };
            queue.send(job).await.map_err(|_| Refusal::Unavailable)?;
            outcome.await.map_err(|_| Refusal::Unavailable)?
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or(Err(Refusal::Unavailable))
    }
}

/// Why a request was not carried out.
enum Failure {
    Refused(Refusal),
    /// The store refused it, not the rules.
    Store(StoreError),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal,
            Failure::Store(_) => Self::Internal,
        }
    }
}

#[derive(Clone)]
struct Writer {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    on_commit: OnCommit,
}

impl Writer {
    async fn run(self, mut jobs: mpsc::Receiver<Job>) {
        let mut next = Vec::with_capacity(MAX_BATCH);
        while jobs.recv_many(&mut next, MAX_BATCH).await > 0 {
            let (requests, (claims, callers)): (Vec<_>, (Vec<_>, Vec<_>)) =
                next.drain(..).map(|job: Job| (job.request, (job.claim, (job.answer, job.span)))).unzip();
            let outcomes = self.commit(&requests).await;
            // Before the answers: a caller who has one may use the key again.
            drop(claims);
            for ((answer, span), outcome) in callers.into_iter().zip(outcomes) {
                let outcome = outcome.map_err(|failure| {
                    if let Failure::Store(error) = &failure {
                        self.metrics.command_failed();
                        span.in_scope(|| tracing::error!(%error, "a command failed in the store"));
                    }
                    failure.into()
                });
                // A caller that went away needs no answer.
                let _ = answer.send(outcome);
            }
        }
    }

    /// Commits `requests` together; should the store refuse them together, one at a time, so that a single bad one
    /// can't take others down.
    async fn commit(&self, requests: &[Request]) -> Vec<Result<Outcome, Failure>> {
        match self.attempt(requests).await {
            Ok(outcomes) => outcomes.into_iter().map(|outcome| outcome.map_err(Failure::Refused)).collect(),
            Err(error @ (StoreError::Unavailable(_) | StoreError::Busy(_))) => {
                self.metrics.store_failed(During::Commit, &error, "commands find the store out of reach");
                requests.iter().map(|_| Err(Failure::Refused(Refusal::Unavailable))).collect()
            }
            Err(error) if requests.len() == 1 && !matches!(error, StoreError::Raced) => {
                vec![Err(Failure::Store(error))]
            }
            Err(error) => {
                // That another node was faster under the same Idempotency-Key is no failure.
                if !matches!(error, StoreError::Raced) {
                    self.metrics.store_failed(During::Commit, &error, "a batch failed in the store; trying one by one");
                }
                let mut outcomes = Vec::with_capacity(requests.len());
                for request in requests {
                    outcomes.push(self.commit_one(request).await);
                }
                outcomes
            }
        }
    }

    async fn commit_one(&self, request: &Request) -> Result<Outcome, Failure> {
        let mut outcome = self.attempt(std::slice::from_ref(request)).await;
        if matches!(outcome, Err(StoreError::Raced)) {
            // The other's reply stands now, and is found.
            outcome = self.attempt(std::slice::from_ref(request)).await;
        }
        match outcome {
            Ok(mut one) => one.pop().unwrap_or(Err(Refusal::Internal)).map_err(Failure::Refused),
            Err(StoreError::Unavailable(_) | StoreError::Busy(_)) => Err(Failure::Refused(Refusal::Unavailable)),
            Err(error) => Err(Failure::Store(error)),
        }
    }

    async fn attempt(&self, requests: &[Request]) -> Result<Vec<Result<Outcome, Refusal>>, StoreError> {
        let started = Instant::now();
        let tx = self.store.begin().await?;
        let done = batch::run(tx, &*self.clock, requests).await?;
        if !done.events.is_empty() {
            self.metrics.commit_duration.observe(started.elapsed().as_secs_f64());
            self.metrics.commit_batch_size.observe(requests.len() as f64);
            done.events.iter().for_each(|event| self.metrics.event(event.kind));
            (self.on_commit)(&done.events);
        }
        Ok(done.outcomes)
    }
}
