//! The only door for change: commands go through the `queue` of a group commit; readers move along with a [`cursor`].

mod batch;
mod commit;
pub mod cursor;
mod idempotency;
mod queue;
mod request;
mod writer;

pub use cursor::Cursor;
pub use idempotency::{Claim, Idempotency, InFlight};
pub use queue::Timeline;
pub use request::{Action, By, Outcome, Request};
