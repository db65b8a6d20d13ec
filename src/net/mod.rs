//! The connection under HTTP and WebSocket: its stream with its timeouts, the client's address, and which web pages may
//! open sockets.

mod arrivals;
pub mod client_address;
mod refused;
mod stall;
mod stream;
pub mod web_origin;

pub use arrivals::Arrivals;
pub use stall::Cutoff;
pub use stream::Watched;
