//! What truly differs between SQLite and PostgreSQL, and the thin layer that lets one text serve both.
//!
//! SQL is written once, in the subset that both share (`$1`, `RETURNING`, `ON CONFLICT`, row values). [`Engine`]
//! carries the rest: how to begin a write, how to lock rows, how to run a statement.

use super::lease::Lease;
use super::{LockWait, StoreResult};
use futures::TryStreamExt as _;
use futures::future::BoxFuture;
use sqlx::{
    Arguments as _, AssertSqlSafe, Database, Decode, Either, Encode, Executor as _, Row as _, SqlSafeStr, SqlStr, Type,
};
use uuid::Uuid;

/// A type that can be bound to and read from this database. Declared on the database, so that the one bound
/// `E: Engine` implies it for every column type that the store uses.
pub trait Column<T>: Database {
    fn bind(arguments: &mut Self::Arguments, value: T) -> Result<(), sqlx::error::BoxDynError>;
    fn read(row: &Self::Row, index: usize) -> Result<T, sqlx::Error>;
}

macro_rules! engine {
    ($db:ty, $scripts:literal, $begin:literal, $batch:literal, $lock:literal, $skip:literal, $clock:expr) => {
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
            const TAKES_SCRIPTS: bool = $scripts;
            const BEGIN_WRITE: &'static str = $begin;
            const BEGIN_BATCH: &'static str = $batch;
            const LOCK_SESSIONS: &'static str = $lock;
            const SKIP_LOCKED: &'static str = $skip;
            const CLOCK: Option<&'static str> = $clock;

            fn say<'c>(
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

            fn ask<'c>(
                connection: &'c mut Self::Connection,
                sql: SqlStr,
                arguments: Self::Arguments,
            ) -> BoxFuture<'c, Result<Vec<Answer<Self>>, sqlx::Error>> {
                Box::pin(async move {
                    let mut results = connection.fetch_many(sqlx::query_with(sql, arguments));
                    let (mut answers, mut rows) = (Vec::new(), Vec::new());
                    while let Some(result) = results.try_next().await? {
                        match result {
                            Either::Right(row) => rows.push(row),
                            Either::Left(done) => {
                                let rows = std::mem::take(&mut rows);
                                answers.push(Answer { changed: done.rows_affected(), rows });
                            }
                        }
                    }
                    Ok(answers)
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
    /// Whether one text may be several statements that share a list of arguments.
    const TAKES_SCRIPTS: bool;
    /// Begins a transaction that will write.
    const BEGIN_WRITE: &'static str;
    /// The same, waiting only briefly for rows that others hold.
    const BEGIN_BATCH: &'static str;
    /// Begins a transaction that waits so long for rows that others hold.
    fn begin(wait: LockWait) -> &'static str {
        match wait {
            LockWait::Brief => Self::BEGIN_BATCH,
            LockWait::Long => Self::BEGIN_WRITE,
        }
    }

    /// Ends a `SELECT` of the sessions `s` named in `VALUES` rows `v`, which stay locked until the transaction ends.
    /// Locks are taken in the order of the ids, so that two batches can't deadlock; SQLite has one writer at a time
    /// and needs none. (`CROSS JOIN` keeps SQLite's planner from turning the look-up round.)
    const LOCK_SESSIONS: &'static str;
    /// Ends a `SELECT` whose rows stay locked until the transaction ends, and which passes over those that others
    /// have locked. Within a write of SQLite's there are no others.
    const SKIP_LOCKED: &'static str;
    /// Asks for the database's own time in milliseconds since the Unix epoch, if it has a clock of its own.
    const CLOCK: Option<&'static str>;

    /// Runs text without arguments, which may be several statements.
    fn say<'c>(connection: &'c mut Self::Connection, text: &'static str) -> BoxFuture<'c, Result<(), sqlx::Error>>;

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

    /// The answers of each statement of `sql`, in order.
    fn ask<'c>(
        connection: &'c mut Self::Connection,
        sql: SqlStr,
        arguments: Self::Arguments,
    ) -> BoxFuture<'c, Result<Vec<Answer<Self>>, sqlx::Error>>;
}

/// What one statement did.
pub struct Answer<E: Engine> {
    /// How many rows it changed; of no meaning for one that only reads.
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

/// A statement with its arguments.
pub struct Statement<E: Engine> {
    sql: SqlStr,
    arguments: E::Arguments,
    error: Option<sqlx::Error>,
}

impl<E: Engine> Statement<E> {
    pub fn new(sql: &'static str) -> Self {
        Self { sql: sql.into_sql_str(), arguments: E::Arguments::default(), error: None }
    }

    /// One text out of two of the program's own.
    pub fn joined(head: &'static str, tail: &str) -> Self {
        Self {
            sql: AssertSqlSafe([head, tail].concat()).into_sql_str(),
            arguments: E::Arguments::default(),
            error: None,
        }
    }

    /// `head`, then `rows` groups of `columns` placeholders, then `tail`. Placeholders count on from `first`.
    /// All three texts are the program's own; values are always bound.
    pub fn with_rows(head: &'static str, tail: &'static str, first: usize, rows: usize, columns: usize) -> Self {
        use std::fmt::Write as _;
        let mut sql = String::with_capacity(head.len() + tail.len() + rows * columns * 6);
        sql.push_str(head);
        let mut next = first;
        for row in 0..rows {
            sql.push_str(if row == 0 { " (" } else { ", (" });
            for column in 0..columns {
                let comma = if column == 0 { "" } else { ", " };
                // Writing to a String can't fail.
                let _ = write!(sql, "{comma}${next}");
                next += 1;
            }
            sql.push(')');
        }
        sql.push_str(tail);
        Self { sql: AssertSqlSafe(sql).into_sql_str(), arguments: E::Arguments::default(), error: None }
    }

    #[must_use]
    pub fn bind<T>(mut self, value: T) -> Self
    where
        E: Column<T>,
    {
        self.push(value);
        self
    }

    pub fn push<T>(&mut self, value: T)
    where
        E: Column<T>,
    {
        if let Err(error) = E::bind(&mut self.arguments, value) {
            self.error.get_or_insert(sqlx::Error::Encode(error));
        }
    }

    /// Runs it; returns the number of rows that it touched.
    pub async fn execute(self, connection: &mut Lease<E>) -> StoreResult<u64> {
        match self.error {
            Some(error) => Err(error.into()),
            None => {
                let Self { sql, arguments, .. } = self;
                connection.run(|connection| E::execute(connection, sql, arguments)).await
            }
        }
    }

    /// Runs it and reads every row.
    pub async fn all<T>(
        self,
        connection: &mut Lease<E>,
        mut read: impl FnMut(&mut Fields<'_, E>) -> StoreResult<T> + Send,
    ) -> StoreResult<Vec<T>> {
        if let Some(error) = self.error {
            return Err(error.into());
        }
        let Self { sql, arguments, .. } = self;
        let rows = connection.run(|connection| E::fetch(connection, sql, arguments)).await?;
        read_all(&rows, &mut read)
    }

    /// Runs it and reads the first row, if there is one.
    pub async fn first<T>(
        self,
        connection: &mut Lease<E>,
        read: impl FnMut(&mut Fields<'_, E>) -> StoreResult<T> + Send,
    ) -> StoreResult<Option<T>> {
        Ok(self.all(connection, read).await?.into_iter().next())
    }

    /// Runs it and reads its one number.
    pub async fn number(self, connection: &mut Lease<E>) -> StoreResult<i64> {
        Ok(self.first(connection, |fields| fields.read::<i64>()).await?.unwrap_or(0))
    }
}

/// Reads every row.
pub fn read_all<E: Engine, T>(
    rows: &[E::Row],
    read: &mut impl FnMut(&mut Fields<'_, E>) -> StoreResult<T>,
) -> StoreResult<Vec<T>> {
    rows.iter().map(|row| read(&mut Fields { row, next: 0 })).collect()
}

/// Reads the columns of a row from left to right.
pub struct Fields<'r, E: Engine> {
    row: &'r E::Row,
    next: usize,
}

impl<E: Engine> Fields<'_, E> {
    pub fn read<T>(&mut self) -> StoreResult<T>
    where
        E: Column<T>,
    {
        let value = E::read(self.row, self.next)?;
        self.next += 1;
        Ok(value)
    }
}

/// Most rows of a statement that has many columns, or is one of many.
const FEW: usize = 64;
/// Most rows of a statement that asks about many things by their ids alone.
const MANY: usize = 512;

/// Cuts `items` into groups for one statement each, their sizes powers of two: so few texts that every one of them
/// stays prepared.
pub fn groups<T>(items: &[T]) -> impl Iterator<Item = &[T]> {
    groups_of(items, FEW)
}

/// The same in larger groups, for the few statements that each name very many ids.
pub fn large_groups<T>(items: &[T]) -> impl Iterator<Item = &[T]> {
    groups_of(items, MANY)
}

fn groups_of<T>(mut items: &[T], most: usize) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = 1 << items.len().min(most).checked_ilog2()?;
        let (group, rest) = items.split_at(size);
        items = rest;
        Some(group)
    })
}

#[cfg(test)]
mod tests {
    use super::{groups, large_groups};

    #[test]
    fn groups_are_powers_of_two_and_miss_nothing() {
        let items: Vec<_> = (0..715).collect();
        assert_eq!(groups(&items[..0]).count(), 0);
        assert_eq!(groups(&items[..203]).map(<[_]>::len).collect::<Vec<_>>(), [64, 64, 64, 8, 2, 1]);
        assert_eq!(large_groups(&items).map(<[_]>::len).collect::<Vec<_>>(), [512, 128, 64, 8, 2, 1]);
        assert_eq!(large_groups(&items).flatten().copied().collect::<Vec<_>>(), items);
    }
}
