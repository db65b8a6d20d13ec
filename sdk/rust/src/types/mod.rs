//! What the hub replies, as its HTTP API documents it. Keys and values that this version does not know are ignored.

mod envelope;
mod event;
mod guest;
mod interaction;
mod message;
mod participant;
mod session;
mod timestamp;

pub use envelope::{Content, Envelope, Opened};
pub use event::{Actor, Event, TimelinePage};
pub use guest::{GuestInvitation, GuestToken};
pub use interaction::Interaction;
pub use message::{Message, MessageStatus, Outcome, Priority, Responder, Response};
pub use participant::{Contact, Myself, Participant};
pub use session::{Page, Session, SessionStatus};
pub use timestamp::Timestamp;

/// An enum whose values are their names on the wire, with `Unknown` for those of a later version of the hub.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $word:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$each])* $word,)+
            /// A value that this version does not know.
            #[serde(other)]
            Unknown,
        }
    };
}
pub(crate) use words;
