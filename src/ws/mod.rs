//! WebSockets (contract section 8): [`upgrade`] takes the request, [`session`] is the protocol without a socket,
//! [`link`] is what the hub's fan-out writes to, [`connection`] is the one task of each socket.

mod connection;
mod link;
pub mod outbox;
mod pace;
pub mod session;
mod upgrade;

pub use upgrade::upgrade;
