//! Nothing crosses a tenant, a session or a permission.
//!
//! One table of every route, asked by everyone who has no business there, then by those who have. A route without a
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

/// How long a revocation may take to end what is live (contract section 2), and a little for the test itself.
const REVOKED_WITHIN: Duration = Duration::from_millis(2500);

fn code_of(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        _ => "NOT_FOUND",
    }
}
