//! The SQL of both engines, by aggregate.

/// The column that `rows::key` reads: the current key entry of a principal, if there is one.
macro_rules! current_key {
    ($principal:literal) => {
        concat!("(SELECT k.body FROM key_entries k WHERE k.principal_id = ", $principal, " AND k.replaced_at IS NULL)")
    };
}

mod api_keys;
mod audit;
mod credentials;
mod directory;
mod directory_tx;
mod interactions;
mod public_keys;
mod replies;
mod retention;
mod rows;
mod scope;
mod sessions;
mod timelines;
mod write;

pub use interactions::TITLE_AT;
pub use public_keys::SESSIONS_TO_TELL;
pub use retention::ENDED_SESSION;
pub use scope::{LOOK_UPS, Scoped};
pub use timelines::DUE_MESSAGES;
pub use write::PENDING_MESSAGES;

use super::bench::Bench;
use super::engine::{Engine, Fields, Statement};
use super::lease::Lease;
use super::{LockWait, Store, StoreResult, WriteTx};
use crate::domain::{Page, PageRequest, Timestamp};
use async_trait::async_trait;
use std::num::NonZeroUsize;
use std::sync::Arc;
use uuid::Uuid;

/// Most writers of timelines: more would only cut the batches into pieces.
const MAX_WRITERS: usize = 4;
/// Which part of the connections that can write the writers may hold.
const WRITERS_SHARE: u32 = 4;

/// A store over one engine. SQLite has a pool of one connection for writing and one of several for reading;
/// PostgreSQL has one pool for both.
pub(super) struct SqlStore<E: Engine> {
    write: Arc<Bench<E>>,
    read: Arc<Bench<E>>,
}

impl<E: Engine> SqlStore<E> {
    pub(super) fn new(write: Arc<Bench<E>>, read: Arc<Bench<E>>) -> Self {
        Self { write, read }
    }

    async fn reader(&self) -> StoreResult<Box<Lease<E>>> {
        self.read.lease().await
    }

    async fn writer(&self) -> StoreResult<Box<Lease<E>>> {
        self.write.lease().await
    }

    /// One page of a list: `count` says how many there are, `list` misses nothing but its limit and offset.
    async fn page<T: Send>(
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

    /// Begins a transaction in which a method makes several changes at once.
    async fn transaction(&self) -> StoreResult<Box<Lease<E>>> {
        let mut lease = self.writer().await?;
        lease.begin(LockWait::Long).await?;
        Ok(lease)
    }
}

#[async_trait]
impl<E: Engine> Store for SqlStore<E> {
    async fn ping(&self) -> StoreResult<()> {
        sql::<E>("SELECT COUNT(*) FROM settings").number(&mut *self.reader().await?).await?;
        Ok(())
    }

    async fn time(&self) -> StoreResult<Option<Timestamp>> {
        let Some(clock) = E::CLOCK else { return Ok(None) };
        Ok(Some(Timestamp(sql::<E>(clock).number(&mut *self.reader().await?).await?)))
    }

    async fn pending_responses(&self) -> StoreResult<i64> {
        // Reads the index of pending messages alone.
        sql::<E>("SELECT COUNT(*) FROM messages m WHERE m.status = 'Pending'").number(&mut *self.reader().await?).await
    }

    async fn prune(&self, replies: Timestamp, tokens: Timestamp) -> StoreResult<u64> {
        let mut db = self.writer().await?;
        let old = sql::<E>("DELETE FROM replies WHERE created_at < $1").bind(replies.0).execute(&mut *db).await?;
        let ended =
            sql::<E>("DELETE FROM refresh_families WHERE expires_at < $1").bind(tokens.0).execute(&mut *db).await?;
        let told = sql::<E>("DELETE FROM revocations WHERE at < $1").bind(replies.0).execute(&mut *db).await?;
        Ok(old + ended + told)
    }

    fn writers(&self) -> NonZeroUsize {
        // A part of the pool, so that reads and other writes go on while all of them wait for rows.
        let share = self.write.connections() / WRITERS_SHARE;
        NonZeroUsize::new((share as usize).min(MAX_WRITERS)).unwrap_or(NonZeroUsize::MIN)
    }

    async fn begin(&self, wait: LockWait) -> StoreResult<Box<dyn WriteTx>> {
        Ok(Box::new(write::SqlWriteTx::new(self.writer().await?, wait)))
    }

    async fn close(&self) {
        self.write.close().await;
        self.read.close().await;
    }
}

/// Notes a revocation, in the transaction that makes it, where every node finds it.
fn revocation<E: Engine>(subject: Uuid, at: Timestamp) -> Statement<E> {
    sql::<E>("INSERT INTO revocations (id, subject, at) VALUES ($1, $2, $3)")
        .bind(Uuid::now_v7())
        .bind(subject)
        .bind(at.0)
}

/// Shorthand for a statement of fixed text.
fn sql<E: Engine>(text: &'static str) -> Statement<E> {
    Statement::new(text)
}
