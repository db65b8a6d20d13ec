//! The whole store, as one object-safe trait.

use super::{
    ApiKeys, AuditLog, Credentials, Directory, ExpiredRows, ExternalIdentities, Interactions, LockWait, PublicKeys,
    Retention, Sessions, SignIns, Timelines, WriteTx,
};
use crate::domain::{SessionId, Timestamp};
use crate::store::error::StoreResult;
use async_trait::async_trait;
use futures::future::BoxFuture;
use std::collections::HashSet;
use std::num::NonZeroUsize;

/// What is done in one write transaction.
pub type Write = Box<dyn FnOnce(Box<dyn WriteTx>) -> BoxFuture<'static, ()> + Send>;

/// The whole store, which is one object.
#[async_trait]
pub trait Store:
    Directory
    + PublicKeys
    + Credentials
    + ApiKeys
    + SignIns
    + ExternalIdentities
    + Sessions
    + Timelines
    + Retention
    + Interactions
    + AuditLog
{
    /// Fails unless the database responds.
    async fn ping(&self) -> StoreResult<()>;
    /// Whether the last write transaction failed because of the database: unavailable, full, or locked by another program.
    fn writes_fail(&self) -> bool;
    /// Writes a test value; fails unless that is durable.
    async fn try_write(&self) -> StoreResult<()>;
    /// How many connections to the database have broken so far. A later one may lead to another server.
    fn broken_connections(&self) -> u64;
    /// The time of the database's clock; `None` if it uses this machine's.
    async fn time(&self) -> StoreResult<Option<Timestamp>>;
    /// The number of pending messages in all spaces, for metrics.
    async fn pending_responses(&self) -> StoreResult<i64>;
    /// Deletes at most `limit` rows whose time was before `before`, and skips rows that are locked. Returns their number.
    async fn prune(&self, what: ExpiredRows, before: Timestamp, limit: i64) -> StoreResult<u64>;
    /// Truncates the write-ahead log of SQLite, if it has grown and no reader uses it.
    async fn shrink_log(&self) -> StoreResult<()>;
    /// The number of concurrent timeline writers, each of which has one transaction at a time.
    fn writers(&self) -> NonZeroUsize;
    /// Those of these sessions that another transaction has locked at the moment.
    async fn held_elsewhere(&self, sessions: &[SessionId]) -> StoreResult<HashSet<SessionId>>;
    /// Begins the transaction of one batch of a timeline writer.
    async fn begin(&self, wait: LockWait) -> StoreResult<Box<dyn WriteTx>>;
    /// Runs `work` with the same transaction, where its statements need not be handed over to another thread. `work` waits
    /// for nothing but the transaction. An error means that it was not run.
    async fn write(&self, wait: LockWait, work: Write) -> StoreResult<()>;
    /// Waits for statements that are under way and closes every connection.
    async fn close(&self);
}
