//! One writer: commits together what has queued while its last transaction was in flight, and sets aside what
//! somebody else holds, so that a session that is stuck keeps up nobody but itself.

use super::commit::Committer;
use super::queue::Job;
use crate::domain::SessionId;
use crate::store::LockWait;
use futures::FutureExt as _;
use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
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
