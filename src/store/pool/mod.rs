//! The connection pool: a layer over sqlx's own pool that hands a connection on to its next user without a check.
//!
//! sqlx's pool pings every connection that is given back, and with `test_before_acquire` every one that is taken: a
//! round trip to PostgreSQL, or a message to SQLite's thread and back, for every statement. This layer keeps connections
//! that were in use within [`GOOD_FOR`] and skips the check for them. Everything else is left to sqlx: opening
//! connections, closing idle and old ones, and limiting their number. `make bench` measures the difference.
//!
//! sqlx has no option to skip the ping of a returned connection. The `deadpool` crate would leave that to a manager of our
//! own, with everything else in this module: the time limit of a statement, the rollback of a dropped transaction, and
//! closing the connections to a demoted server after a failover.
//!
//! `connection.rs` and this file refer to each other: a connection returns itself to its pool when it is dropped.

mod connection;
mod faults;

use super::StoreResult;
use super::engine::Engine;
pub use connection::PooledConnection;
pub use faults::Faults;
use faults::GOOD_FOR;
use parking_lot::Mutex;
use sqlx::Pool;
use sqlx::pool::PoolConnection;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a connection stays in this layer before it is returned to sqlx's pool, which closes those that are too old.
const MAX_AWAY: Duration = Duration::from_secs(60);
/// How long a connection may take to finish its last statement when it is returned to sqlx's pool.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);

/// A pool of connections to one database.
pub struct ConnectionPool<E: Engine> {
    pool: Pool<E>,
    /// How long a statement may take, as a limit against a server that went silent: the database has limits of its own,
    /// but nothing else ends the wait for a server that no longer responds. None for SQLite.
    answer_timeout: Option<Duration>,
    faults: Arc<Faults>,
    /// One permit for each connection that sqlx's pool may open, so that the holder of a permit never waits in there.
    permits: Arc<Semaphore>,
    /// The last one is the one that was used last. `None` once the pool is closed.
    idle: Mutex<Option<Vec<Idle<E>>>>,
}

/// A connection that was taken out of sqlx's pool and is in use.
struct CheckedOut<E: Engine> {
    connection: PoolConnection<E>,
    /// When it was taken out of sqlx's pool.
    since: Instant,
    permit: OwnedSemaphorePermit,
}

/// A connection that was taken out of sqlx's pool and waits for its next user.
struct Idle<E: Engine> {
    connection: PoolConnection<E>,
    out_since: Instant,
    idle_since: Instant,
}

impl<E: Engine> ConnectionPool<E> {
    pub fn new(pool: Pool<E>, answer_timeout: Option<Duration>, faults: Arc<Faults>) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(pool.options().get_max_connections() as usize));
        Arc::new(Self { pool, answer_timeout, faults, permits, idle: Mutex::new(Some(Vec::new())) })
    }

    pub fn max_connections(&self) -> u32 {
        self.pool.options().get_max_connections()
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// A connection, as soon as one is free; callers are served in the order of their calls.
    pub async fn acquire(self: &Arc<Self>) -> StoreResult<Box<PooledConnection<E>>> {
        let acquired = timeout(self.pool.options().get_acquire_timeout(), self.check_out()).await;
        Ok(Box::new(acquired.unwrap_or(Err(sqlx::Error::PoolTimedOut))?))
    }

    async fn check_out(self: &Arc<Self>) -> Result<PooledConnection<E>, sqlx::Error> {
        let mut permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        while let Some(Idle { connection, out_since, idle_since }) = self.pop() {
            let mut connection = PooledConnection::new(CheckedOut { connection, since: out_since, permit }, self);
            if self.faults.is_usable(out_since) && (!self.faults.needs_ping(idle_since) || connection.ping().await) {
                return Ok(connection);
            }
            let Some(left) = connection.discard() else { return Err(sqlx::Error::PoolClosed) };
            permit = left;
        }
        let connection = self.pool.acquire().await?;
        Ok(PooledConnection::new(CheckedOut { connection, since: Instant::now(), permit }, self))
    }

    fn pop(&self) -> Option<Idle<E>> {
        self.idle.lock().as_mut()?.pop()
    }

    /// Takes back a connection with no statement under way.
    fn release(&self, CheckedOut { connection, since, permit }: CheckedOut<E>) {
        let may_stay = since.elapsed() < MAX_AWAY && self.faults.is_usable(since);
        let surplus = match self.idle.lock().as_mut() {
            Some(idle) if may_stay => {
                idle.push(Idle { connection, out_since: since, idle_since: Instant::now() });
                // sqlx's pool decides whether to keep or close one that was idle for a while.
                (idle[0].idle_since.elapsed() > GOOD_FOR).then(|| idle.remove(0).connection)
            }
            _ => Some(connection),
        };
        if let Some(connection) = surplus {
            self.return_to_sqlx(connection, None);
        }
        drop(permit);
    }

    /// Returns a connection to sqlx's pool, even if its last statement is still under way.
    fn return_to_sqlx(&self, mut connection: PoolConnection<E>, permit: Option<OwnedSemaphorePermit>) {
        let Ok(runtime) = Handle::try_current() else {
            // The process ends. sqlx can't take a connection without a runtime.
            std::mem::forget(connection);
            return;
        };
        if self.answer_timeout.is_some() {
            // Without a limit sqlx would wait for the connection forever, and count it as in use.
            let ready = timeout(RETURN_TIMEOUT, connection.return_to_pool());
            runtime.spawn(async move {
                let _ = ready.await;
                drop(permit);
            });
        }
    }

    /// Waits for statements that are under way and closes every connection.
    pub async fn close(&self) {
        // First of all: a pool that is closing does not ping what is returned to it, and so waits for no answer.
        let closed = self.pool.close();
        drop(self.idle.lock().take());
        closed.await;
    }
}

impl<E: Engine> Drop for ConnectionPool<E> {
    fn drop(&mut self) {
        for idle in self.idle.get_mut().take().into_iter().flatten() {
            // Not by dropping them: there may be no runtime any more, which sqlx needs for that.
            self.return_to_sqlx(idle.connection, None);
        }
    }
}
