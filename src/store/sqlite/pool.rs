//! The connections to one SQLite file.

use super::Sqlite;
use super::connection::SqliteConnection;
use super::thread::{Closed, ConnectionThread};
use crate::store::StoreResult;
use crate::store::engine::Pool;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long an unused connection stays open while others are in use.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// Size of the write-ahead log, in bytes, above which the hub truncates it: twice what it holds between two checkpoints.
pub(super) const LOG_LIMIT: u64 = 32 << 20;

/// No connection was free for this long.
#[derive(Debug, Error)]
#[error("no connection to the database was free for {} s", .0.as_secs())]
pub struct TimedOut(Duration);

/// A pool of connections to one SQLite file.
pub struct ConnectionPool {
    open: Box<dyn Fn() -> rusqlite::Result<Connection> + Send + Sync>,
    max_connections: u32,
    acquire_timeout: Duration,
    /// The write-ahead log, which the hub keeps small.
    log: Option<PathBuf>,
    /// One permit for each connection that may be open.
    permits: Arc<Semaphore>,
    /// The last one is the one that was used last.
    idle: Mutex<Vec<Idle>>,
    /// Whether the last write transaction failed because of the file: full, unreadable, or locked by another program.
    writes_fail: AtomicBool,
}

struct Idle {
    connection: ConnectionThread,
    since: Instant,
}

impl ConnectionPool {
    /// A pool that opens its first connection now and others when they are needed. `log` is the write-ahead log that
    /// its connections write.
    pub(super) async fn open(
        open: impl Fn() -> rusqlite::Result<Connection> + Send + Sync + 'static,
        max_connections: u32,
        acquire_timeout: Duration,
        log: Option<PathBuf>,
    ) -> StoreResult<Arc<Self>> {
        let pool = Arc::new(Self {
            open: Box::new(open),
            max_connections,
            acquire_timeout,
            log,
            permits: Arc::new(Semaphore::new(max_connections as usize)),
            idle: Mutex::default(),
            writes_fail: AtomicBool::new(false),
        });
        drop(pool.acquire().await?);
        Ok(pool)
    }

    fn connect(&self) -> StoreResult<ConnectionThread> {
        Ok(ConnectionThread::start((self.open)()?)?)
    }

    /// Takes back a connection; what was handed over to it may still be under way.
    pub(super) fn release(&self, connection: ConnectionThread, permit: OwnedSemaphorePermit) {
        let mut idle = self.idle.lock();
        let oldest = idle.first().is_some_and(|oldest| oldest.since.elapsed() > IDLE_TIMEOUT).then(|| idle.remove(0));
        idle.push(Idle { connection, since: Instant::now() });
        drop(idle);
        drop((oldest, permit));
    }

    /// Records how a write transaction ended.
    pub(super) fn record_write(&self, failed: bool) {
        self.writes_fail.store(failed, Ordering::Relaxed);
    }
}

impl Pool<Sqlite> for Arc<ConnectionPool> {
    fn max_connections(&self) -> u32 {
        self.max_connections
    }

    /// None: there is no server that could have disconnected.
    fn broken_connections(&self) -> u64 {
        0
    }

    fn writes_fail(&self) -> bool {
        self.writes_fail.load(Ordering::Relaxed)
    }

    async fn acquire(&self) -> StoreResult<SqliteConnection> {
        let permit = timeout(self.acquire_timeout, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| TimedOut(self.acquire_timeout))?.map_err(|_| Closed)?;
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(idle) => idle.connection,
            None => {
                let pool = Arc::clone(self);
                let opened = tokio::task::spawn_blocking(move || pool.connect()).await;
                opened.map_err(|_| Closed)??
            }
        };
        Ok(SqliteConnection::new(connection, permit, self))
    }

    async fn run_beside(
        &self,
        work: impl FnOnce(SqliteConnection) -> BoxFuture<'static, ()> + Send + 'static,
    ) -> StoreResult<()> {
        self.acquire().await?.run_on_thread(work).await
    }

    async fn shrink_log(&self) -> StoreResult<()> {
        let size = self.log.as_ref().and_then(|log| std::fs::metadata(log).ok()).map_or(0, |log| log.len());
        if size > LOG_LIMIT {
            self.acquire().await?.shrink_log().await?;
        }
        Ok(())
    }

    async fn close(&self) {
        // A connection whose statement is under way has its permit.
        let all = self.permits.acquire_many(self.max_connections).await;
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock());
        for Idle { connection, .. } in idle {
            connection.close().await;
        }
        drop(all);
    }
}
