//! The JSON bodies of requests, by resource. Each is checked here and becomes a value of the domain.

mod envelope;
mod interaction;
mod message;
mod participant;
mod session;

pub use envelope::EnvelopeInput;
pub use interaction::{AnswerDraft, BlocksDraft, InteractionDraft};
pub use message::MessageDraft;
pub use participant::ParticipantDraft;
pub use session::{SessionChange, SessionDraft};
