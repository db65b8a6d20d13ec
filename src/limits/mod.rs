//! Limits, one file for each thing that is limited.

pub mod body_memory;
pub mod connections;
pub(crate) mod directory;
pub(crate) mod fair_share;
pub mod rate;
pub(crate) mod space_bytes;

pub use body_memory::{BodyMemory, Payer};
pub use connections::Connections;
pub use rate::{Bucket, Rate};
pub use space_bytes::SpaceBytes;
