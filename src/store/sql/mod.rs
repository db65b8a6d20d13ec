//! The SQL of both engines, by kind of data.

#[macro_use]
mod columns;

mod api_keys;
mod audit;
mod credentials;
mod directory;
mod directory_tx;
mod external_identities;
mod interactions;
mod lists;
mod look_ups;
mod messages;
mod named;
mod page_bytes;
mod people;
mod prune;
mod public_keys;
mod replies;
mod retention;
mod revocations;
mod rows;
mod scoped;
mod sessions;
mod sign_ins;
mod sql_store;
mod store;
mod timelines;
mod write;

pub use interactions::TITLE_AT;
pub use lists::{
    COUNTS, FEW_SESSIONS, FIRST_ENTRIES, LIST_STATE, LIST_STATE_OF, UNLISTED, UNLISTED_OF_SPACE, UNLISTED_TOTAL,
};
pub use look_ups::LOOK_UPS;
pub use messages::UNACKNOWLEDGED;
pub use public_keys::SESSIONS_TO_ANNOUNCE;
pub use retention::ENDED_SESSION;
pub use scoped::Scoped;
pub use timelines::DUE_MESSAGES;
pub use write::PENDING_MESSAGES;

use super::statement::sql;
pub(super) use sql_store::SqlStore;
