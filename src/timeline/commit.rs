//! One transaction of a writer: commits a batch, announces its events and answers its callers.

use super::batch;
use super::queue::{Job, OnCommit, OnDoubt, PATIENCE};
use super::request::{Outcome, Request};
use crate::clock::Clock;
use crate::domain::Refusal;
use crate::metrics::{During, Metrics};
use crate::store::{LockWait, Store, StoreError};
use crate::supervisor::Supervisor;
use std::sync::Arc;
use std::time::Instant;

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

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Busy(_) => Self::Refused(Refusal::Unavailable),
            error => Self::Store(error),
        }
    }
}

/// What all writers of a node share.
pub(super) struct Committer {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) on_commit: OnCommit,
    pub(super) on_doubt: OnDoubt,
    pub(super) supervisor: Supervisor,
}

/// Whether another node was faster, under the same Idempotency-Key or with the same id for a session, which is no
/// failure.
fn is_race(error: &StoreError) -> bool {
    matches!(error, StoreError::Raced | StoreError::Conflict(_))
}

impl Committer {
    /// Carries out `jobs` in one transaction and answers their callers; returns them if somebody else holds one of
    /// their sessions, unless that has been waited for long.
    pub(super) async fn carry_out(&self, mut jobs: Vec<Job>, wait: LockWait) -> Vec<Job> {
        // Those have been told that the store is out of reach; to do it now would surprise them.
        jobs.retain(|job| job.caller.since.elapsed() < PATIENCE);
        if jobs.is_empty() {
            return jobs;
        }
        let (mut requests, mut callers) = (Vec::with_capacity(jobs.len()), Vec::with_capacity(jobs.len()));
        for job in jobs {
            requests.push(job.request);
            callers.push(job.caller);
        }
        let outcomes = match (self.commit(&requests, wait).await, wait) {
            (Err(StoreError::Busy(_)), LockWait::Brief) => {
                let jobs = requests.into_iter().zip(callers);
                return jobs.map(|(request, caller)| Job { request, caller }).collect();
            }
            (Ok(outcomes), _) => outcomes,
            (Err(error), _) => {
                self.metrics.store_failed(During::Commit, &error, "commands find the store out of reach");
                requests.iter().map(|_| Err(Failure::Refused(Refusal::Unavailable))).collect()
            }
        };
        for (caller, outcome) in callers.into_iter().zip(outcomes) {
            let span = caller.span.clone();
            caller.answer(outcome.map_err(|failure| {
                if let Failure::Store(error) = &failure {
                    self.metrics.command_failed();
                    span.in_scope(|| tracing::error!(%error, "a command failed in the store"));
                }
                failure.into()
            }));
        }
        Vec::new()
    }

    /// Commits `requests` together; should the store refuse them together, one at a time, so that a single bad one
    /// can't take others down. An error is that the store is out of reach, or busy: nothing was done.
    async fn commit(&self, requests: &[Request], wait: LockWait) -> Result<Vec<Result<Outcome, Failure>>, StoreError> {
        match self.attempt(requests, wait).await {
            Ok(outcomes) => Ok(outcomes.into_iter().map(|outcome| outcome.map_err(Failure::Refused)).collect()),
            Err(error @ (StoreError::Unavailable(_) | StoreError::Busy(_))) => Err(error),
            Err(error) if requests.len() == 1 && !is_race(&error) => Ok(vec![Err(error.into())]),
            Err(error) => {
                if !is_race(&error) {
                    self.metrics.store_failed(During::Commit, &error, "a batch failed in the store; trying one by one");
                }
                let mut outcomes = Vec::with_capacity(requests.len());
                for request in requests {
                    outcomes.push(self.commit_one(request).await);
                }
                Ok(outcomes)
            }
        }
    }

    async fn commit_one(&self, request: &Request) -> Result<Outcome, Failure> {
        let one = std::slice::from_ref(request);
        let mut outcome = self.attempt(one, LockWait::Long).await;
        if outcome.as_ref().is_err_and(is_race) {
            // What the other has written stands now, and is found.
            outcome = self.attempt(one, LockWait::Long).await;
        }
        outcome?.pop().unwrap_or(Err(Refusal::Internal)).map_err(Failure::Refused)
    }

    async fn attempt(&self, requests: &[Request], wait: LockWait) -> Result<Vec<Result<Outcome, Refusal>>, StoreError> {
        let started = Instant::now();
        let tx = self.store.begin(wait).await?;
        let done = batch::run(tx, &*self.clock, requests).await;
        if matches!(done, Err(StoreError::Unavailable(_))) {
            // Perhaps the commit is done and only its answer was lost.
            (self.on_doubt)();
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
