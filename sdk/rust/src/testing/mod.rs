//! The other side of a conversation, for tests and bots: a [`Person`] who reads questions and answers them.

mod person;

pub use person::{Pending, Person};
