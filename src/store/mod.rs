//! Storage: everything that must outlive a process, behind one object-safe trait for both engines.
//!
//! Look-ups of sessions take a [`Scope`](crate::domain::Scope) and apply it in the query; nothing fetches a session by
//! its id alone. To add a method: declare it in `traits/`, write its SQL in `sql/`, and call it from the conformance
//! suite (`tests/it/store/`), which runs every method on SQLite and on PostgreSQL.

mod batch;
pub mod engine;
pub mod error;
mod listing;
mod migrations;
pub mod open;
mod pool;
mod pooler;
mod sql;
mod sqlite_file;
mod statement;
mod traits;

use crate::domain::{SessionId, Timestamp};
use async_trait::async_trait;
pub use error::StoreError;
pub use sql::{
    COUNTS, DUE_MESSAGES, ENDED_SESSION, FEW_SESSIONS, FIRST_ENTRIES, LIST_STATE, LIST_STATE_OF, LOOK_UPS,
    PENDING_MESSAGES, SESSIONS_TO_TELL, Scoped, TITLE_AT, UNACKNOWLEDGED, UNLISTED, UNLISTED_OF_SPACE, UNLISTED_TOTAL,
};
use std::collections::HashSet;
use std::num::NonZeroUsize;
pub(crate) use traits::subject_of;
pub use traits::{
    Acknowledged, ActiveSession, Announcement, ApiKeys, Attested, AuditLog, Credentials, Directory, DirectoryTx,
    DueMessage, EndedSignIns, EventPage, ExternalIdentities, ExternalIdentity, FeedEntry, FormerHumans, GuestOf, Head,
    Interactions, KeyChangeLimit, KeyHolder, Listed, Loaded, LockWait, MessagePage, Moment, Named, NewEntry, NewHuman,
    NewKey, NewMark, NewSignIn, NotRevoked, Outlook, Passing, PasswordChosen, PublicKeys, Put, ReadMark,
    RefreshOutcome, Retention, Retired, Revoked, Revoker, Said, SavedReply, SavedReplyKind, Sessions, SignIns,
    SpaceSize, Standing, Taken, Timelines, Uses, WriteSet, WriteTx,
};

pub type StoreResult<T> = Result<T, StoreError>;

/// SHA-256 of a secret.
pub type SecretHash = [u8; 32];

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
    async fn prune(&self, what: Passing, before: Timestamp, limit: i64) -> StoreResult<u64>;
    /// Truncates the write-ahead log of SQLite, if it has grown and no reader uses it.
    async fn shrink_log(&self) -> StoreResult<()>;
    /// The number of concurrent timeline writers, each of which has one transaction at a time.
    fn writers(&self) -> NonZeroUsize;
    /// Those of these sessions that another transaction has locked at the moment.
    async fn held_elsewhere(&self, sessions: &[SessionId]) -> StoreResult<HashSet<SessionId>>;
    /// Begins the transaction of one batch of a timeline writer.
    async fn begin(&self, wait: LockWait) -> StoreResult<Box<dyn WriteTx>>;
    /// Waits for statements that are under way and closes every connection.
    async fn close(&self);
}
