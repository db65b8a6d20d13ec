//! The methods of the whole store: health, clock, pruning, and the transactions of timeline writers.

use super::{SqlStore, prune, sql, write};
use crate::domain::{SessionId, Timestamp};
use crate::store::engine::{Engine, Pool as _};
use crate::store::pool::PooledConnection;
use crate::store::statement::{Statement, large_groups};
use crate::store::{ExpiredRows, LockWait, Store, StoreResult, Write, WriteTx};
use async_trait::async_trait;
use std::collections::HashSet;
use std::num::NonZeroUsize;

/// Most timeline writers: more would only make the batches smaller.
const MAX_WRITERS: usize = 4;
/// The timeline writers use one part in this many of the connections that can write.
const WRITERS_SHARE: u32 = 4;

/// Bytes written by `try_write`.
const WRITE_CHECK_BYTES: usize = 16 * 1024;
/// Those of the sessions `v` that are not locked. (PostgreSQL only.)
const FREE: &str = ") AS v CROSS JOIN sessions s WHERE s.id = v.column1 FOR UPDATE OF s SKIP LOCKED";

#[async_trait]
impl<E: Engine> Store for SqlStore<E> {
    async fn ping(&self) -> StoreResult<()> {
        sql::<E>("SELECT COUNT(*) FROM settings").number(&mut *self.reader().await?).await?;
        Ok(())
    }

    fn writes_fail(&self) -> bool {
        self.write.writes_fail()
    }

    async fn try_write(&self) -> StoreResult<()> {
        let mut tx = self.transaction().await?;
        // As much as a message, since a full disk may still have room for less.
        sql::<E>(
            "INSERT INTO settings (name, value) VALUES ('write_check', $1) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind("x".repeat(WRITE_CHECK_BYTES))
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    fn broken_connections(&self) -> u64 {
        self.write.broken_connections()
    }

    async fn time(&self) -> StoreResult<Option<Timestamp>> {
        let Some(clock) = E::CLOCK else { return Ok(None) };
        Ok(Some(Timestamp(sql::<E>(clock).number(&mut *self.reader().await?).await?)))
    }

    async fn pending_responses(&self) -> StoreResult<i64> {
        // Reads only the index of pending messages.
        sql::<E>("SELECT COUNT(*) FROM messages m WHERE m.status = 'Pending'").number(&mut *self.reader().await?).await
    }

    async fn prune(&self, what: ExpiredRows, before: Timestamp, limit: i64) -> StoreResult<u64> {
        prune::statement::<E>(what).bind(before.0).bind(limit).execute(&mut *self.writer().await?).await
    }

    async fn shrink_log(&self) -> StoreResult<()> {
        self.write.shrink_log().await
    }

    fn writers(&self) -> NonZeroUsize {
        // A part of the pool, so that reads and other writes continue while all of these wait for locks.
        let share = self.write.max_connections() / WRITERS_SHARE;
        NonZeroUsize::new((share as usize).min(MAX_WRITERS)).unwrap_or(NonZeroUsize::MIN)
    }

    async fn held_elsewhere(&self, sessions: &[SessionId]) -> StoreResult<HashSet<SessionId>> {
        let mut held = HashSet::new();
        if E::SKIP_LOCKED.is_empty() {
            return Ok(held);
        }
        let mut db = self.writer().await?;
        for group in large_groups(sessions) {
            for (tail, is_free) in [(") AS v CROSS JOIN sessions s WHERE s.id = v.column1", false), (FREE, true)] {
                let mut statement = Statement::<E>::with_rows("SELECT s.id FROM (VALUES", tail, 1, group.len(), 1);
                group.iter().for_each(|session| statement.push(session.0));
                for session in statement.all(&mut *db, |row| Ok(SessionId(row.read()?))).await? {
                    if is_free {
                        held.remove(&session);
                    } else {
                        held.insert(session);
                    }
                }
            }
        }
        Ok(held)
    }

    async fn begin(&self, wait: LockWait) -> StoreResult<Box<dyn WriteTx>> {
        Ok(Box::new(write::SqlWriteTx::new(self.writer().await?, wait)))
    }

    async fn write(&self, wait: LockWait, work: Write) -> StoreResult<()> {
        let run =
            move |connection| work(Box::new(write::SqlWriteTx::<E>::new(Box::new(PooledConnection(connection)), wait)));
        self.write.run_beside(run).await
    }

    async fn close(&self) {
        // In this order: the last connection to a SQLite file merges the write-ahead log into it, which a read-only
        // connection can't.
        self.read.close().await;
        self.write.close().await;
    }
}
