//! WebSocket frames (RFC 6455) as bytes: [`decode`] reads those of clients, [`encode`] writes those of the hub.

pub mod decode;
pub mod encode;
