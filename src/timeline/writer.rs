//! The group commit: what queues up while one transaction is in flight goes into the next.

use super::batch::{self, Outcome, Request};
use crate::clock::Clock;
use crate::domain::{CommittedEvent, Refusal};
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Most commands in one transaction.
const MAX_BATCH: usize = 256;
/// Most commands that wait; beyond it a caller waits for a place.
const MAX_QUEUE: usize = 4096;
/// How long a caller waits in all before the store counts as out of reach.
const PATIENCE: Duration = Duration::from_secs(15);

type Answer = oneshot::Sender<Result<Outcome, Refusal>>;

struct Job {
    request: Request,
    answer: Answer,
}

/// Called with the events of a transaction right after it is durable, in commit order. Must not block.
pub type OnCommit = Arc<dyn Fn(&[CommittedEvent]) + Send + Sync>;

/// The way in: hands requests to the writer and waits for their durable outcome.
#[derive(Clone)]
pub struct Timeline {
    queue: mpsc::Sender<Job>,
}

impl Timeline {
    /// Starts the writer. It ends when the last `Timeline` is dropped, after what has queued up is done.
    pub fn start(store: Arc<dyn Store>, clock: Arc<dyn Clock>, on_commit: OnCommit) -> Self {
        let (queue, jobs) = mpsc::channel(MAX_QUEUE);
        let writer = Writer { store, clock, on_commit };
        tokio::spawn(writer.run(jobs));
        Self { queue }
    }

    /// Carries out `request`; the outcome is durable when this returns.
    ///
    /// A caller that gives up (its future is dropped) does not undo the request.
    pub async fn submit(&self, request: Request) -> Result<Outcome, Refusal> {
        let (answer, outcome) = oneshot::channel();
        let wait = async {
            self.queue.send(Job { request, answer }).await.map_err(|_| Refusal::Unavailable)?;
            outcome.await.map_err(|_| Refusal::Unavailable)?
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or(Err(Refusal::Unavailable))
    }
}

struct Writer {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    on_commit: OnCommit,
}

impl Writer {
    async fn run(self, mut jobs: mpsc::Receiver<Job>) {
        let mut next = Vec::with_capacity(MAX_BATCH);
        while jobs.recv_many(&mut next, MAX_BATCH).await > 0 {
            let (requests, answers): (Vec<_>, Vec<_>) =
                next.drain(..).map(|job: Job| (job.request, job.answer)).unzip();
            let outcomes = self.commit(&requests).await;
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                // A caller that went away needs no answer.
                let _ = answer.send(outcome);
            }
        }
    }

    /// Commits `requests` together; should the store refuse them together, one at a time, so that a single bad one
    /// can't take others down.
    async fn commit(&self, requests: &[Request]) -> Vec<Result<Outcome, Refusal>> {
        match self.attempt(requests).await {
            Ok(outcomes) => outcomes,
            Err(StoreError::Unavailable(error)) => {
                tracing::warn!(%error, commands = requests.len(), "the store is out of reach");
                vec![Err(Refusal::Unavailable); requests.len()]
            }
            Err(error) if requests.len() == 1 => {
                tracing::error!(%error, "a command failed in the store");
                vec![Err(Refusal::Internal)]
            }
            Err(error) => {
                tracing::error!(%error, commands = requests.len(), "a batch failed in the store; trying one by one");
                let mut outcomes = Vec::with_capacity(requests.len());
                for request in requests {
                    outcomes.push(match self.attempt(std::slice::from_ref(request)).await {
                        Ok(mut one) => one.pop().unwrap_or(Err(Refusal::Internal)),
                        Err(StoreError::Unavailable(_)) => Err(Refusal::Unavailable),
                        Err(error) => {
                            tracing::error!(%error, "a command failed in the store");
                            Err(Refusal::Internal)
                        }
                    });
                }
                outcomes
            }
        }
    }

    async fn attempt(&self, requests: &[Request]) -> Result<Vec<Result<Outcome, Refusal>>, StoreError> {
        let tx = self.store.begin().await?;
        let done = batch::run(tx, &*self.clock, requests).await?;
        if !done.events.is_empty() {
            (self.on_commit)(&done.events);
        }
        Ok(done.outcomes)
    }
}
