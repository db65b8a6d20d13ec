//! The WebSocket codec (RFC 6455): [`decode`] for frames of clients, [`encode`] for frames of the hub.

pub mod decode;
pub mod encode;
