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
//! Every write is carried out once, however often the network or a restart of the hub interrupts it. Messages are
//! envelopes of the scheme `plain`, which the operator of the hub can read; this version does not encrypt.

#![allow(dead_code)] // the client does not encrypt yet

mod ask;
mod backoff;
mod builder;
mod call;
mod client;
mod decision;
mod drafts;
pub mod e2e;
mod error;
mod http;
mod key;
mod live;
mod messages;
mod net;
mod question;
mod sessions;
mod trust;
mod types;

pub use builder::{ClientBuilder, Encryption};
pub use client::Client;
pub use decision::Decision;
pub use drafts::{NewMessage, NewParticipant, NewSession};
pub use error::Error;
pub use live::{Connection, Events};
pub use question::Question;
pub use types::{
    Actor, Contact, Content, Envelope, Event, GuestInvitation, GuestToken, Interaction, Message, MessageStatus, Myself,
    Opened, Outcome, Page, Participant, Priority, Responder, Response, Session, SessionStatus, TimelinePage, Timestamp,
};
