//! The differences between SQLite and PostgreSQL.
//!
//! SQL is written once, in the subset that both share (`$1`, `RETURNING`, `ON CONFLICT`, row values). [`Engine`] has the
//! rest: how to begin a write, how to lock rows, how to run a statement.

use super::{LockWait, StoreError, StoreResult};
use futures::future::BoxFuture;
use std::borrow::Cow;
use uuid::Uuid;

/// The arguments and rows of a database engine.
pub trait Values {
    type Arguments: Default + Send + 'static;
    type Row: Send + 'static;
}

/// A type that can be bound to and read from this database. Declared on the database, so that the one bound
/// `E: Engine` implies it for every column type that the store uses.
pub trait Column<T>: Values {
    fn bind(arguments: &mut Self::Arguments, value: T) -> StoreResult<()>;
    fn read(row: &Self::Row, index: usize) -> StoreResult<T>;
}

/// A database engine.
pub trait Engine:
    Column<i64>
    + Column<bool>
    + Column<String>
    + Column<Uuid>
    + Column<Vec<u8>>
    + Column<Option<i64>>
    + Column<Option<bool>>
    + Column<Option<Vec<u8>>>
    + Column<Option<String>>
    + Column<Option<Uuid>>
    + Send
    + Sync
    + Sized
    + 'static
{
    type Connection: Connection<Self>;
    type Pool: Pool<Self>;

    /// What precedes the number of an argument in a text: SQLite takes `$1` for a name, which it looks up in time in
    /// proportion to the names before it, and `?1` for a number.
    const PLACEHOLDER: char;
    /// Ends a `SELECT` of the sessions `s` named in `VALUES` rows `v`, which stay locked until the transaction ends.
    /// Locks are taken in the order of the ids, so that two batches can't deadlock; SQLite has one writer at a time
    /// and needs none. (`CROSS JOIN` keeps SQLite's planner from reordering the join.)
    const LOCK_SESSIONS: &'static str;
    /// Ends a `SELECT` whose rows stay locked until the transaction ends, and which skips rows that are locked. Empty for
    /// SQLite, which has a single writer.
    const SKIP_LOCKED: &'static str;
    /// Selects the database's time in milliseconds since the Unix epoch, if it has a clock of its own.
    const CLOCK: Option<&'static str>;
}

/// The connections to one database.
pub trait Pool<E: Engine>: Send + Sync {
    fn max_connections(&self) -> u32;

    /// How many connections were found broken so far.
    fn broken_connections(&self) -> u64;

    /// Whether the last write transaction failed because of the database: unavailable, full, or locked by another
    /// program.
    fn writes_fail(&self) -> bool;

    /// A connection, as soon as one is free; callers are served in the order of their calls.
    fn acquire(&self) -> impl Future<Output = StoreResult<E::Connection>> + Send;

    /// Runs `work`, which waits for nothing but its connection, where the statements of the connection are executed without
    /// being handed over: on the connection's thread, if it has one.
    fn run_beside(
        &self,
        work: impl FnOnce(E::Connection) -> BoxFuture<'static, ()> + Send + 'static,
    ) -> impl Future<Output = StoreResult<()>> + Send;

    /// Truncates the log that the database writes ahead, if it has become large.
    fn shrink_log(&self) -> impl Future<Output = StoreResult<()>> + Send {
        async { Ok(()) }
    }

    /// Waits for statements that are under way and closes every connection.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// The methods of [`PooledConnection`](super::pool::PooledConnection) that differ between engines.
pub trait Connection<E: Engine>: Send {
    fn is_in_transaction(&self) -> bool;
    fn begin(&mut self, wait: LockWait) -> impl Future<Output = StoreResult<()>> + Send;
    fn commit(&mut self) -> impl Future<Output = StoreResult<()>> + Send;
    fn execute(&mut self, query: Query<E>) -> impl Future<Output = StoreResult<u64>> + Send;
    fn fetch(&mut self, query: Query<E>) -> impl Future<Output = StoreResult<Vec<E::Row>>> + Send;
    fn execute_all(
        &mut self,
        statements: Vec<BatchStatement<E>>,
        wait: LockWait,
        commits: bool,
    ) -> impl Future<Output = StoreResult<Vec<Vec<E::Row>>>> + Send;
}

/// The text of one statement with its arguments.
pub struct Query<E: Engine> {
    pub sql: Cow<'static, str>,
    pub arguments: E::Arguments,
}

/// One statement of several that are executed together.
pub struct BatchStatement<E: Engine> {
    pub query: Query<E>,
    /// How many rows it must change, and the error if it changes another number; nothing is committed then.
    pub must_change: Option<(u64, fn() -> StoreError)>,
}

impl<E: Engine> BatchStatement<E> {
    /// Fails unless the statement changed as many rows as it must.
    pub fn check(must_change: Option<(u64, fn() -> StoreError)>, changed: u64) -> StoreResult<()> {
        match must_change {
            Some((rows, error)) if rows != changed => Err(error()),
            _ => Ok(()),
        }
    }
}
