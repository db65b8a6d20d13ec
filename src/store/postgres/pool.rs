//! The connection pool: a layer over sqlx's own pool that hands a connection on to its next user without a check.
//!
//! sqlx's pool pings every connection that is given back, and with `test_before_acquire` every one that is taken: a
//! round trip to PostgreSQL for every statement. This layer keeps connections that were in use within [`GOOD_FOR`] and
//! skips the check for them. Everything else is left to sqlx: opening connections, closing idle and old ones, and limiting
//! their number. `make bench-crates` measures the difference.
//!
//! sqlx has no option to skip the ping of a returned connection. The `deadpool` crate would leave that to a manager of our
//! own, with everything else in this module: the time limit of a statement, the rollback of a dropped transaction, and
//! closing the connections to a demoted server after a failover.
//!
//! `connection.rs` and this file refer to each other: a connection returns itself to its pool when it is dropped.

use super::connection::PostgresConnection;
use super::faults::{Faults, GOOD_FOR};
use crate::store::StoreResult;
use crate::store::engine::Pool;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
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
pub struct ConnectionPool {
    pool: PgPool,
    /// How long a statement may take, as a limit against a server that went silent: the database has limits of its own,
    /// but nothing else ends the wait for a server that no longer responds.
    pub(super) answer_timeout: Duration,
    pub(super) faults: Arc<Faults>,
    /// One permit for each connection that sqlx's pool may open, so that the holder of a permit never waits in there.
    permits: Arc<Semaphore>,
    /// The last one is the one that was used last. `None` once the pool is closed.
    idle: Mutex<Option<Vec<Idle>>>,
}

/// A connection that was taken out of sqlx's pool and is in use.
pub(super) struct CheckedOut {
    pub(super) connection: PoolConnection<Postgres>,
    /// When it was taken out of sqlx's pool.
    since: Instant,
    pub(super) permit: OwnedSemaphorePermit,
}

/// A connection that was taken out of sqlx's pool and waits for its next user.
struct Idle {
    connection: PoolConnection<Postgres>,
    out_since: Instant,
    idle_since: Instant,
}

impl ConnectionPool {
    pub fn new(pool: PgPool, answer_timeout: Duration, faults: Arc<Faults>) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(pool.options().get_max_connections() as usize));
        Arc::new(Self { pool, answer_timeout, faults, permits, idle: Mutex::new(Some(Vec::new())) })
    }

    async fn check_out(self: &Arc<Self>) -> Result<PostgresConnection, sqlx::Error> {
        let mut permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        while let Some(Idle { connection, out_since, idle_since }) = self.pop() {
            let mut connection = PostgresConnection::new(CheckedOut { connection, since: out_since, permit }, self);
            if self.faults.is_usable(out_since) && (!self.faults.needs_ping(idle_since) || connection.ping().await) {
                return Ok(connection);
            }
            let Some(left) = connection.discard() else { return Err(sqlx::Error::PoolClosed) };
            permit = left;
        }
        let connection = self.pool.acquire().await?;
        Ok(PostgresConnection::new(CheckedOut { connection, since: Instant::now(), permit }, self))
    }

    fn pop(&self) -> Option<Idle> {
        self.idle.lock().as_mut()?.pop()
    }

    /// Takes back a connection with no statement under way.
    pub(super) fn release(&self, CheckedOut { connection, since, permit }: CheckedOut) {
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
    pub(super) fn return_to_sqlx(
        &self,
        mut connection: PoolConnection<Postgres>,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let Ok(runtime) = Handle::try_current() else {
            // The process ends. sqlx can't take a connection without a runtime.
            std::mem::forget(connection);
            return;
        };
        // Without a limit sqlx would wait for the connection forever, and count it as in use.
        let ready = timeout(RETURN_TIMEOUT, connection.return_to_pool());
        runtime.spawn(async move {
            let _ = ready.await;
            drop(permit);
        });
    }
}

impl Pool<Postgres> for Arc<ConnectionPool> {
    fn max_connections(&self) -> u32 {
        self.pool.options().get_max_connections()
    }

    fn broken_connections(&self) -> u64 {
        self.faults.broken_count()
    }

    fn writes_fail(&self) -> bool {
        self.faults.writes_fail()
    }

    async fn acquire(&self) -> StoreResult<PostgresConnection> {
        let acquired = timeout(self.pool.options().get_acquire_timeout(), self.check_out()).await;
        Ok(acquired.unwrap_or(Err(sqlx::Error::PoolTimedOut))?)
    }

    async fn run_beside(
        &self,
        work: impl FnOnce(PostgresConnection) -> BoxFuture<'static, ()> + Send + 'static,
    ) -> StoreResult<()> {
        work(self.acquire().await?).await;
        Ok(())
    }

    async fn close(&self) {
        // First of all: a pool that is closing does not ping what is returned to it, and so waits for no answer.
        let closed = self.pool.close();
        drop(self.idle.lock().take());
        closed.await;
    }
}

impl Drop for ConnectionPool {
    fn drop(&mut self) {
        for idle in self.idle.get_mut().take().into_iter().flatten() {
            // Not by dropping them: there may be no runtime any more, which sqlx needs for that.
            self.return_to_sqlx(idle.connection, None);
        }
    }
}
