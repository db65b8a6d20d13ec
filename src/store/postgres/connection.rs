//! A connection of the pool: every statement has a time limit, and a broken connection is closed rather than returned.

use super::error::{breaks_connection, says_read_only};
use super::pool::{CheckedOut, ConnectionPool};
use crate::store::engine::{BatchStatement, Connection, Query};
use crate::store::{LockWait, StoreError, StoreResult};
use futures::TryStreamExt as _;
use futures::future::BoxFuture;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Either, Executor as _, Postgres, SqlSafeStr as _, SqlStr};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

/// A connection, possibly in a transaction, which is rolled back when this is dropped before the commit.
pub struct PostgresConnection {
    /// None once it has been given back.
    out: Option<CheckedOut>,
    pool: Arc<ConnectionPool>,
    in_transaction: bool,
    /// A statement is under way, or was when its future was dropped.
    is_busy: bool,
    is_broken: bool,
}

impl PostgresConnection {
    pub(super) fn new(out: CheckedOut, pool: &Arc<ConnectionPool>) -> Self {
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

    /// Executes text without arguments.
    async fn execute_raw(&mut self, text: &'static str) -> StoreResult<()> {
        self.run(|connection| Box::pin(async move { connection.execute(sqlx::raw_sql(text)).await.map(drop) })).await
    }

    /// Executes a statement; returns the number of changed rows, and its rows.
    async fn execute_one(&mut self, query: Query<Postgres>) -> StoreResult<(u64, Vec<PgRow>)> {
        let (sql, arguments) = parts(query);
        self.run(|connection| {
            Box::pin(async move {
                let mut outcomes = connection.fetch_many(sqlx::query_with(sql, arguments));
                let (mut changed, mut rows) = (0, Vec::new());
                while let Some(result) = outcomes.try_next().await? {
                    match result {
                        Either::Right(row) => rows.push(row),
                        Either::Left(done) => changed = done.rows_affected(),
                    }
                }
                Ok((changed, rows))
            })
        })
        .await
    }

    /// Runs one operation on the connection.
    async fn run<T>(
        &mut self,
        operation: impl for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send,
    ) -> StoreResult<T> {
        let Some(CheckedOut { connection, .. }) = &mut self.out else { return Err(sqlx::Error::PoolClosed.into()) };
        self.is_busy = true;
        let outcome = timeout(self.pool.answer_timeout, operation(connection)).await.unwrap_or_else(|_| {
            let silent = io::Error::new(io::ErrorKind::TimedOut, "no response from the database");
            Err(sqlx::Error::Io(silent))
        });
        self.is_busy = false;
        outcome.map_err(|error| {
            if breaks_connection(&error) {
                self.is_broken = true;
                self.pool.faults.record_broken(says_read_only(&error));
            }
            let error = StoreError::from(error);
            if self.in_transaction && matches!(error, StoreError::Unavailable(_)) {
                self.pool.faults.record_write(true);
            }
            error
        })
    }
}

/// The text and the arguments as sqlx takes them. The text consists of constants of the program; values are always bound.
fn parts(Query { sql, arguments }: Query<Postgres>) -> (SqlStr, PgArguments) {
    let sql = match sql {
        Cow::Borrowed(text) => text.into_sql_str(),
        Cow::Owned(text) => AssertSqlSafe(text).into_sql_str(),
    };
    (sql, arguments)
}

impl Connection<Postgres> for PostgresConnection {
    async fn begin(&mut self, wait: LockWait) -> StoreResult<()> {
        // Before it is sent, so that a transaction whose future is dropped meanwhile is rolled back too.
        self.in_transaction = true;
        self.execute_raw(match wait {
            LockWait::Brief => "BEGIN; SET LOCAL lock_timeout = '250ms'",
            LockWait::Long => "BEGIN",
        })
        .await
    }

    fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    async fn commit(&mut self) -> StoreResult<()> {
        self.execute_raw("COMMIT").await?;
        self.in_transaction = false;
        self.pool.faults.record_write(false);
        Ok(())
    }

    async fn execute(&mut self, query: Query<Postgres>) -> StoreResult<u64> {
        Ok(self.execute_one(query).await?.0)
    }

    async fn fetch(&mut self, query: Query<Postgres>) -> StoreResult<Vec<PgRow>> {
        Ok(self.execute_one(query).await?.1)
    }

    /// One after the other: PostgreSQL accepts one statement with arguments at a time.
    async fn execute_all(
        &mut self,
        statements: Vec<BatchStatement<Postgres>>,
        wait: LockWait,
        commits: bool,
    ) -> StoreResult<Vec<Vec<PgRow>>> {
        if !self.in_transaction {
            self.begin(wait).await?;
        }
        let mut results = Vec::with_capacity(statements.len());
        for BatchStatement { query, must_change } in statements {
            let (changed, rows) = self.execute_one(query).await?;
            BatchStatement::<Postgres>::check(must_change, changed)?;
            results.push(rows);
        }
        if commits {
            self.commit().await?;
        }
        Ok(results)
    }
}

impl Drop for PostgresConnection {
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
