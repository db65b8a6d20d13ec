//! The thread of a connection, which runs one piece of work after the other.

use crate::store::error::StoreResult;
use parking_lot::Mutex;
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, mpsc};
use std::{io, thread};
use thiserror::Error;
use tokio::sync::oneshot;

/// A piece of work for the thread of a connection.
type Job = Box<dyn FnOnce(&SharedConnection) + Send>;

/// The connection of a thread, which one piece of work uses at a time.
pub(super) type SharedConnection = Arc<Mutex<Connection>>;

/// The thread of a connection has ended.
#[derive(Debug, Error)]
#[error("the connection to the database is closed")]
pub struct Closed;

/// A connection with a thread of its own, which closes the connection and ends when this is dropped.
pub(super) struct ConnectionThread {
    jobs: mpsc::Sender<Job>,
    /// Completes when the thread has closed the connection.
    closed: oneshot::Receiver<()>,
}

impl ConnectionThread {
    /// Starts a thread for `connection`.
    pub(super) fn start(connection: Connection) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let (closing, closed) = oneshot::channel();
        thread::Builder::new().name("sqlite".to_owned()).spawn(move || {
            run(connection, &queue);
            // Nobody may wait for it.
            let _ = closing.send(());
        })?;
        Ok(Self { jobs, closed })
    }

    /// Runs `work` after everything that was handed over before. Dropping the future does not cancel it. A panic of `work`
    /// is one of the caller.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SharedConnection) -> T + Send + 'static,
    ) -> StoreResult<T> {
        let (reply, outcome) = oneshot::channel();
        self.post(move |connection| {
            let outcome = catch_unwind(AssertUnwindSafe(|| work(connection)));
            if outcome.is_err() {
                // After another failure SQLite itself has rolled back, or the next begin fails.
                let _ = roll_back(&connection.lock());
            }
            // The caller may be gone.
            let _ = reply.send(outcome);
        });
        match outcome.await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(Closed.into()),
        }
    }

    /// Runs `work`, which must not panic, after everything that was handed over before, without waiting for it.
    pub(super) fn post(&self, work: impl FnOnce(&SharedConnection) + Send + 'static) {
        // It fails after the thread has ended. Whoever waits for the work finds its reply channel closed.
        let _ = self.jobs.send(Box::new(work));
    }

    /// Closes the connection, after everything that was handed over before.
    pub(super) async fn close(self) {
        drop(self.jobs);
        let _ = self.closed.await;
    }
}

fn run(connection: Connection, queue: &mpsc::Receiver<Job>) {
    let connection = Arc::new(Mutex::new(connection));
    while let Ok(job) = queue.recv() {
        job(&connection);
    }
    let Some(connection) = Arc::into_inner(connection) else { return };
    if let Err((_, error)) = connection.into_inner().close() {
        tracing::warn!(%error, "could not close the database");
    }
}

/// Ends a transaction without a commit, if there is one.
pub(super) fn roll_back(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() { Ok(()) } else { connection.execute_batch("ROLLBACK") }
}
