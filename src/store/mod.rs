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
pub(crate) mod quotas;
mod sql;
mod sqlite_file;
mod statement;
mod traits;

pub use error::{StoreError, StoreResult};
pub use sql::{
    COUNTS, DUE_MESSAGES, ENDED_SESSION, FEW_SESSIONS, FIRST_ENTRIES, LIST_STATE, LIST_STATE_OF, LOOK_UPS,
    PENDING_MESSAGES, SESSIONS_TO_TELL, Scoped, TITLE_AT, UNACKNOWLEDGED, UNLISTED, UNLISTED_OF_SPACE, UNLISTED_TOTAL,
};
pub(crate) use traits::subject_of;
pub use traits::{
    Acknowledged, ActiveSession, Announcement, ApiKeys, Attested, AuditLog, Credentials, Directory, DirectoryTx,
    DueMessage, EndedSignIns, EventPage, ExternalIdentities, ExternalIdentity, FeedEntry, FormerHumans, GuestOf, Head,
    Interactions, KeyChangeLimit, KeyHolder, Listed, Loaded, LockWait, MessagePage, Moment, Named, NewEntry, NewHuman,
    NewKey, NewMark, NewSignIn, NotRevoked, Outlook, Passing, PasswordChosen, PublicKeys, Put, ReadMark,
    RefreshOutcome, Retention, Retired, Revoked, Revoker, Said, SavedReply, SavedReplyKind, SecretHash, Sessions,
    SignIns, SpaceSize, Standing, Store, Taken, Timelines, Uses, WriteSet, WriteTx,
};
