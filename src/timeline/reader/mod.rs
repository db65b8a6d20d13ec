//! The reader of a timeline: its position, and how it catches up from the store.
//!
//! Sockets, event streams, topics and feeds read a timeline by the same rules. Each gets every event once and in order,
//! although hints may be lost, repeated or reordered.
//!
//! - **Position.** A [`Cursor`] has passed on every event up to its position. It takes the next event and no other.
//! - **Duplicate.** An event at or before the position is ignored.
//! - **Gap.** An event beyond the next one is not taken. It only raises the high-water mark: the highest `seq` that was
//!   announced. A cursor below its high-water mark is behind and reads the store, one page at a time
//!   ([`catch_up`]). The store has no gap, except for old events that retention has deleted, which the cursor skips.
//! - **A store that is behind the high-water mark.** The mark is retracted, so that the reader does not query again until
//!   the next hint.
//! - **A store that was restored to an earlier state.** It lacks the event at the position, or has another one there
//!   ([`CatchUp::Restored`]). The reader ends, and its client must discard the delivered events and begin anew.
//! - **The end.** The session is out of scope: it was deleted, or access to it was taken away
//!   ([`CatchUp::OutOfScope`]).

mod catch_up;
mod cursor;
mod position;
#[cfg(test)]
pub(crate) mod simulation;

pub use catch_up::{CatchUp, Page, catch_up, is_replaced};
pub use cursor::{Cursor, Offer};
pub use position::{Gap, Position, Start};
