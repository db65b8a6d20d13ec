//! One transaction of a writer: commits a batch, announces its events and replies to its callers.

use super::batch;
use super::job::{Job, MAX_WAIT, OnCommit, OnInDoubt};
use super::request::{Outcome, Request};
use crate::clock::Clock;
use crate::domain::Refusal;
use crate::metrics::{During, Metrics};
use crate::store::{LockWait, Store, StoreError};
use crate::supervisor::Supervisor;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// Why a request was not executed.
enum Failure {
    Refused(Refusal),
    /// The store refused it, not a rule.
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

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Busy(_) => Self::Refused(Refusal::Unavailable),
            error => Self::Store(error),
        }
    }
}

/// The part that all writers of a node share.
pub(super) struct Committer {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) on_commit: OnCommit,
    pub(super) on_in_doubt: OnInDoubt,
    pub(super) supervisor: Supervisor,
}

/// Whether another node has used the same Idempotency-Key, or the same id for a session, first. That is not a failure
/// of the store.
fn is_race(error: &StoreError) -> bool {
    matches!(error, StoreError::Raced | StoreError::Conflict(_))
}

impl Committer {
    /// Executes `jobs` in one transaction and replies to their callers. With a brief wait for locks, returns the jobs
    /// if one of their sessions stays locked.
    pub(super) async fn execute(&self, mut jobs: Vec<Job>, wait: LockWait) -> Vec<Job> {
        // Their callers have got 503: a request that is executed after its failure would surprise them.
        jobs.retain(|job| job.caller.since.elapsed() < MAX_WAIT);
        if jobs.is_empty() {
            return jobs;
        }
        let (requests, callers): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.request, job.caller)).unzip();
        let requests = Arc::new(requests);
        let outcomes = match (self.commit(&requests, wait).await, wait) {
            (Err(StoreError::Busy(_)), LockWait::Brief) => {
                let jobs = Arc::unwrap_or_clone(requests).into_iter().zip(callers);
                return jobs.map(|(request, caller)| Job { request, caller }).collect();
            }
            (Ok(outcomes), _) => outcomes,
            (Err(error), _) => {
                self.metrics.store_failed(During::Commit, &error, "commit failed: database unavailable");
                requests.iter().map(|_| Err(Failure::Refused(Refusal::Unavailable))).collect()
            }
        };
        for (caller, outcome) in callers.into_iter().zip(outcomes) {
            let span = caller.span.clone();
            caller.reply(outcome.map_err(|failure| {
                if let Failure::Store(error) = &failure {
                    self.metrics.command_failed();
                    span.in_scope(|| tracing::error!(%error, "the store failed to execute a request"));
                }
                failure.into()
            }));
        }
        Vec::new()
    }

    /// Commits `requests` together. If the store refuses the batch, commits them one by one, so that one request cannot
    /// fail the others. An error means that the database is unavailable or a session is locked: nothing was done.
    async fn commit(
        &self,
        requests: &Arc<Vec<Request>>,
        wait: LockWait,
    ) -> Result<Vec<Result<Outcome, Failure>>, StoreError> {
        match self.attempt(requests, wait).await {
            Ok(outcomes) => Ok(outcomes.into_iter().map(|outcome| outcome.map_err(Failure::Refused)).collect()),
            Err(error @ (StoreError::Unavailable(_) | StoreError::Busy(_))) => Err(error),
            Err(error) if requests.len() == 1 && !is_race(&error) => Ok(vec![Err(error.into())]),
            Err(error) => {
                if !is_race(&error) {
                    self.metrics.store_failed(
                        During::Commit,
                        &error,
                        "commit of a batch failed: trying its requests one by one",
                    );
                }
                let mut outcomes = Vec::with_capacity(requests.len());
                for request in requests.iter() {
                    outcomes.push(self.commit_one(request.clone()).await);
                }
                Ok(outcomes)
            }
        }
    }

    async fn commit_one(&self, request: Request) -> Result<Outcome, Failure> {
        let one = Arc::new(vec![request]);
        let mut outcome = self.attempt(&one, LockWait::Long).await;
        if outcome.as_ref().is_err_and(is_race) {
            // The other node has committed: the next attempt finds what it wrote.
            outcome = self.attempt(&one, LockWait::Long).await;
        }
        outcome?.pop().unwrap_or(Err(Refusal::Internal)).map_err(Failure::Refused)
    }

    async fn attempt(
        &self,
        requests: &Arc<Vec<Request>>,
        wait: LockWait,
    ) -> Result<Vec<Result<Outcome, Refusal>>, StoreError> {
        let started = Instant::now();
        let (done, outcome) = oneshot::channel();
        let (clock, batch) = (Arc::clone(&self.clock), Arc::clone(requests));
        let run = self.store.write(
            wait,
            Box::new(move |tx| {
                Box::pin(async move {
                    let outcome = batch::run(tx, &*clock, &batch).await;
                    // Before the outcome, so that the caller has the requests for itself.
                    drop(batch);
                    let _ = done.send(outcome);
                })
            }),
        );
        run.await?;
        // The other end is dropped only by a panic, which is one of this task.
        let done = outcome.await.unwrap_or(Err(StoreError::damaged("a batch without an outcome")));
        if matches!(done, Err(StoreError::Unavailable(_))) {
            // The commit may be durable and only its reply lost.
            (self.on_in_doubt)();
        }
        let done = done?;
        if !done.events.is_empty() {
            self.metrics.commit_duration.observe(started.elapsed().as_secs_f64());
            self.metrics.commit_batch_size.observe(requests.len() as f64);
            done.events.iter().for_each(|event| self.metrics.event(event.kind));
            (self.on_commit)(&done.events);
        }
        Ok(done.outcomes)
    }
}
