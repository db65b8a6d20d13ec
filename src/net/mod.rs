//! The connection below HTTP and WebSocket: the stream with its timeouts, the client's address, and the web origins that may
//! open sockets.

pub mod client_address;
mod head_timeout;
mod stream;
mod unreadable_request;
pub mod web_origin;
mod write_timeout;

pub use head_timeout::HeadTimer;
pub use stream::ClientStream;
pub use write_timeout::Cutoff;
