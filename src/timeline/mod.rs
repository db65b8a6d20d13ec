//! The only way to change a timeline, and the only way to read one: requests go through the `queue` of a group commit,
//! and every reader follows the rules of [`reader`].

mod batch;
mod commit;
mod idempotency;
mod job;
mod queue;
pub mod reader;
mod request;
mod space_bytes;
mod writer;

pub use idempotency::{Claim, Idempotency};
pub use queue::Timeline;
pub use request::{Action, By, Outcome, Request};
pub use space_bytes::SpaceBytes;
