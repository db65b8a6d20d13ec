//! From a credential to a principal: API keys, guest tokens, JWTs, passwords.

mod accounts;
mod acting;
mod attempts;
mod authenticator;
pub mod credential;
mod jwks;
mod jwt;
mod passwords;
pub mod secret;
mod usage;

pub use accounts::{Accounts, SignedIn};
pub use attempts::Attempts;
pub use authenticator::{Authenticator, Caller, Provisioner};
pub use jwks::Jwks;
pub use jwt::{Claims, JwtConfig, Jwts};
pub use secret::Secret;
