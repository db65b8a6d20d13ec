//! A connection of the pool: every statement has a time limit, and a broken connection is closed rather than returned.

use super::{CheckedOut, ConnectionPool};
use crate::store::engine::Engine;
use crate::store::error::breaks_connection;
use crate::store::{LockWait, StoreError, StoreResult};
use futures::future::BoxFuture;
use sqlx::Connection as _;
use std::io;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

/// A connection, possibly in a transaction, which is rolled back when this is dropped before
/// [`PooledConnection::commit`].
pub struct PooledConnection<E: Engine> {
    /// None once it has been given back.
    out: Option<CheckedOut<E>>,
    pool: Arc<ConnectionPool<E>>,
    in_transaction: bool,
    /// A statement is under way, or was when its future was dropped.
    is_busy: bool,
    is_broken: bool,
}

impl<E: Engine> PooledConnection<E> {
    pub(super) fn new(out: CheckedOut<E>, pool: &Arc<ConnectionPool<E>>) -> Self {
        Self { out: Some(out), pool: Arc::clone(pool), in_transaction: false, is_busy: false, is_broken: false }
    }

    /// Whether the connection still leads to a database.
    pub(super) async fn ping(&mut self) -> bool {
        self.run(|connection| Box::pin(connection.ping())).await.is_ok()
    }

    /// Closes the connection; returns its permit.
    pub(super) fn discard(mut self) -> Option<OwnedSemaphorePermit> {
        let CheckedOut { mut connection, permit, .. } = self.out.take()?;
        connection.close_on_drop();
        Some(permit)
    }

    pub fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Records that the next statement begins a transaction. Called before it is sent, so that a transaction whose
    /// future is dropped meanwhile is rolled back too.
    pub fn mark_begun(&mut self) {
        self.in_transaction = true;
    }

    /// Records that the last statement committed the transaction.
    pub fn mark_committed(&mut self) {
        self.in_transaction = false;
        self.pool.faults.record_write(false);
    }

    /// Begins a write transaction.
    pub async fn begin(&mut self, wait: LockWait) -> StoreResult<()> {
        self.mark_begun();
        self.execute_raw(E::begin(wait)).await
    }

    /// Commits the transaction. After an error it is unknown whether it was committed.
    pub async fn commit(&mut self) -> StoreResult<()> {
        self.execute_raw("COMMIT").await?;
        self.mark_committed();
        Ok(())
    }

    /// Executes text without arguments.
    pub async fn execute_raw(&mut self, text: &'static str) -> StoreResult<()> {
        self.run(|connection| E::execute_raw(connection, text)).await
    }

    /// Executes text that changes a setting of the connection and restores it at its end. Unless it completes, the
    /// connection is closed.
    pub async fn execute_restoring(&mut self, text: &'static str) -> StoreResult<()> {
        let was_broken = std::mem::replace(&mut self.is_broken, true);
        self.execute_raw(text).await?;
        self.is_broken = was_broken;
        Ok(())
    }

    /// Runs one operation on the connection.
    pub async fn run<T>(
        &mut self,
        operation: impl for<'c> FnOnce(&'c mut E::Connection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send,
    ) -> StoreResult<T> {
        let Some(CheckedOut { connection, .. }) = &mut self.out else { return Err(sqlx::Error::PoolClosed.into()) };
        self.is_busy = true;
        let operation = operation(connection);
        let outcome = match self.pool.answer_timeout {
            None => operation.await,
            Some(limit) => timeout(limit, operation).await.unwrap_or_else(|_| {
                let silent = io::Error::new(io::ErrorKind::TimedOut, "no response from the database");
                Err(sqlx::Error::Io(silent))
            }),
        };
        self.is_busy = false;
        outcome.map_err(|error| {
            if breaks_connection(&error) {
                self.is_broken = true;
                self.pool.faults.record_broken(&error);
            }
            let error = StoreError::from(error);
            if self.in_transaction && matches!(error, StoreError::Unavailable(_)) {
                self.pool.faults.record_write(true);
            }
            error
        })
    }
}

impl<E: Engine> Drop for PooledConnection<E> {
    fn drop(&mut self) {
        let Some(mut out) = self.out.take() else { return };
        let Ok(runtime) = Handle::try_current() else {
            // The process ends. sqlx can't take a connection without a runtime.
            std::mem::forget(out.connection);
            return;
        };
        if self.is_broken {
            out.connection.close_on_drop();
        } else if self.in_transaction {
            let pool = Arc::clone(&self.pool);
            runtime.spawn(async move {
                // It may fail because no transaction was begun. Any other failure marks the connection as broken.
                let _ = Self::new(out, &pool).execute_raw("ROLLBACK").await;
            });
        } else if self.is_busy {
            self.pool.return_to_sqlx(out.connection, Some(out.permit));
        } else {
            self.pool.release(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::store::pool::ConnectionPool;
    use crate::store::statement::Statement;
    use sqlx::Sqlite;
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
    use std::sync::Arc;
    use std::time::Duration;

    const RESTORES: &str = "PRAGMA busy_timeout = 200; SELECT 1; PRAGMA busy_timeout = 5000";
    const FAILS: &str = "PRAGMA busy_timeout = 200; SELECT missing; PRAGMA busy_timeout = 5000";
    const LONG: &str = "PRAGMA busy_timeout = 200; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
                        WHERE i < 200000) SELECT COUNT(*) FROM n; PRAGMA busy_timeout = 5000";

    #[tokio::test]
    async fn a_setting_that_was_changed_for_one_text_never_stays() {
        let options = SqliteConnectOptions::new().in_memory(true).busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("a database");
        let pool = ConnectionPool::<Sqlite>::new(pool, None, Arc::default());
        let timeout = async || {
            let mut connection = pool.acquire().await.expect("a connection");
            Statement::<Sqlite>::new("PRAGMA busy_timeout").number(&mut connection).await.expect("a number")
        };
        for (text, succeeds) in [(RESTORES, true), (FAILS, false)] {
            let outcome = pool.acquire().await.expect("a connection").execute_restoring(text).await;
            assert_eq!(outcome.is_ok(), succeeds, "{text}");
            assert_eq!(timeout().await, 5000, "{text}");
        }
        // A caller that drops the future meanwhile.
        let mut connection = pool.acquire().await.expect("a connection");
        let mut execution = Box::pin(connection.execute_restoring(LONG));
        assert!(futures::poll!(&mut execution).is_pending());
        drop(execution);
        drop(connection);
        assert_eq!(timeout().await, 5000);
    }
}
