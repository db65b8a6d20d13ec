//! One writer: commits the requests that were queued during its last transaction together, and parks those to sessions
//! that another node has locked, so that a locked session delays only its own requests.

use super::commit::Committer;
use super::job::Job;
use crate::domain::SessionId;
use crate::store::LockWait;
use futures::FutureExt as _;
use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

/// Most requests in one transaction.
const MAX_BATCH: usize = 256;
/// Most locked sessions that are waited for at a time: each takes a database connection.
const MAX_LOCK_WAITS: usize = 2;
/// How often a batch is tried, each time without the sessions that are locked.
const MAX_ATTEMPTS: usize = 3;
/// The name of a writer's task.
pub(super) const TASK: &str = "writer";

/// One writer. It survives a panic of its task: the callers of the batch in progress get 503, the queue goes on.
pub(super) struct Writer {
    committer: Arc<Committer>,
    queue: mpsc::Receiver<Job>,
    next: Vec<Job>,
    /// The sessions whose locks are waited for, with the requests that arrive for them meanwhile.
    parked: HashMap<SessionId, Vec<Job>>,
    lock_waits: JoinSet<SessionId>,
    lock_wait_permits: Arc<Semaphore>,
    is_committing: bool,
}

impl Writer {
    pub(super) fn new(committer: Arc<Committer>, queue: mpsc::Receiver<Job>) -> Self {
        Self {
            committer,
            queue,
            next: Vec::with_capacity(MAX_BATCH),
            parked: HashMap::new(),
            lock_waits: JoinSet::new(),
            lock_wait_permits: Arc::new(Semaphore::new(MAX_LOCK_WAITS)),
            is_committing: false,
        }
    }

    /// Executes requests until the queue is closed.
    pub(super) async fn run(&mut self) {
        if std::mem::take(&mut self.is_committing) {
            // The task panicked, perhaps between a commit and its announcement.
            (self.committer.on_in_doubt)();
        }
        loop {
            // After a panic, requests that were taken from the queue may be left.
            if self.next.is_empty() {
                tokio::select! {
                    taken = self.queue.recv_many(&mut self.next, MAX_BATCH) => {
                        if taken == 0 {
                            break;
                        }
                    }
                    Some(done) = self.lock_waits.join_next() => {
                        if let Ok(session) = done {
                            self.resume(session);
                        }
                        continue;
                    }
                }
            }
            let mut batch = Vec::with_capacity(self.next.len());
            for job in self.next.drain(..) {
                match self.parked.get_mut(&job.request.session) {
                    Some(jobs) => jobs.push(job),
                    None => batch.push(job),
                }
            }
            self.is_committing = true;
            let held = self.execute(batch).await;
            self.is_committing = false;
            self.park(held);
        }
        while let Some(done) = self.lock_waits.join_next().await {
            if let Ok(session) = done {
                self.resume(session);
            }
        }
    }

    /// Executes a batch without waiting long for a lock. Returns the requests to locked sessions.
    async fn execute(&self, mut batch: Vec<Job>) -> Vec<Job> {
        let mut locked = Vec::new();
        for _ in 0..MAX_ATTEMPTS {
            batch = self.committer.execute(batch, LockWait::Brief).await;
            let sessions: HashSet<SessionId> = batch.iter().map(|job| job.request.session).collect();
            if sessions.len() < 2 {
                break;
            }
            // The requests to locked sessions go apart, so that the others need not wait for them.
            let sessions: Vec<SessionId> = sessions.into_iter().collect();
            let Ok(held) = self.committer.store.held_elsewhere(&sessions).await else { break };
            let (apart, free) = batch.into_iter().partition(|job| held.contains(&job.request.session));
            batch = free;
            locked.extend::<Vec<Job>>(apart);
        }
        locked.extend(batch);
        locked
    }

    fn resume(&mut self, session: SessionId) {
        if let Some(jobs) = self.parked.remove(&session) {
            self.park(jobs);
        }
    }

    /// Starts a task for each session of `jobs`, which waits for its lock beside the writer.
    fn park(&mut self, jobs: Vec<Job>) {
        let mut sessions: HashMap<SessionId, Vec<Job>> = HashMap::new();
        jobs.into_iter().for_each(|job| sessions.entry(job.request.session).or_default().push(job));
        for (session, mut jobs) in sessions {
            self.parked.insert(session, Vec::new());
            let (committer, permits) = (Arc::clone(&self.committer), Arc::clone(&self.lock_wait_permits));
            self.lock_waits.spawn(async move {
                let execute = async {
                    let _permit = permits.acquire_owned().await;
                    while !jobs.is_empty() {
                        let rest = jobs.split_off(jobs.len().min(MAX_BATCH));
                        committer.execute(jobs, LockWait::Long).await;
                        jobs = rest;
                    }
                };
                // After a panic too, the requests that were parked meanwhile are executed.
                if let Err(panic) = AssertUnwindSafe(execute).catch_unwind().await {
                    committer.supervisor.panicked(TASK, &*panic);
                    (committer.on_in_doubt)();
                }
                session
            });
        }
    }
}
