//! The format of messages between nodes over Redis: versioned JSON of bounded size.

mod decode;
mod encode;
mod format;
#[cfg(test)]
mod tests;

pub(super) use decode::decode;
pub(super) use encode::{encode, size};
pub(super) use format::Body;
