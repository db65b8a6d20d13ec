//! A client of Hiloop Hub for agents: sessions, questions to people and their answers, live events.
//!
//! ```no_run
//! # async fn run() -> Result<(), hiloop_sdk::Error> {
//! use hiloop_sdk::{Client, Question};
//!
//! let client = Client::builder().api_key("hlp_…").base_url("http://127.0.0.1:8080").build()?;
//! let decision = client.ask(Question::approval("Ship 4.2 to production?").key("deploy-4.2")).await?;
//! if decision.approved {
//!     // deploy
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Every write is carried out once, however often the network or a restart of the hub interrupts it. Messages are sealed
//! end to end (`hiloop/v2`) unless the encryption is off, and answers count only if they verify.

mod ask;
mod asked;
#[doc(hidden)]
pub mod backoff;
mod bounded;
mod builder;
mod call;
mod client;
mod decision;
mod drafts;
pub mod e2e;
mod error;
mod find;
mod form;
#[cfg(test)]
mod golden;
mod held;
mod http;
mod interactions;
mod inviting;
mod key;
mod live;
mod messages;
mod naming;
mod net;
mod noting;
mod offline;
mod opening;
mod people;
mod post_sealed;
mod question;
mod remarks;
mod sealing;
mod sessions;
#[cfg(feature = "testing")]
pub mod testing;
mod trust;
mod types;
mod wait;

pub use asked::AskedQuestion;
pub use builder::{ClientBuilder, Encryption};
pub use client::Client;
pub use decision::Decision;
pub use drafts::{NewMessage, NewParticipant, NewSession};
pub use error::Error;
pub use live::{Connection, Events, Feed};
pub use offline::Answers;
pub use people::Answer;
pub use question::{Answerer, Question};
pub use types::{
    Actor, Authenticity, Contact, Content, Envelope, Event, FeedEntry, GuestInvitation, GuestToken, Interaction,
    Message, MessageStatus, Myself, Opened, OpenedMessage, Outcome, Page, Participant, Priority, Responder, Response,
    Session, SessionStatus, TimelinePage, Timestamp, VerifiedQuestion,
};
