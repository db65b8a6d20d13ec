//! The storage traits, one file for each kind of data, with the types that go in and out of it besides the domain's own.

mod api_keys;
mod audit_log;
mod credentials;
mod directory;
mod external_identities;
mod interactions;
mod public_keys;
mod replies;
mod retention;
mod sessions;
mod sign_ins;
mod store;
mod timelines;
mod write;

pub use api_keys::{ApiKeys, GuestOf, KeyHolder, NewKey, NotRevoked, Revoked, Revoker, Uses};
pub use audit_log::AuditLog;
pub use credentials::{Credentials, SecretHash};
pub use directory::{Directory, DirectoryTx, NewHuman};
pub use external_identities::{ExternalIdentities, ExternalIdentity, FormerHumans};
pub use interactions::{Interactions, Moment};
pub use public_keys::{Announcement, Attested, KeyChangeLimit, NewEntry, PublicKeys, Put};
pub use replies::{SavedReply, SavedReplyKind};
pub use retention::{ExpiredRows, Retention, Retired};
pub use sessions::{FeedEntry, Listed, ReadMark, Sessions, SpaceSize, Taken};
pub use sign_ins::{EndedSignIns, NewSignIn, PasswordChosen, RefreshOutcome, SignIns};
pub use store::{Store, Write};
pub use timelines::{
    ActiveSession, DueMessage, EventPage, Head, HeadWithMessage, HeadWithParticipant, HeadWithStatus, MessagePage,
    Timelines,
};
pub(crate) use write::subject_of;
pub use write::{Acknowledged, Loaded, LockWait, Named, NewMark, WriteSet, WriteTx};
