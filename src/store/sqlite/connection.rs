//! A connection of the pool, whose work runs on its thread.

use super::Sqlite;
use super::open::BUSY_TIMEOUT;
use super::pool::ConnectionPool;
use super::thread::{Closed, ConnectionThread, SharedConnection, roll_back};
use crate::store::engine::{BatchStatement, Connection, Query};
use crate::store::{LockWait, StoreError, StoreResult};
use futures::executor::block_on;
use futures::future::BoxFuture;
use rusqlite::types::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// Statements that take longer are logged.
const SLOW: Duration = Duration::from_secs(1);

/// How long the truncation of the write-ahead log waits for readers.
const SHRINK_TIMEOUT: Duration = Duration::from_millis(200);

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";

type Row = Vec<Value>;

/// A connection, possibly in a transaction, which is rolled back when this is dropped before the commit.
pub struct SqliteConnection {
    place: Place,
    pool: Arc<ConnectionPool>,
    in_transaction: bool,
}

/// Where the statements of a connection are executed.
enum Place {
    /// On the connection's thread, to which they are handed over. None once it has been given back.
    Thread(Option<(ConnectionThread, OwnedSemaphorePermit)>),
    /// At once: this is the connection's thread.
    Here(SharedConnection),
}

impl SqliteConnection {
    pub(super) fn new(connection: ConnectionThread, permit: OwnedSemaphorePermit, pool: &Arc<ConnectionPool>) -> Self {
        Self { place: Place::Thread(Some((connection, permit))), pool: Arc::clone(pool), in_transaction: false }
    }

    /// Runs `work` on the connection's thread, with a connection whose statements are executed at once.
    pub(super) async fn run_on_thread(
        self,
        work: impl FnOnce(Self) -> BoxFuture<'static, ()> + Send + 'static,
    ) -> StoreResult<()> {
        let Place::Thread(Some((thread, _))) = &self.place else { return Err(Closed.into()) };
        let pool = Arc::clone(&self.pool);
        let run = thread.run(move |connection| {
            let here = Self { place: Place::Here(Arc::clone(connection)), pool, in_transaction: false };
            // It waits for nothing but the connection.
            block_on(work(here));
        });
        run.await
    }

    /// Runs `work` on the connection's thread.
    async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&rusqlite::Connection) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let outcome = match &self.place {
            Place::Here(connection) => work(&connection.lock()),
            Place::Thread(Some((thread, _))) => thread.run(move |connection| work(&connection.lock())).await?,
            Place::Thread(None) => return Err(Closed.into()),
        };
        if self.in_transaction && matches!(outcome, Err(StoreError::Unavailable(_))) {
            self.pool.record_write(true);
        }
        outcome
    }

    /// Checkpoints and truncates the write-ahead log. With a short wait, since all writers wait meanwhile: it does
    /// nothing while a reader uses the log.
    pub(super) async fn shrink_log(&mut self) -> StoreResult<()> {
        self.run(|connection| {
            connection.busy_timeout(SHRINK_TIMEOUT)?;
            let outcome = execute_plain(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
            connection.busy_timeout(BUSY_TIMEOUT)?;
            outcome
        })
        .await
    }

    fn committed(&mut self) {
        self.in_transaction = false;
        self.pool.record_write(false);
    }
}

impl Connection<Sqlite> for SqliteConnection {
    async fn begin(&mut self, _: LockWait) -> StoreResult<()> {
        // Before it is handed over, so that a transaction whose future is dropped meanwhile is rolled back too.
        self.in_transaction = true;
        self.run(|connection| execute_plain(connection, BEGIN)).await
    }

    fn is_in_transaction(&self) -> bool {
        self.in_transaction
    }

    async fn commit(&mut self) -> StoreResult<()> {
        self.run(|connection| execute_plain(connection, COMMIT)).await?;
        self.committed();
        Ok(())
    }

    async fn execute(&mut self, query: Query<Sqlite>) -> StoreResult<u64> {
        self.run(|connection| Ok(execute(connection, query)?.0)).await
    }

    async fn fetch(&mut self, query: Query<Sqlite>) -> StoreResult<Vec<Row>> {
        self.run(|connection| Ok(execute(connection, query)?.1)).await
    }

    /// All in one piece of work, with the begin and the commit.
    async fn execute_all(
        &mut self,
        statements: Vec<BatchStatement<Sqlite>>,
        _: LockWait,
        commits: bool,
    ) -> StoreResult<Vec<Vec<Row>>> {
        let begins = !self.in_transaction;
        self.in_transaction = true;
        let results = self
            .run(move |connection| {
                if begins {
                    execute_plain(connection, BEGIN)?;
                }
                let mut results = Vec::with_capacity(statements.len());
                for BatchStatement { query, must_change } in statements {
                    let (changed, rows) = execute(connection, query)?;
                    BatchStatement::<Sqlite>::check(must_change, changed)?;
                    results.push(rows);
                }
                if commits {
                    execute_plain(connection, COMMIT)?;
                }
                Ok(results)
            })
            .await?;
        if commits {
            self.committed();
        }
        Ok(results)
    }
}

/// Executes a statement; returns the number of rows that it changed, and its rows.
fn execute(connection: &rusqlite::Connection, query: Query<Sqlite>) -> StoreResult<(u64, Vec<Row>)> {
    let started = Instant::now();
    let Query { sql, arguments } = query;
    let mut statement = connection.prepare_cached(&sql)?;
    // A text need not use its last arguments: those of a scope without a participant, for example.
    let used = statement.parameter_count();
    for (index, value) in arguments.into_iter().take(used).enumerate() {
        statement.raw_bind_parameter(index + 1, value)?;
    }
    let columns = statement.column_count();
    let mut rows = statement.raw_query();
    let mut read = Vec::new();
    while let Some(row) = rows.next()? {
        read.push((0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<Row>>()?);
    }
    drop(rows);
    let changed = if statement.readonly() { 0 } else { connection.changes() };
    let elapsed = started.elapsed();
    if elapsed > SLOW {
        tracing::warn!(milliseconds = elapsed.as_millis(), %sql, "slow statement");
    }
    Ok((changed, read))
}

/// Executes a statement without arguments and rows.
fn execute_plain(connection: &rusqlite::Connection, sql: &'static str) -> StoreResult<()> {
    execute(connection, Query { sql: sql.into(), arguments: Vec::new() }).map(drop)
}

impl Drop for SqliteConnection {
    fn drop(&mut self) {
        // After a failure the transaction has been rolled back by SQLite, or the next begin fails.
        match &mut self.place {
            Place::Here(connection) => {
                if self.in_transaction {
                    let _ = roll_back(&connection.lock());
                }
            }
            Place::Thread(out) => {
                let Some((thread, permit)) = out.take() else { return };
                if self.in_transaction {
                    thread.post(|connection| {
                        let _ = roll_back(&connection.lock());
                    });
                }
                self.pool.release(thread, permit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sqlite;
    use super::super::pool::ConnectionPool;
    use super::SqliteConnection;
    use crate::store::StoreError;
    use crate::store::engine::{Connection as _, Pool as _, Query};
    use crate::store::{LockWait, StoreResult};
    use futures::FutureExt as _;
    use rusqlite::Connection;
    use rusqlite::types::Value;
    use std::panic::AssertUnwindSafe;
    use std::sync::Arc;
    use std::time::Duration;

    async fn pool() -> Arc<ConnectionPool> {
        let open = || {
            let connection = Connection::open_in_memory()?;
            connection.busy_timeout(super::BUSY_TIMEOUT)?;
            connection.execute_batch("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")?;
            Ok(connection)
        };
        ConnectionPool::open(open, 1, Duration::from_millis(200), None).await.expect("a database")
    }

    fn query(sql: &'static str) -> Query<Sqlite> {
        Query { sql: sql.into(), arguments: Vec::new() }
    }

    async fn number(pool: &Arc<ConnectionPool>, sql: &'static str) -> StoreResult<i64> {
        let rows = pool.acquire().await?.fetch(query(sql)).await?;
        let Some([Value::Integer(number)]) = rows.first().map(Vec::as_slice) else { panic!("{rows:?}") };
        Ok(*number)
    }

    #[tokio::test]
    async fn the_short_wait_for_readers_never_stays() {
        let pool = pool().await;
        pool.acquire().await.expect("a connection").shrink_log().await.expect("a database in memory has no log");
        assert_eq!(number(&pool, "PRAGMA busy_timeout").await.expect("a number"), 5000);
        // A caller that drops the future meanwhile.
        let mut connection = pool.acquire().await.expect("a connection");
        let mut shrinks = Box::pin(connection.shrink_log());
        assert!(futures::poll!(&mut shrinks).is_pending());
        drop(shrinks);
        drop(connection);
        assert_eq!(number(&pool, "PRAGMA busy_timeout").await.expect("a number"), 5000);
    }

    #[tokio::test]
    async fn a_dropped_transaction_is_rolled_back() {
        let pool = pool().await;
        let mut connection = pool.acquire().await.expect("a connection");
        connection.begin(LockWait::Long).await.expect("begun");
        connection.execute(query("INSERT INTO numbers VALUES (1)")).await.expect("executed");
        drop(connection);
        // One whose statement is under way.
        let mut connection = pool.acquire().await.expect("a connection");
        connection.begin(LockWait::Long).await.expect("begun");
        let mut insert = Box::pin(connection.execute(query("INSERT INTO numbers VALUES (2)")));
        assert!(futures::poll!(&mut insert).is_pending());
        drop(insert);
        drop(connection);
        assert_eq!(number(&pool, "SELECT COUNT(*) FROM numbers").await.expect("a number"), 0);
    }

    #[tokio::test]
    async fn a_panic_is_one_of_the_caller_and_leaves_no_transaction() {
        let pool = pool().await;
        let panics = async |on_thread: bool| {
            let connection = pool.acquire().await.expect("a connection");
            let work = |mut connection: SqliteConnection| {
                async move {
                    connection.begin(LockWait::Long).await.expect("begun");
                    connection.execute(query("INSERT INTO numbers VALUES (1)")).await.expect("executed");
                    connection.run::<()>(|_| panic!("on purpose")).await.expect("not reached");
                }
                .boxed()
            };
            if on_thread {
                connection.run_on_thread(work).await.expect("not reached");
            } else {
                work(connection).await;
            }
        };
        for on_thread in [false, true] {
            assert!(AssertUnwindSafe(panics(on_thread)).catch_unwind().await.is_err());
            assert_eq!(number(&pool, "SELECT COUNT(*) FROM numbers").await.expect("a number"), 0);
        }
    }

    #[tokio::test]
    async fn work_on_the_thread_commits_or_is_rolled_back() {
        let pool = pool().await;
        for commits in [false, true] {
            let connection = pool.acquire().await.expect("a connection");
            let work = move |mut connection: SqliteConnection| {
                async move {
                    connection.begin(LockWait::Long).await.expect("begun");
                    connection.execute(query("INSERT INTO numbers VALUES (1)")).await.expect("executed");
                    if commits {
                        connection.commit().await.expect("committed");
                    }
                }
                .boxed()
            };
            connection.run_on_thread(work).await.expect("it runs");
            let stored = number(&pool, "SELECT COUNT(*) FROM numbers").await.expect("a number");
            assert_eq!(stored, i64::from(commits));
        }
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_the_limit_for_a_connection() {
        let pool = pool().await;
        let used = pool.acquire().await.expect("a connection");
        let error = pool.acquire().await.err().expect("no second one");
        assert!(matches!(&error, StoreError::Unavailable(_)), "{error}");
        drop(used);
        assert_eq!(number(&pool, "SELECT 1").await.expect("a number"), 1);
        pool.close().await;
        assert!(matches!(pool.acquire().await.err(), Some(StoreError::Unavailable(_))));
    }
}
