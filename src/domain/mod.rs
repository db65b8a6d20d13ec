//! Types and rules, pure and synchronous: no async, no SQL, no HTTP, no Redis.

mod acknowledge;
pub mod actor;
pub mod answer;
mod deadline;
pub mod decide;
pub mod draft;
pub mod encode;
pub mod envelope;
pub mod event;
pub mod ids;
pub mod interaction;
pub mod message;
pub mod names;
pub mod origin;
pub mod page;
pub mod participant;
pub mod people;
pub mod principal;
pub mod refusal;
pub mod session;
pub mod text;
pub mod time;

pub use actor::{Actor, ActorType, Scope};
pub use envelope::Envelope;
pub use event::{CommittedEvent, EventHint, EventType};
pub use ids::*;
pub use interaction::Interaction;
pub use message::{AnswerOutcome, Message, MessageStatus, Priority, Responder, SenderType};
pub use origin::Origin;
pub use page::{Page, PageRequest};
pub use participant::{Participant, ParticipantType};
pub use principal::{Permission, Principal};
pub use refusal::Refusal;
pub use session::{Session, SessionStatus};
pub use time::Timestamp;
