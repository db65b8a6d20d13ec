//! Types and rules, pure and synchronous: no async, no SQL, no HTTP, no Redis.

pub mod actor;
pub mod audit;
pub mod decide;
pub mod draft;
pub mod encode;
pub mod envelope;
pub mod event;
pub mod hidden;
pub mod ids;
pub mod interaction;
pub(crate) mod json;
pub mod message;
pub mod origin;
pub mod page;
pub mod pages;
pub mod participant;
pub mod people;
pub mod principal;
pub mod refusal;
pub mod session;
pub mod text;
pub mod time;

pub use actor::{Actor, ActorType, Author, Scope};
pub use audit::{AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType};
pub use envelope::Envelope;
pub use event::{CommittedEvent, EventHint, EventType};
pub use ids::*;
pub use interaction::Interaction;
pub use message::{Message, MessageStatus, Priority, SenderType};
pub use origin::Origin;
pub use page::{Page, PageRequest};
pub use participant::{Participant, ParticipantType};
pub use principal::{Permission, Principal};
pub use refusal::Refusal;
pub use session::{Session, SessionStatus};
pub use time::Timestamp;
