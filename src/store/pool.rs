//! A connection of the pool, whatever the engine.

use super::engine::{BatchStatement, Connection as _, Engine, Query};
use super::{LockWait, StoreResult};

/// A connection, possibly in a transaction, which is rolled back when this is dropped before
/// [`PooledConnection::commit`].
pub struct PooledConnection<E: Engine>(pub E::Connection);

impl<E: Engine> PooledConnection<E> {
    pub fn is_in_transaction(&self) -> bool {
        self.0.is_in_transaction()
    }

    /// Begins a write transaction.
    pub async fn begin(&mut self, wait: LockWait) -> StoreResult<()> {
        self.0.begin(wait).await
    }

    /// Commits the transaction. After an error it is unknown whether it was committed.
    pub async fn commit(&mut self) -> StoreResult<()> {
        self.0.commit().await
    }

    /// Executes a statement; returns the number of changed rows.
    pub async fn execute(&mut self, query: Query<E>) -> StoreResult<u64> {
        self.0.execute(query).await
    }

    /// Executes a statement; returns its rows.
    pub async fn fetch(&mut self, query: Query<E>) -> StoreResult<Vec<E::Row>> {
        self.0.fetch(query).await
    }

    /// Executes statements in a transaction, which it begins unless the connection is in one, and commits at the end if
    /// `commits`. Returns the rows of each statement.
    pub async fn execute_all(
        &mut self,
        statements: Vec<BatchStatement<E>>,
        wait: LockWait,
        commits: bool,
    ) -> StoreResult<Vec<Vec<E::Row>>> {
        self.0.execute_all(statements, wait, commits).await
    }
}
