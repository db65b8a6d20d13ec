//! Limits: requests of each credential and frames of each socket, failed sign-ins by address, and what one session and
//! one reply may hold.

mod rates;
mod sign_ins;
mod sizes;

pub use sign_ins::LOGIN;
pub use sign_ins::at;
pub use sign_ins::fail;
pub use sign_ins::guarded;
pub use sign_ins::person;
