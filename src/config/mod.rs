//! The configuration: settings from flags, the environment and files, checked once at the start.
//!
//! No other module reads the environment. `settings` is the table of settings, `check` and `parse` validate it.

mod check;
mod parse;
mod secret_file;
mod settings;

use crate::domain::rate::Rate;
use crate::net::web_origin::AllowedOrigins;
use crate::protocol::limits::{AUTH_SECONDS, HEARTBEAT_SECONDS, PONG_SECONDS};
use ipnet::IpNet;
pub use parse::is_safe_for_keys;
pub use settings::{DEFAULT_SPACE, DatabaseSettings, JwtSettings, ListenSettings, LogSettings, Settings};
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;

/// An invalid setting. The text names the setting and says what is accepted.
#[derive(Debug, Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    pub setting: &'static str,
    pub problem: String,
}

fn bad(setting: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError { setting, problem: problem.into() }
}

/// The configuration of a hub.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub database: Database,
    pub redis_url: Option<String>,
    pub jwt: JwtSettings,
    pub trusted_proxies: Vec<IpNet>,
    pub metrics_listen: Option<SocketAddr>,
    pub public_url: Option<String>,
    pub cors_origins: Vec<String>,
    /// The web pages that may open sockets. Set when the hub has bound its port.
    pub allowed_origins: AllowedOrigins,
    pub rate_limit: Option<RateLimit>,
    /// Most long-lived connections for each credential.
    pub connection_limit: Option<u32>,
    pub sign_in_limit: Option<SignInLimit>,
    pub max_body_bytes: usize,
    pub max_field_bytes: usize,
    /// How long the body of a request may take to arrive. Not a setting; tests shorten it.
    pub body_within: Duration,
    /// How long a client may read nothing of a reply before its connection is closed. Not a setting; tests shorten it.
    pub stalled_after: Duration,
    /// Graceful shutdown timeout.
    pub grace: Duration,
    /// When ended sessions are deleted; never if none.
    pub retention: Option<Retention>,
    pub quotas: Quotas,
    pub sockets: SocketTiming,
}

/// Deletion of ended sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub keep_millis: i64,
    /// Interval of the job that deletes them. Not a setting; tests shorten it.
    pub every: Duration,
}

/// Timeouts of WebSockets (contract section 8). Not settings; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct SocketTiming {
    /// Idle time after which the hub sends a ping.
    pub heartbeat: Duration,
    /// Time to answer a ping before the socket is closed.
    pub pong_within: Duration,
    /// Time to authenticate before the socket is closed.
    pub auth_within: Duration,
}

impl Default for SocketTiming {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(HEARTBEAT_SECONDS),
            pong_within: Duration::from_secs(PONG_SECONDS),
            auth_within: Duration::from_secs(AUTH_SECONDS),
        }
    }
}

/// The database and how many connections this node may open.
#[derive(Clone, Debug)]
pub struct Database {
    pub url: String,
    /// Most connections to PostgreSQL at a time.
    pub connections: u32,
}

/// Quotas of spaces and sessions; none is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    pub space_agents: Option<u64>,
    pub space_humans: Option<u64>,
    pub session_guests: Option<u64>,
    pub space_bytes: Option<u64>,
}

/// Requests per second, and the burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub per_second: u32,
    pub burst: u32,
}

/// Failed sign-ins per minute, and the burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignInLimit {
    pub per_minute: u32,
    pub burst: u32,
}

impl SignInLimit {
    /// The interval at which one attempt is refilled.
    pub fn each_millis(&self) -> u64 {
        60_000 / u64::from(self.per_minute.max(1))
    }
}

impl From<RateLimit> for Rate {
    fn from(limit: RateLimit) -> Self {
        Self::new(Duration::from_secs(1) / limit.per_second.max(1), limit.burst)
    }
}

impl From<SignInLimit> for Rate {
    fn from(limit: SignInLimit) -> Self {
        Self::new(Duration::from_millis(limit.each_millis()), limit.burst)
    }
}
