//! The JSON bodies of requests and replies, by resource. A body that has to be checked becomes a value of the domain here.

pub mod account;
pub mod directory;
mod envelope;
pub mod guest;
pub mod health;
mod interaction;
mod key;
pub mod me;
mod message;
mod participant;
mod session;
mod timeline;

pub use interaction::{AnswerDraft, BlocksDraft, InteractionDraft};
pub use key::{AttestationDraft, KeyBackup, PublicKeyDraft};
pub use message::{AcknowledgementDraft, AwaitedMessage, MessageDraft};
pub use participant::{ParticipantDraft, ReadBody, TypingBody};
pub use session::{FeedItem, SessionChange, SessionDraft};
pub use timeline::TimelineReply;

use utoipa::ToSchema;

/// The body of a request without parameters: an object whose keys are ignored, or empty.
#[derive(ToSchema)]
pub struct NoBody {}
