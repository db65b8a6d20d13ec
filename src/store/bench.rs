//! The connections of a pool that have just been in use, where the next user finds them.
//!
//! The pool asks each connection that is given back whether it is still there: a round trip to PostgreSQL, a
//! hand-over to SQLite's thread, for every statement. What was in order a moment ago needs no such question. The pool
//! goes on to open connections, to close those that nobody needs or that are old, and to limit how many there are.

use super::StoreResult;
use super::engine::Engine;
use super::error::says_read_only;
use super::lease::Lease;
use parking_lot::Mutex;
use sqlx::Pool;
use sqlx::pool::PoolConnection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// How long a connection may lie idle and still count as good without a question, if no other broke meanwhile.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// How long a connection goes from user to user before it is given back to the pool, which may think it too old.
const AWAY_FOR: Duration = Duration::from_secs(60);
/// How long a connection that is given back may take to be ready again after its last statement.
const GIVE_BACK_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that are taken from a pool and not given back to it at once.
pub struct Bench<E: Engine> {
    pool: Pool<E>,
    /// How long a statement may go without an answer. The database has limits of its own; this is for one that is
    /// silent, since nothing else would ever end the wait.
    answer_timeout: Option<Duration>,
    faults: Arc<Faults>,
    /// As many as the pool has connections, so that whoever has one waits for nobody in the pool.
    places: Arc<Semaphore>,
    /// The last one is the one that was used last. `None` once it is closed.
    idle: Mutex<Option<Vec<Idle<E>>>>,
}

/// What has befallen connections lately.
#[derive(Debug, Default)]
pub struct Faults {
    /// When one was found to lead to a database that takes no writes any more, as after a failover.
    demoted: Mutex<Option<Instant>>,
    /// When one was found broken.
    broken: Mutex<Option<Instant>>,
    /// How many were found broken.
    breaks: AtomicU64,
    /// Whether the last transaction that was to write failed for want of the database: it is out of reach or full, or
    /// another program holds it.
    writes_fail: AtomicBool,
}

impl Faults {
    /// Whether a connection that was there `since` may still be used: one that was made before a failover leads to the
    /// wrong place, even if reading from it works.
    pub fn spare(&self, since: Instant) -> bool {
        self.demoted.lock().is_none_or(|at| since > at)
    }

    /// Whether a connection that has been idle since then is to be asked whether it still leads anywhere.
    pub fn doubt(&self, idle_since: Instant) -> bool {
        idle_since.elapsed() > GOOD_FOR || self.broken.lock().is_some_and(|at| at >= idle_since)
    }

    /// How many connections were found broken so far.
    pub fn breaks(&self) -> u64 {
        self.breaks.load(Ordering::Relaxed)
    }

    /// Whether the last transaction that was to write failed for want of the database.
    pub fn writes_fail(&self) -> bool {
        self.writes_fail.load(Ordering::Relaxed)
    }

    /// Notes how a transaction that was to write ended.
    pub fn note_write(&self, failed: bool) {
        // Looked at first: what all writers share is written only when it changes.
        if self.writes_fail() != failed {
            self.writes_fail.store(failed, Ordering::Relaxed);
        }
    }

    /// Notes what came up on a connection that is of no more use.
    pub fn note(&self, error: &sqlx::Error) {
        self.breaks.fetch_add(1, Ordering::Relaxed);
        let now = Some(Instant::now());
        *self.broken.lock() = now;
        if says_read_only(error) {
            *self.demoted.lock() = now;
        }
    }
}

/// A connection that is out of the pool.
pub struct Out<E: Engine> {
    pub connection: PoolConnection<E>,
    /// Since when.
    pub since: Instant,
    pub place: OwnedSemaphorePermit,
}

/// One that lies on the bench.
struct Idle<E: Engine> {
    connection: PoolConnection<E>,
    out_since: Instant,
    idle_since: Instant,
}

impl<E: Engine> Bench<E> {
    pub fn new(pool: Pool<E>, answer_timeout: Option<Duration>, faults: Arc<Faults>) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(pool.options().get_max_connections() as usize));
        Arc::new(Self { pool, answer_timeout, faults, places, idle: Mutex::new(Some(Vec::new())) })
    }

    pub fn connections(&self) -> u32 {
        self.pool.options().get_max_connections()
    }

    pub fn answer_timeout(&self) -> Option<Duration> {
        self.answer_timeout
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// A connection, once there is one; those who wait take turns.
    pub async fn lease(self: &Arc<Self>) -> StoreResult<Box<Lease<E>>> {
        let lease = timeout(self.pool.options().get_acquire_timeout(), self.take()).await;
        Ok(Box::new(lease.unwrap_or(Err(sqlx::Error::PoolTimedOut))?))
    }

    async fn take(self: &Arc<Self>) -> Result<Lease<E>, sqlx::Error> {
        let mut place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        while let Some(Idle { connection, out_since, idle_since }) = self.pop() {
            let mut lease = Lease::new(Out { connection, since: out_since, place }, self);
            if self.faults.spare(out_since) && (!self.faults.doubt(idle_since) || lease.answers().await) {
                return Ok(lease);
            }
            let Some(left) = lease.discard() else { return Err(sqlx::Error::PoolClosed) };
            place = left;
        }
        Ok(Lease::new(Out { connection: self.pool.acquire().await?, since: Instant::now(), place }, self))
    }

    fn pop(&self) -> Option<Idle<E>> {
        self.idle.lock().as_mut()?.pop()
    }

    /// Takes back a connection that has done all that was asked of it.
    pub fn put_back(&self, Out { connection, since, place }: Out<E>) {
        let may_stay = since.elapsed() < AWAY_FOR && self.faults.spare(since);
        let not_needed = match self.idle.lock().as_mut() {
            Some(idle) if may_stay => {
                idle.push(Idle { connection, out_since: since, idle_since: Instant::now() });
                // Those that lay for a while are the pool's to keep or to close.
                (idle[0].idle_since.elapsed() > GOOD_FOR).then(|| idle.remove(0).connection)
            }
            _ => Some(connection),
        };
        if let Some(connection) = not_needed {
            self.give_back(connection, None);
        }
        drop(place);
    }

    /// Gives a connection back to the pool, whatever is still to come of its last statement.
    pub fn give_back(&self, mut connection: PoolConnection<E>, place: Option<OwnedSemaphorePermit>) {
        let Ok(runtime) = Handle::try_current() else {
            // The program ends; the pool can't take it without a runtime.
            std::mem::forget(connection);
            return;
        };
        if self.answer_timeout.is_some() {
            // The pool alone would wait without an end for the connection to be ready, and count it as taken.
            let ready = timeout(GIVE_BACK_TIMEOUT, connection.return_to_pool());
            runtime.spawn(async move {
                let _ = ready.await;
                drop(place);
            });
        }
    }

    /// Waits for what is under way and closes every connection.
    pub async fn close(&self) {
        // Before anything is given back: a pool that closes asks nothing of it, and so waits for no answer.
        let closed = self.pool.close();
        drop(self.idle.lock().take());
        closed.await;
    }
}

impl<E: Engine> Drop for Bench<E> {
    fn drop(&mut self) {
        for idle in self.idle.get_mut().take().into_iter().flatten() {
            // Not by the way of those that were never asked for: there may be no runtime any more.
            self.give_back(idle.connection, None);
        }
    }
}
