//! Types and rules, pure and synchronous: no async, no SQL, no HTTP, no Redis.
//!
//! The types that clients see are stored and sent as they are: an event's JSON is written once, and what the store gives
//! back is the reply. So they derive `Serialize` and `ToSchema` here, where their fields stand, instead of having a second
//! copy of each in `protocol`; no rule uses either.

mod acknowledge;
pub(crate) mod actor;
pub(crate) mod answer;
pub(crate) mod audit;
mod blocks;
pub mod change;
pub(crate) mod client_network;
pub mod command;
pub(crate) mod decide;
pub(crate) mod decision;
pub(crate) mod envelope;
pub(crate) mod event;
pub(crate) mod facts;
pub(crate) mod hidden;
pub(crate) mod ids;
pub(crate) mod interaction;
pub(crate) mod json;
pub mod keys;
pub mod message;
pub(crate) mod names;
pub(crate) mod older;
pub mod participant;
pub mod people;
mod permission;
pub(crate) mod principal;
pub(crate) mod rate;
pub(crate) mod refusal;
mod responder;
pub mod session;
pub(crate) mod text;
pub(crate) mod time;
mod words;

pub use actor::{Actor, ActorType, Author, Scope};
pub use audit::{AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType};
pub use client_network::ClientNetwork;
pub use envelope::Envelope;
pub use event::{CommittedEvent, EventHint, EventType};
pub use ids::*;
pub use interaction::Interaction;
pub use keys::KeyEntry;
pub use message::{AnswerOutcome, Message, MessageStatus, Priority, SenderType};
pub use participant::{Participant, ParticipantType};
pub use permission::Permission;
pub use principal::Principal;
pub use refusal::Refusal;
pub use responder::Responder;
pub use session::{Session, SessionStatus};
pub use time::Timestamp;
