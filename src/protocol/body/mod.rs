//! The JSON bodies of requests and replies, by resource. A body that has to be checked becomes a value of the domain here.

pub mod directory;
mod envelope;
pub mod guest;
mod interaction;
mod key;
mod message;
mod participant;
mod session;

pub use envelope::EnvelopeInput;
pub use interaction::{AnswerDraft, BlocksDraft, InteractionDraft};
pub use key::KeyBackup;
pub use message::{AcknowledgementDraft, Heard, MessageDraft};
pub use participant::{ParticipantDraft, ReadBody, TypingBody};
pub use session::{FeedItem, SessionChange, SessionDraft};
