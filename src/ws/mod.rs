//! WebSockets (contract section 8): `upgrade` handles the request, [`state`] is the protocol without a socket,
//! `handle` is the half of a connection that the hub delivers to, `connection` its one task.

mod connection;
mod frame_rate;
mod handle;
pub mod outbox;
pub mod state;
mod upgrade;

pub use upgrade::upgrade;
