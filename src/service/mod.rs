//! Use cases, one file per resource. HTTP handlers, sockets, the command line and jobs call these.
//!
//! A use case takes checked input, follows the rules of [`crate::domain`] through the timeline or a transaction of the
//! directory, and leaves its entry in the audit log. It handles neither requests nor replies. A read that is one look-up
//! of the store has no use case here: its handler calls the store.

mod answer;
pub mod audit;
pub mod directory;
pub mod guests;
pub mod idempotency;
pub mod interactions;
pub mod messages;
pub mod participants;
pub mod public_keys;
mod resolution;
pub mod revocation;
pub mod sessions;

pub use answer::Answer;
