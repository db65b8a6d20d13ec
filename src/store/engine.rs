//! The differences between SQLite and PostgreSQL.
//!
//! SQL is written once, in the subset that both share (`$1`, `RETURNING`, `ON CONFLICT`, row values). [`Engine`] has the
//! rest: how to begin a write, how to lock rows, how to run a statement.

use super::LockWait;
use futures::TryStreamExt as _;
use futures::future::BoxFuture;
use sqlx::{Arguments as _, Database, Decode, Either, Encode, Executor as _, Row as _, SqlStr, Type};
use uuid::Uuid;

/// A type that can be bound to and read from this database. Declared on the database, so that the one bound
/// `E: Engine` implies it for every column type that the store uses.
pub trait Column<T>: Database {
    fn bind(arguments: &mut Self::Arguments, value: T) -> Result<(), sqlx::error::BoxDynError>;
    fn read(row: &Self::Row, index: usize) -> Result<T, sqlx::Error>;
}

macro_rules! engine {
    ($db:ty, $multi:literal, $begin:literal, $batch:literal, $lock:literal, $skip:literal, $clock:expr) => {
        impl<T> Column<T> for $db
        where
            T: for<'q> Encode<'q, $db> + Type<$db> + for<'r> Decode<'r, $db>,
        {
            fn bind(arguments: &mut Self::Arguments, value: T) -> Result<(), sqlx::error::BoxDynError> {
                arguments.add(value)
            }

            fn read(row: &Self::Row, index: usize) -> Result<T, sqlx::Error> {
                row.try_get(index)
            }
        }

        impl Engine for $db {
            const MULTI_STATEMENT_TEXTS: bool = $multi;
            const BEGIN_WRITE: &'static str = $begin;
            const BEGIN_BATCH: &'static str = $batch;
            const LOCK_SESSIONS: &'static str = $lock;
            const SKIP_LOCKED: &'static str = $skip;
            const CLOCK: Option<&'static str> = $clock;

            fn execute_raw<'c>(
                connection: &'c mut Self::Connection,
                text: &'static str,
            ) -> BoxFuture<'c, Result<(), sqlx::Error>> {
                Box::pin(async move { connection.execute(sqlx::raw_sql(text)).await.map(drop) })
            }

            fn execute<'c>(
                connection: &'c mut Self::Connection,
                sql: SqlStr,
                arguments: Self::Arguments,
            ) -> BoxFuture<'c, Result<u64, sqlx::Error>> {
                Box::pin(async move { Ok(connection.execute(sqlx::query_with(sql, arguments)).await?.rows_affected()) })
            }

            fn fetch<'c>(
                connection: &'c mut Self::Connection,
                sql: SqlStr,
                arguments: Self::Arguments,
            ) -> BoxFuture<'c, Result<Vec<Self::Row>, sqlx::Error>> {
                Box::pin(async move { connection.fetch_all(sqlx::query_with(sql, arguments)).await })
            }

            fn execute_each<'c>(
                connection: &'c mut Self::Connection,
                sql: SqlStr,
                arguments: Self::Arguments,
            ) -> BoxFuture<'c, Result<Vec<StatementResult<Self>>, sqlx::Error>> {
                Box::pin(async move {
                    let mut outcomes = connection.fetch_many(sqlx::query_with(sql, arguments));
                    let (mut results, mut rows) = (Vec::new(), Vec::new());
                    while let Some(result) = outcomes.try_next().await? {
                        match result {
                            Either::Right(row) => rows.push(row),
                            Either::Left(done) => {
                                let rows = std::mem::take(&mut rows);
                                results.push(StatementResult { changed: done.rows_affected(), rows });
                            }
                        }
                    }
                    Ok(results)
                })
            }
        }
    };
}

/// A database engine.
pub trait Engine:
    Database
    + Column<i64>
    + Column<bool>
    + Column<String>
    + Column<Uuid>
    + Column<Vec<u8>>
    + Column<Option<i64>>
    + Column<Option<bool>>
    + Column<Option<Vec<u8>>>
    + Column<Option<String>>
    + Column<Option<Uuid>>
{
    /// Whether one text may hold several statements that share a list of arguments.
    const MULTI_STATEMENT_TEXTS: bool;
    /// Begins a write transaction.
    const BEGIN_WRITE: &'static str;
    /// The same, with a short wait for rows that are locked.
    const BEGIN_BATCH: &'static str;
    /// Begins a transaction that waits this long for rows that are locked.
    fn begin(wait: LockWait) -> &'static str {
        match wait {
            LockWait::Brief => Self::BEGIN_BATCH,
            LockWait::Long => Self::BEGIN_WRITE,
        }
    }

    /// Ends a `SELECT` of the sessions `s` named in `VALUES` rows `v`, which stay locked until the transaction ends.
    /// Locks are taken in the order of the ids, so that two batches can't deadlock; SQLite has one writer at a time
    /// and needs none. (`CROSS JOIN` keeps SQLite's planner from reordering the join.)
    const LOCK_SESSIONS: &'static str;
    /// Ends a `SELECT` whose rows stay locked until the transaction ends, and which skips rows that are locked. Empty for
    /// SQLite, which has a single writer.
    const SKIP_LOCKED: &'static str;
    /// Selects the database's time in milliseconds since the Unix epoch, if it has a clock of its own.
    const CLOCK: Option<&'static str>;

    /// Executes text without arguments, which may hold several statements.
    fn execute_raw<'c>(
        connection: &'c mut Self::Connection,
        text: &'static str,
    ) -> BoxFuture<'c, Result<(), sqlx::Error>>;

    fn execute<'c>(
        connection: &'c mut Self::Connection,
        sql: SqlStr,
        arguments: Self::Arguments,
    ) -> BoxFuture<'c, Result<u64, sqlx::Error>>;

    fn fetch<'c>(
        connection: &'c mut Self::Connection,
        sql: SqlStr,
        arguments: Self::Arguments,
    ) -> BoxFuture<'c, Result<Vec<Self::Row>, sqlx::Error>>;

    /// Executes every statement of `sql`; returns their results in order.
    fn execute_each<'c>(
        connection: &'c mut Self::Connection,
        sql: SqlStr,
        arguments: Self::Arguments,
    ) -> BoxFuture<'c, Result<Vec<StatementResult<Self>>, sqlx::Error>>;
}

/// The result of one statement.
pub struct StatementResult<E: Engine> {
    /// Number of rows that it changed; meaningless for a `SELECT`.
    pub changed: u64,
    pub rows: Vec<E::Row>,
}

engine!(
    sqlx::Sqlite,
    true,
    "BEGIN IMMEDIATE",
    "BEGIN IMMEDIATE",
    ") AS v CROSS JOIN sessions s WHERE s.id = v.column2 AND s.space_id = v.column1",
    "",
    None
);
engine!(
    sqlx::Postgres,
    false,
    "BEGIN",
    "BEGIN; SET LOCAL lock_timeout = '250ms'",
    ") AS v CROSS JOIN sessions s WHERE s.id = v.column2 AND s.space_id = v.column1 ORDER BY s.id FOR UPDATE OF s",
    " FOR UPDATE SKIP LOCKED",
    Some("SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT")
);
