//! Isolation of spaces and sessions, and permissions.
//!
//! One table of every route, called by every principal without access, then by those with access. A route without a
//! row here fails [`every_route_is_listed`].

mod credentials;
mod deactivation;
mod fixture;
mod refusals;
mod routes;
mod sockets;
mod tenants;

pub use fixture::Fixture;
pub use routes::FRAMES;
pub use routes::ROUTES;
pub use routes::Route;
pub use routes::Who;
use std::time::Duration;

/// Time for a revocation to end live connections (contract section 2), with a margin.
const REVOKED_WITHIN: Duration = Duration::from_millis(2500);

fn code_of(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        _ => "NOT_FOUND",
    }
}
