//! A connection of the pool as the store uses it: what is asked of it is answered within a time, and where it is of no
//! more use it is thrown away instead of being given back.

use super::engine::Engine;
use super::error::{says_read_only, spoils};
use super::{LockWait, StoreResult};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use sqlx::pool::PoolConnection;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long a connection may take to be ready again after its last statement.
const GIVE_BACK_TIMEOUT: Duration = Duration::from_secs(5);

/// What the connections of a store have in common.
#[derive(Debug, Default)]
pub struct Health {
    /// How long a statement may go without an answer. The database has limits of its own; this is for one that is
    /// silent, since nothing else would ever end the wait.
    deadline: Option<Duration>,
    /// When a connection was last found to lead to a database that takes no writes any more, as after a failover.
    demoted: Mutex<Option<Instant>>,
    /// When a connection was last found broken.
    broken: Mutex<Option<Instant>>,
}

/// How long a connection may lie idle and still count as good without a question, if no other broke meanwhile.
const GOOD_FOR: Duration = Duration::from_secs(1);

impl Health {
    pub fn with_deadline(deadline: Duration) -> Arc<Self> {
        Arc::new(Self { deadline: Some(deadline), ..Self::default() })
    }

    /// Whether a connection of this age may still be used: one that was made before a failover leads to the wrong
    /// place, even if reading from it works.
    pub fn is_good(&self, age: Duration) -> bool {
        self.demoted.lock().is_none_or(|at| age < at.elapsed())
    }

    /// Whether a connection that has been idle for so long is to be asked whether it still leads anywhere.
    pub fn is_in_doubt(&self, idle: Duration) -> bool {
        idle > GOOD_FOR || self.broken.lock().is_some_and(|at| at.elapsed() <= idle)
    }
}

/// A connection, maybe in a transaction: dropped before [`Lease::commit`], that never was.
pub struct Lease<E: Engine> {
    /// None once it has been given back.
    connection: Option<PoolConnection<E>>,
    health: Arc<Health>,
    in_transaction: bool,
    is_spoilt: bool,
}

impl<E: Engine> Lease<E> {
    pub fn new(connection: PoolConnection<E>, health: &Arc<Health>) -> Self {
        Self { connection: Some(connection), health: Arc::clone(health), in_transaction: false, is_spoilt: false }
    }

    pub fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// What is asked next begins a transaction. Said before: a caller that goes away meanwhile leaves nothing open
    /// either.
    pub fn begins(&mut self) {
        self.in_transaction = true;
    }

    /// What was asked last has made the transaction durable.
    pub fn committed(&mut self) {
        self.in_transaction = false;
    }

    /// Begins a transaction that will write.
    pub async fn begin(&mut self, wait: LockWait) -> StoreResult<()> {
        self.begins();
        self.say(E::begin(wait)).await
    }

    /// Makes it durable. Where this fails, nobody knows whether it did.
    pub async fn commit(&mut self) -> StoreResult<()> {
        self.say("COMMIT").await?;
        self.committed();
        Ok(())
    }

    async fn say(&mut self, text: &'static str) -> StoreResult<()> {
        self.run(|connection| E::say(connection, text)).await
    }

    /// Has the connection do something.
    pub async fn run<T>(
        &mut self,
        work: impl for<'c> FnOnce(&'c mut E::Connection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send,
    ) -> StoreResult<T> {
        let Some(connection) = &mut self.connection else { return Err(sqlx::Error::PoolClosed.into()) };
        let work = work(connection);
        let done = match self.health.deadline {
            None => work.await,
            Some(deadline) => timeout(deadline, work).await.unwrap_or_else(|_| {
                let silent = io::Error::new(io::ErrorKind::TimedOut, "the database does not answer");
                Err(sqlx::Error::Io(silent))
            }),
        };
        done.map_err(|error| {
            if says_read_only(&error) {
                *self.health.demoted.lock() = Some(Instant::now());
            }
            if spoils(&error) {
                self.is_spoilt = true;
                *self.health.broken.lock() = Some(Instant::now());
            }
            error.into()
        })
    }
}

impl<E: Engine> Drop for Lease<E> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let Some(runtime) = Handle::try_current().ok().filter(|_| !self.is_spoilt) else {
            connection.close_on_drop();
            return;
        };
        if self.in_transaction {
            let health = Arc::clone(&self.health);
            runtime.spawn(async move {
                let mut lease = Self::new(connection, &health);
                // A failure that is more than there being nothing to take back spoils the connection.
                let _ = lease.say("ROLLBACK").await;
            });
        } else if self.health.deadline.is_some() {
            // The pool alone would wait without an end for the connection to be ready, and count it as taken.
            runtime.spawn(timeout(GIVE_BACK_TIMEOUT, connection.return_to_pool()));
        }
    }
}
