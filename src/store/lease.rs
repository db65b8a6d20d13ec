//! A connection of the pool as the store uses it: what is asked of it is answered within a time, and where it is of no
//! more use it is thrown away instead of being given back.

use super::bench::{Bench, Out};
use super::engine::Engine;
use super::error::spoils;
use super::{LockWait, StoreError, StoreResult};
use futures::future::BoxFuture;
use sqlx::Connection as _;
use std::io;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

/// A connection, maybe in a transaction: dropped before [`Lease::commit`], that never was.
pub struct Lease<E: Engine> {
    /// None once it has been given back.
    out: Option<Out<E>>,
    bench: Arc<Bench<E>>,
    in_transaction: bool,
    /// A statement is under way, or was when its caller went away.
    is_busy: bool,
    is_spoilt: bool,
}

impl<E: Engine> Lease<E> {
    pub fn new(out: Out<E>, bench: &Arc<Bench<E>>) -> Self {
        Self { out: Some(out), bench: Arc::clone(bench), in_transaction: false, is_busy: false, is_spoilt: false }
    }

    /// Whether the connection still leads to a database.
    pub async fn answers(&mut self) -> bool {
        self.run(|connection| Box::pin(connection.ping())).await.is_ok()
    }

    /// Throws the connection away; what is left is its place.
    pub fn discard(mut self) -> Option<OwnedSemaphorePermit> {
        let Out { mut connection, place, .. } = self.out.take()?;
        connection.close_on_drop();
        Some(place)
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
        self.bench.faults().note_write(false);
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

    /// Runs text without arguments.
    pub async fn say(&mut self, text: &'static str) -> StoreResult<()> {
        self.run(|connection| E::say(connection, text)).await
    }

    /// Runs text that changes a setting of the connection and changes it back at its end. Unless it gets there, the
    /// connection is thrown away.
    pub async fn say_between(&mut self, text: &'static str) -> StoreResult<()> {
        let was_spoilt = std::mem::replace(&mut self.is_spoilt, true);
        self.say(text).await?;
        self.is_spoilt = was_spoilt;
        Ok(())
    }

    /// Has the connection do something.
    pub async fn run<T>(
        &mut self,
        work: impl for<'c> FnOnce(&'c mut E::Connection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send,
    ) -> StoreResult<T> {
        let Some(Out { connection, .. }) = &mut self.out else { return Err(sqlx::Error::PoolClosed.into()) };
        self.is_busy = true;
        let work = work(connection);
        let done = match self.bench.answer_timeout() {
            None => work.await,
            Some(limit) => timeout(limit, work).await.unwrap_or_else(|_| {
                let silent = io::Error::new(io::ErrorKind::TimedOut, "the database does not answer");
                Err(sqlx::Error::Io(silent))
            }),
        };
        self.is_busy = false;
        done.map_err(|error| {
            if spoils(&error) {
                self.is_spoilt = true;
                self.bench.faults().note(&error);
            }
            let error = StoreError::from(error);
            if self.in_transaction && matches!(error, StoreError::Unavailable(_)) {
                self.bench.faults().note_write(true);
            }
            error
        })
    }
}

impl<E: Engine> Drop for Lease<E> {
    fn drop(&mut self) {
        let Some(mut out) = self.out.take() else { return };
        let Ok(runtime) = Handle::try_current() else {
            // The program ends; the pool can't take it without a runtime.
            std::mem::forget(out.connection);
            return;
        };
        if self.is_spoilt {
            out.connection.close_on_drop();
        } else if self.in_transaction {
            let bench = Arc::clone(&self.bench);
            runtime.spawn(async move {
                // A failure that is more than there being nothing to take back spoils the connection.
                let _ = Self::new(out, &bench).say("ROLLBACK").await;
            });
        } else if self.is_busy {
            self.bench.give_back(out.connection, Some(out.place));
        } else {
            self.bench.put_back(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::store::bench::Bench;
    use crate::store::engine::Statement;
    use sqlx::Sqlite;
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
    use std::sync::Arc;
    use std::time::Duration;

    const AND_BACK: &str = "PRAGMA busy_timeout = 200; SELECT 1; PRAGMA busy_timeout = 5000";
    const FAILS: &str = "PRAGMA busy_timeout = 200; SELECT missing; PRAGMA busy_timeout = 5000";
    const LONG: &str = "PRAGMA busy_timeout = 200; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
                        WHERE i < 200000) SELECT COUNT(*) FROM n; PRAGMA busy_timeout = 5000";

    #[tokio::test]
    async fn a_setting_that_was_changed_for_one_text_never_stays() {
        let options = SqliteConnectOptions::new().in_memory(true).busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("a database");
        let bench = Bench::<Sqlite>::new(pool, None, Arc::default());
        let timeout = async || {
            let mut lease = bench.lease().await.expect("a connection");
            Statement::<Sqlite>::new("PRAGMA busy_timeout").number(&mut lease).await.expect("a number")
        };
        for (text, works) in [(AND_BACK, true), (FAILS, false)] {
            let said = bench.lease().await.expect("a connection").say_between(text).await;
            assert_eq!(said.is_ok(), works, "{text}");
            assert_eq!(timeout().await, 5000, "{text}");
        }
        // A caller who goes away meanwhile.
        let mut lease = bench.lease().await.expect("a connection");
        let mut said = Box::pin(lease.say_between(LONG));
        assert!(futures::poll!(&mut said).is_pending());
        drop(said);
        drop(lease);
        assert_eq!(timeout().await, 5000);
    }
}
