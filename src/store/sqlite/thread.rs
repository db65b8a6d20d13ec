//! The thread of a connection, which runs one piece of work after the other.

use crate::store::error::StoreResult;
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::{io, thread};
use thiserror::Error;
use tokio::sync::oneshot;

/// A piece of work for the thread of a connection.
type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The thread of a connection has ended, or the piece of work has panicked.
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

    /// Runs `work` after everything that was handed over before. Dropping the future does not cancel it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (reply, outcome) = oneshot::channel();
        self.post(move |connection| {
            // The caller may be gone.
            let _ = reply.send(work(connection));
        });
        outcome.await.map_err(|_| Closed)?
    }

    /// Runs `work` after everything that was handed over before, without waiting for it.
    pub(super) fn post(&self, work: impl FnOnce(&mut Connection) + Send + 'static) {
        // It fails after the thread has ended. Whoever waits for the work finds its reply channel closed.
        let _ = self.jobs.send(Box::new(work));
    }

    /// Closes the connection, after everything that was handed over before.
    pub(super) async fn close(self) {
        drop(self.jobs);
        let _ = self.closed.await;
    }
}

fn run(mut connection: Connection, queue: &mpsc::Receiver<Job>) {
    while let Ok(job) = queue.recv() {
        if catch_unwind(AssertUnwindSafe(|| job(&mut connection))).is_err() {
            // The panic hook has logged it. The caller learns of it by its reply channel.
            let _ = roll_back(&connection);
        }
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "could not close the database");
    }
}

/// Ends a transaction without a commit, if there is one.
pub(super) fn roll_back(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() { Ok(()) } else { connection.execute_batch("ROLLBACK") }
}
