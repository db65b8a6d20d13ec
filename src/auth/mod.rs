//! Authentication: from a credential (API key, guest token, JWT, password) to a principal.

mod accounts;
mod acting;
mod attempts;
mod authenticator;
mod caller;
pub mod credential;
mod external;
mod jwks;
mod jwt;
mod passwords;
mod revoked;
pub mod secret;
mod usage;

pub use accounts::{Accounts, SignedIn, Visit};
pub use attempts::Attempts;
pub use authenticator::Authenticator;
pub use caller::{Caller, Provisioner};
pub use jwks::Jwks;
pub use jwt::{JwtConfig, JwtSecrets, Jwts};
pub use revoked::RecentlyRevoked;
pub use secret::Secret;
