//! What the hub replies, as its HTTP API documents it. Keys and values that this version does not know are ignored.

mod actor;
pub(crate) mod envelope;
mod event;
mod feed;
mod guest;
mod interaction;
pub(crate) mod message;
pub(crate) mod opened;
pub(crate) mod outcome;
pub(crate) mod participant;
pub(crate) mod session;
pub(crate) mod timestamp;
pub(crate) mod verified_question;
mod words;

pub use actor::Actor;
pub use envelope::{Content, Envelope, Opened};
pub use event::{Event, TimelinePage};
pub use feed::FeedEntry;
pub use guest::{GuestInvitation, GuestToken};
pub use interaction::Interaction;
pub use message::{Message, MessageStatus, Priority, Responder, Response};
pub use opened::{Authenticity, OpenedMessage};
pub use outcome::Outcome;
pub use participant::{Contact, Myself, Participant};
pub use session::{Page, Session, SessionStatus};
pub use timestamp::Timestamp;
pub use verified_question::VerifiedQuestion;
