//! The other side of a conversation, for tests and bots: a [`Person`] who reads questions and answers them.

mod pending;
mod person;
mod reading;
mod sign_in;

pub use pending::Pending;
pub use person::Person;
