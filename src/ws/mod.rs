//! WebSockets (contract section 8): [`upgrade`] takes the request, [`session`] is the protocol without a socket,
//! [`link`] is what the hub's fan-out writes to, [`connection`] is the one task of each socket.

pub mod asyncapi;
pub mod close;
pub mod codec;
mod connection;
mod link;
pub mod outbox;
mod pace;
pub mod protocol;
pub mod session;
mod upgrade;

pub use upgrade::upgrade;
