//! The only door for change: commands go through the [`writer`]'s group commit; readers move along with a [`cursor`].

mod batch;
pub mod cursor;
pub mod writer;

pub(crate) use batch::KEEP_REPLIES_MILLIS;
pub use batch::{Action, By, Idempotency, Outcome, Request};
pub use cursor::Cursor;
pub use writer::Timeline;
