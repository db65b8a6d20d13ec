//! The only door for change: commands go through the [`writer`]'s group commit; readers move along with a [`cursor`].

mod batch;
pub mod cursor;
mod idempotency;
mod shard;
pub mod writer;

pub use batch::{Action, By, Outcome, Request};
pub use cursor::Cursor;
pub use idempotency::{Claim, Idempotency, InFlight};
pub use writer::Timeline;
