//! Storage: everything that must outlive a process, behind one object-safe trait for both engines.
//!
//! Look-ups of sessions take a [`Scope`](crate::domain::Scope) and apply it in the query; nothing fetches a session by
//! its id alone. To add a method: declare it in `traits/`, write its SQL in `sql/`, and call it from the conformance
//! suite (`tests/it/store/`), which runs every method on SQLite and on PostgreSQL.

mod batch;
mod engine;
mod error;
mod listing;
mod migrations;
pub mod open;
mod pool;
mod postgres;
pub(crate) mod quotas;
pub(crate) mod sql;
mod sqlite;
mod statement;
mod traits;

pub use error::{StoreError, StoreResult};
pub(crate) use traits::subject_of;
pub use traits::{
    Acknowledged, ActiveSession, Announcement, ApiKeys, Attested, AuditLog, Credentials, Directory, DirectoryTx,
    DueMessage, EndedSignIns, EventPage, ExpiredRows, ExternalIdentities, ExternalIdentity, FeedEntry, FormerHumans,
    GuestOf, Head, HeadWithMessage, HeadWithParticipant, HeadWithStatus, Interactions, KeyChangeLimit, KeyHolder,
    Listed, Loaded, LockWait, MessagePage, Moment, Named, NewEntry, NewHuman, NewKey, NewMark, NewSignIn, NotRevoked,
    PasswordChosen, PublicKeys, Put, ReadMark, RefreshOutcome, Retention, Retired, Revoked, Revoker, SavedReply,
    SavedReplyKind, SecretHash, Sessions, SignIns, SpaceSize, Store, Taken, Timelines, Uses, Write, WriteSet, WriteTx,
};
