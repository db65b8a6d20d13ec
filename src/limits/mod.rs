//! Limits, one file for each thing that is limited.

pub mod body_memory;
pub mod connections;
pub(crate) mod fair_share;

pub use body_memory::{BodyMemory, Payer};
pub use connections::Connections;
