//! A store over one engine: its connection pools, and what every part of its SQL shares.

use crate::protocol::page::{Page, PageRequest};
use crate::store::engine::{Engine, Pool as _};
use crate::store::pool::PooledConnection;
use crate::store::statement::{Fields, Statement};
use crate::store::{LockWait, StoreResult};

/// A store over one engine. SQLite has a pool of one connection for writing and one of several for reading;
/// PostgreSQL has one pool for both.
pub(in crate::store) struct SqlStore<E: Engine> {
    pub(super) write: E::Pool,
    pub(super) read: E::Pool,
}

impl<E: Engine> SqlStore<E> {
    pub(in crate::store) fn new(write: E::Pool, read: E::Pool) -> Self {
        Self { write, read }
    }

    pub(super) async fn reader(&self) -> StoreResult<Box<PooledConnection<E>>> {
        Ok(Box::new(PooledConnection(self.read.acquire().await?)))
    }

    pub(super) async fn writer(&self) -> StoreResult<Box<PooledConnection<E>>> {
        Ok(Box::new(PooledConnection(self.write.acquire().await?)))
    }

    /// One page of a list: `count` returns the total, `list` lacks only its limit and offset.
    pub(super) async fn page<T: Send>(
        &self,
        page: PageRequest,
        count: Statement<E>,
        list: Statement<E>,
        read: fn(&mut Fields<'_, E>) -> StoreResult<T>,
    ) -> StoreResult<Page<T>> {
        let mut db = self.reader().await?;
        let total = count.number(&mut db).await?;
        let data = list.bind(page.size).bind(page.offset()).all(&mut db, read).await?;
        Ok(Page::new(page, total, data))
    }

    /// Begins a transaction for a method with several changes.
    pub(super) async fn transaction(&self) -> StoreResult<Box<PooledConnection<E>>> {
        let mut tx = self.writer().await?;
        tx.begin(LockWait::Long).await?;
        Ok(tx)
    }
}
