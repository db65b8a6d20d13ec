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
}

impl Health {
    pub fn with_deadline(deadline: Duration) -> Arc<Self> {
        Arc::new(Self { deadline: Some(deadline), ..Self::default() })
    }

    /// Whether a connection of this age may still be used: one that was made before a failover leads to the wrong
    /// place, even if reading from it works.
    pub fn is_good(&self, age: Duration) -> bool {
        self.demoted.lock().is_none_or(|at| age < at.elapsed())
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

    /// Begins a transaction that will write.
    pub async fn begin(&mut self, wait: LockWait) -> StoreResult<()> {
        // Before it is asked for: a caller that goes away meanwhile leaves nothing open either.
        self.in_transaction = true;
        self.say(match wait {
            LockWait::Brief => E::BEGIN_BATCH,
            LockWait::Long => E::BEGIN_WRITE,
        })
        .await
    }

    /// Makes it durable. Where this fails, nobody knows whether it did.
    pub async fn commit(mut self) -> StoreResult<()> {
        self.say("COMMIT").await?;
        self.in_transaction = false;
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
            self.is_spoilt |= spoils(&error);
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
