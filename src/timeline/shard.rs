//! One writer: commits together what has queued while its last transaction was in flight, and sets aside what
//! somebody else holds, so that a session that is stuck keeps up nobody but itself.

use super::batch::{self, Outcome, Request};
use super::writer::{Job, OnCommit, OnDoubt, PATIENCE};
use crate::clock::Clock;
use crate::domain::{Refusal, SessionId};
use crate::metrics::{During, Metrics};
use crate::store::{LockWait, Store, StoreError};
use crate::supervisor::Supervisor;
use futures::FutureExt as _;
use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// Most commands in one transaction.
const MAX_BATCH: usize = 256;
/// Most sessions that are waited for at a time: each takes a connection to the store.
const MAX_WAITED_FOR: usize = 2;
/// How often a batch is tried, each time without the sessions that others hold.
const MAX_ATTEMPTS: usize = 3;
/// What the task of a writer is called.
pub(super) const TASK: &str = "writer";

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

/// One writer. It outlives a panic of its task: whose request was in its hands then is told that the store is out of
/// reach, what waits behind goes on.
pub(super) struct Writer {
    committer: Arc<Committer>,
    queue: mpsc::Receiver<Job>,
    next: Vec<Job>,
    /// The sessions that are waited for, with what is asked of them meanwhile: it comes after what was asked before.
    aside: HashMap<SessionId, Vec<Job>>,
    waiting: JoinSet<SessionId>,
    turns: Arc<Semaphore>,
    is_committing: bool,
}

impl Writer {
    pub(super) fn new(committer: Arc<Committer>, queue: mpsc::Receiver<Job>) -> Self {
        Self {
            committer,
            queue,
            next: Vec::with_capacity(MAX_BATCH),
            aside: HashMap::new(),
            waiting: JoinSet::new(),
            turns: Arc::new(Semaphore::new(MAX_WAITED_FOR)),
            is_committing: false,
        }
    }

    /// Carries out what comes until nobody can send any more.
    pub(super) async fn run(&mut self) {
        if std::mem::take(&mut self.is_committing) {
            // The task panicked, perhaps between a commit and its announcement.
            (self.committer.on_doubt)();
        }
        loop {
            // After a panic some may be left that were taken already.
            if self.next.is_empty() {
                tokio::select! {
                    taken = self.queue.recv_many(&mut self.next, MAX_BATCH) => {
                        if taken == 0 {
                            break;
                        }
                    }
                    Some(done) = self.waiting.join_next() => {
                        if let Ok(session) = done {
                            self.go_on_with(session);
                        }
                        continue;
                    }
                }
            }
            let mut batch = Vec::with_capacity(self.next.len());
            for job in self.next.drain(..) {
                match self.aside.get_mut(&job.request.session) {
                    Some(jobs) => jobs.push(job),
                    None => batch.push(job),
                }
            }
            self.is_committing = true;
            let held = self.carry_out(batch).await;
            self.is_committing = false;
            self.set_aside(held);
        }
        while let Some(done) = self.waiting.join_next().await {
            if let Ok(session) = done {
                self.go_on_with(session);
            }
        }
    }

    /// Carries out a batch without waiting long for anything; returns the requests to sessions that others hold.
    async fn carry_out(&self, mut batch: Vec<Job>) -> Vec<Job> {
        let mut stuck = Vec::new();
        for _ in 0..MAX_ATTEMPTS {
            batch = self.committer.carry_out(batch, LockWait::Brief).await;
            let sessions: HashSet<SessionId> = batch.iter().map(|job| job.request.session).collect();
            if sessions.len() < 2 {
                break;
            }
            // Those that are held go apart; the others must not wait for them.
            let sessions: Vec<SessionId> = sessions.into_iter().collect();
            let Ok(held) = self.committer.store.held_elsewhere(&sessions).await else { break };
            let (apart, free) = batch.into_iter().partition(|job| held.contains(&job.request.session));
            batch = free;
            stuck.extend::<Vec<Job>>(apart);
        }
        stuck.extend(batch);
        stuck
    }

    fn go_on_with(&mut self, session: SessionId) {
        if let Some(jobs) = self.aside.remove(&session) {
            self.set_aside(jobs);
        }
    }

    /// Has each session of `jobs` waited for by itself, beside the writer.
    fn set_aside(&mut self, jobs: Vec<Job>) {
        let mut sessions: HashMap<SessionId, Vec<Job>> = HashMap::new();
        jobs.into_iter().for_each(|job| sessions.entry(job.request.session).or_default().push(job));
        for (session, mut jobs) in sessions {
            self.aside.insert(session, Vec::new());
            let (committer, turns) = (Arc::clone(&self.committer), Arc::clone(&self.turns));
            self.waiting.spawn(async move {
                let carry_out = async {
                    let _turn = turns.acquire_owned().await;
                    while !jobs.is_empty() {
                        let rest = jobs.split_off(jobs.len().min(MAX_BATCH));
                        committer.carry_out(jobs, LockWait::Long).await;
                        jobs = rest;
                    }
                };
                // Whatever becomes of it: what is asked of the session meanwhile has its turn.
                if let Err(panic) = AssertUnwindSafe(carry_out).catch_unwind().await {
                    committer.supervisor.panicked(TASK, &*panic);
                    (committer.on_doubt)();
                }
                session
            });
        }
    }
}

/// Whether another node was faster, under the same Idempotency-Key or with the same id for a session, which is no
/// failure.
fn is_race(error: &StoreError) -> bool {
    matches!(error, StoreError::Raced | StoreError::Conflict(_))
}

impl Committer {
    /// Carries out `jobs` in one transaction and answers their callers; returns them if somebody else holds one of
    /// their sessions, unless that has been waited for long.
    async fn carry_out(&self, mut jobs: Vec<Job>, wait: LockWait) -> Vec<Job> {
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
