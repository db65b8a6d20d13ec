//! Settings, from flags, the environment and files that these name, checked once. The only reader of the environment.

mod secret_file;

use self::secret_file::secret;
use crate::domain::text::{MAX_NAME, check_name};
use crate::gcra::Rate;
use crate::net::web_origin::{AllowedOrigins, origin_of};
use clap::Args;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use thiserror::Error;

/// The space that everything belongs to unless one is named.
pub const DEFAULT_SPACE: &str = "default";
/// The store unless another is named.
const DEFAULT_DATABASE: &str = "sqlite://hiloop-data/hiloop.db";

/// The settings as they are given. Every one is a flag and an environment variable.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    #[command(flatten)]
    pub listen: ListenSettings,
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Connects several nodes over one store: redis://…, rediss://…, redis+cluster://A,B,… or rediss+cluster://…
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// File that holds REDIS_URL
    #[arg(long, env = "REDIS_URL_FILE")]
    pub redis_url_file: Option<String>,
    #[command(flatten)]
    pub jwt: JwtSettings,
    /// Addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-For counts, separated by commas
    #[arg(long, env = "HILOOP_TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: String,
    /// The URL under which people reach the hub, for links (from the listen address if not set)
    #[arg(long, env = "HILOOP_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Origins of other web pages that may call the hub, separated by commas
    #[arg(long, env = "HILOOP_CORS_ORIGINS", default_value = "")]
    pub cors_origins: String,
    /// Requests per second for each credential, as 100/s, or off
    #[arg(long, env = "HILOOP_RATE_LIMIT", default_value = "100/s")]
    pub rate_limit: String,
    /// Sockets, event streams and long-polls open at once for each credential, a tenth of it for a guest, or off
    #[arg(long, env = "HILOOP_CONNECTION_LIMIT", default_value = "1000")]
    pub connection_limit: String,
    /// Failed sign-ins per minute for each address, as 60/min, or off (60/min if not set, off where the rate limit is)
    #[arg(long, env = "HILOOP_SIGN_IN_LIMIT")]
    pub sign_in_limit: Option<String>,
    /// Largest request body, in bytes
    #[arg(long, env = "HILOOP_MAX_BODY_BYTES", default_value = "1048576")]
    pub max_body_bytes: String,
    /// Largest encrypted field, in bytes
    #[arg(long, env = "HILOOP_MAX_FIELD_BYTES", default_value = "262144")]
    pub max_field_bytes: String,
    /// Days after which closed and archived sessions are deleted, or off
    #[arg(long, env = "HILOOP_RETENTION_DAYS", default_value = "off")]
    pub retention_days: String,
    #[command(flatten)]
    pub quotas: QuotaSettings,
    /// Time to end everything after SIGTERM, in seconds
    #[arg(long, env = "HILOOP_GRACE_SECONDS", default_value = "10")]
    pub grace_seconds: String,
}

/// The settings of where a hub answers.
#[derive(Args, Clone, Debug)]
pub struct ListenSettings {
    /// Address and port to listen on; port 0 takes any free one
    #[arg(long, env = "HILOOP_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Address and port on which /metrics is open to everyone
    #[arg(long, env = "HILOOP_METRICS_LISTEN")]
    pub metrics_listen: Option<String>,
}

/// The settings of what a space and a session may hold.
#[derive(Args, Clone, Debug)]
pub struct QuotaSettings {
    /// Most agents of a space, or off
    #[arg(long, env = "HILOOP_SPACE_AGENTS", default_value = "1000")]
    pub space_agents: String,
    /// Most humans of a space, or off
    #[arg(long, env = "HILOOP_SPACE_HUMANS", default_value = "10000")]
    pub space_humans: String,
    /// Most guests of a session, or off
    #[arg(long, env = "HILOOP_SESSION_GUESTS", default_value = "100")]
    pub session_guests: String,
    /// Most bytes of events of all sessions of a space, or off
    #[arg(long, env = "HILOOP_SPACE_BYTES", default_value = "off")]
    pub space_bytes: String,
}

/// What a space and a session may hold; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    pub space_agents: Option<u64>,
    pub space_humans: Option<u64>,
    pub session_guests: Option<u64>,
    pub space_bytes: Option<u64>,
}

/// The settings that every command needs which opens the store.
#[derive(Args, Clone, Debug)]
pub struct DatabaseSettings {
    /// sqlite://… or postgres://…
    #[arg(long, env = "DATABASE_URL", default_value = DEFAULT_DATABASE, hide_env_values = true)]
    pub database_url: String,
    /// File that holds DATABASE_URL
    #[arg(long, env = "DATABASE_URL_FILE")]
    pub database_url_file: Option<String>,
    /// Most connections to PostgreSQL at a time, of this node
    #[arg(long, env = "HILOOP_DATABASE_CONNECTIONS", default_value = "16")]
    pub database_connections: String,
}

/// Where the store is and how much of it this node may take.
#[derive(Clone, Debug)]
pub struct Database {
    pub url: String,
    /// Most connections to PostgreSQL at a time.
    pub connections: u32,
}

/// The settings of tokens.
#[derive(Args, Clone, Debug)]
pub struct JwtSettings {
    /// Secret of HS256 tokens, at least 32 characters (made once and kept in the store if not set)
    #[arg(long, env = "HILOOP_JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<String>,
    /// File that holds HILOOP_JWT_SECRET
    #[arg(long, env = "HILOOP_JWT_SECRET_FILE")]
    pub jwt_secret_file: Option<String>,
    /// URL of the JWKS of an outside issuer
    #[arg(long, env = "HILOOP_JWKS_URL")]
    pub jwks_url: Option<String>,
    /// Issuer that tokens must name
    #[arg(long, env = "HILOOP_JWT_ISSUER")]
    pub jwt_issuer: Option<String>,
    /// Audience that tokens must name
    #[arg(long, env = "HILOOP_JWT_AUDIENCE")]
    pub jwt_audience: Option<String>,
    /// Space that humans of an outside issuer join; made at the start if there is none of that name
    #[arg(long, env = "HILOOP_JWT_SPACE", default_value = DEFAULT_SPACE)]
    pub jwt_space: String,
}

/// How the program logs.
#[derive(Args, Clone, Debug)]
pub struct LogSettings {
    /// What to log: error, warn, info, debug, trace, or a filter by module
    #[arg(long, env = "HILOOP_LOG", default_value = "info", global = true)]
    pub log: String,
    /// text or json
    #[arg(long, env = "HILOOP_LOG_FORMAT", default_value = "text", global = true)]
    pub log_format: String,
}

/// A setting that can't be used. Its text names the setting.
#[derive(Debug, Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    pub setting: &'static str,
    pub problem: String,
}

/// A value that says something: composing tools tend to pass on what is not set as an empty one.
fn given(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.trim().is_empty())
}

fn bad(setting: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError { setting, problem: problem.into() }
}

/// Requests per second, and how many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub per_second: u32,
    pub burst: u32,
}

const DEFAULT_SIGN_IN_LIMIT: SignInLimit = SignInLimit { per_minute: 60, burst: 60 };

/// Failed sign-ins per minute, and how many may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignInLimit {
    pub per_minute: u32,
    pub burst: u32,
}

impl SignInLimit {
    /// The time in which one attempt comes back.
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

/// The settings, checked.
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
    /// The web pages that may open sockets; set as the hub starts, when it has its address.
    pub allowed_origins: AllowedOrigins,
    pub rate_limit: Option<RateLimit>,
    /// Most connections that stay open, for each credential.
    pub connection_limit: Option<u32>,
    pub sign_in_limit: Option<SignInLimit>,
    pub max_body_bytes: usize,
    pub max_field_bytes: usize,
    /// How long the body of a request may take to arrive. No setting: tests alone shorten it.
    pub body_within: Duration,
    /// How long a client may take nothing of a reply before its connection is given up. No setting: tests alone shorten
    /// it.
    pub stalled_after: Duration,
    pub grace: Duration,
    /// How long sessions that have ended are kept; for good if none.
    pub retention: Option<Retention>,
    pub quotas: Quotas,
    pub sockets: SocketTiming,
}

/// How long sessions that have ended are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub keep_millis: i64,
    /// How often to look for those to delete. No setting: tests alone shorten it.
    pub every: Duration,
}

/// How long a socket may be silent (contract section 8). No setting: tests alone shorten it.
#[derive(Clone, Copy, Debug)]
pub struct SocketTiming {
    /// Silence after which the hub pings.
    pub heartbeat: Duration,
    /// Silence after a ping that ends it.
    pub pong_within: Duration,
    /// How long a client may take to authenticate.
    pub auth_within: Duration,
}

impl Default for SocketTiming {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(25),
            pong_within: Duration::from_secs(10),
            auth_within: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// Checks every setting.
    pub fn check(self) -> Result<Config, ConfigError> {
        let public_url = given(self.public_url).map(|url| origin_like("HILOOP_PUBLIC_URL", &url, true)).transpose()?;
        let cors_origins = list(&self.cors_origins)
            .map(|origin| origin_like("HILOOP_CORS_ORIGINS", origin, false).map(|origin| origin_of(&origin)))
            .collect::<Result<_, _>>()?;
        let jwt = self.jwt.check()?;
        jwt.check_issuer()?;
        let database = self.database.check()?;
        let (listen, metrics_listen) = self.listen.check()?;
        let rate_limit = rate_limit(&self.rate_limit)?;
        Ok(Config {
            listen,
            database,
            redis_url: secret("REDIS_URL", given(self.redis_url), "REDIS_URL_FILE", given(self.redis_url_file))?,
            jwt,
            trusted_proxies: list(&self.trusted_proxies).map(network).collect::<Result<_, _>>()?,
            metrics_listen,
            public_url,
            cors_origins,
            allowed_origins: AllowedOrigins::default(),
            rate_limit,
            connection_limit: connection_limit(&self.connection_limit)?,
            sign_in_limit: match &given(self.sign_in_limit) {
                Some(text) => sign_in_limit(text)?,
                None => rate_limit.map(|_| DEFAULT_SIGN_IN_LIMIT),
            },
            max_body_bytes: number("HILOOP_MAX_BODY_BYTES", &self.max_body_bytes, 1024, 64 << 20)?,
            max_field_bytes: number("HILOOP_MAX_FIELD_BYTES", &self.max_field_bytes, 1024, 16 << 20)?,
            body_within: Duration::from_secs(30),
            stalled_after: Duration::from_secs(60),
            grace: Duration::from_secs(number("HILOOP_GRACE_SECONDS", &self.grace_seconds, 1, 3600)? as u64),
            retention: retention(&self.retention_days)?,
            quotas: self.quotas.check()?,
            sockets: SocketTiming::default(),
        })
    }
}

impl ListenSettings {
    /// Where the hub listens, and where its metrics are open.
    pub fn check(&self) -> Result<(SocketAddr, Option<SocketAddr>), ConfigError> {
        let metrics = self.metrics_listen.as_deref().filter(|text| !text.trim().is_empty());
        Ok((
            address("HILOOP_LISTEN", &self.listen)?,
            metrics.map(|text| address("HILOOP_METRICS_LISTEN", text)).transpose()?,
        ))
    }
}

impl QuotaSettings {
    fn check(&self) -> Result<Quotas, ConfigError> {
        Ok(Quotas {
            space_agents: quota("HILOOP_SPACE_AGENTS", &self.space_agents)?,
            space_humans: quota("HILOOP_SPACE_HUMANS", &self.space_humans)?,
            session_guests: quota("HILOOP_SESSION_GUESTS", &self.session_guests)?,
            space_bytes: quota("HILOOP_SPACE_BYTES", &self.space_bytes)?,
        })
    }
}

impl JwtSettings {
    pub fn check(self) -> Result<Self, ConfigError> {
        let jwt = Self {
            jwt_secret: secret(
                "HILOOP_JWT_SECRET",
                given(self.jwt_secret),
                "HILOOP_JWT_SECRET_FILE",
                given(self.jwt_secret_file),
            )?,
            jwt_secret_file: None,
            jwks_url: given(self.jwks_url),
            jwt_issuer: given(self.jwt_issuer),
            jwt_audience: given(self.jwt_audience),
            jwt_space: given(Some(self.jwt_space)).unwrap_or_else(|| DEFAULT_SPACE.to_owned()),
        };
        if let Some(url) = &jwt.jwks_url
            && !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme))
        {
            return Err(bad("HILOOP_JWKS_URL", "must begin with https:// or http://"));
        }
        if jwt.jwt_secret.as_ref().is_some_and(|secret| secret.len() < 32) {
            return Err(bad("HILOOP_JWT_SECRET", "must have at least 32 characters (RFC 7518 section 3.2)"));
        }
        if check_name("HILOOP_JWT_SPACE", &jwt.jwt_space).is_err() {
            return Err(bad(
                "HILOOP_JWT_SPACE",
                format!("must be the name of a space, of at most {MAX_NAME} characters"),
            ));
        }
        Ok(jwt)
    }

    /// Checks what a hub needs that takes tokens by an issuer's published keys: these sign for every application of the
    /// issuer, and whoever could change them on the way could sign in as anybody.
    fn check_issuer(&self) -> Result<(), ConfigError> {
        let Some(url) = &self.jwks_url else { return Ok(()) };
        if !is_safe_for_keys(url) {
            return Err(bad("HILOOP_JWKS_URL", "must begin with https:// (http:// for loopback addresses alone)"));
        }
        for (setting, value) in [("HILOOP_JWT_ISSUER", &self.jwt_issuer), ("HILOOP_JWT_AUDIENCE", &self.jwt_audience)] {
            if value.is_none() {
                return Err(bad(setting, "must be set where HILOOP_JWKS_URL is"));
            }
        }
        Ok(())
    }

    /// Whether anybody but the hub may sign tokens.
    pub fn has_outside_issuer(&self) -> bool {
        self.jwks_url.is_some() || self.jwt_secret.is_some()
    }
}

impl DatabaseSettings {
    pub fn check(&self) -> Result<Database, ConfigError> {
        let file = given(self.database_url_file.clone());
        // The default is no choice of anybody's: it gives way to a file.
        let unset = |url: &String| url == DEFAULT_DATABASE || url.trim().is_empty();
        let url = Some(self.database_url.clone()).filter(|url| file.is_none() || !unset(url));
        let url = secret("DATABASE_URL", url, "DATABASE_URL_FILE", file)?.unwrap_or_default();
        if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(bad("DATABASE_URL", "must begin with sqlite:// or postgres://"));
        }
        let connections = number("HILOOP_DATABASE_CONNECTIONS", &self.database_connections, 2, 1000)?;
        Ok(Database { url, connections: u32::try_from(connections).unwrap_or(u32::MAX) })
    }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn address(setting: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    let text = text.replacen("localhost:", "127.0.0.1:", 1);
    text.parse().map_err(|_| bad(setting, format!("'{text}' is no address and port such as 127.0.0.1:8080")))
}

fn number(setting: &'static str, text: &str, min: usize, max: usize) -> Result<usize, ConfigError> {
    let value = text.parse().ok().filter(|value| (min..=max).contains(value));
    value.ok_or_else(|| bad(setting, format!("'{text}' is no number from {min} to {max}")))
}

/// A URL of scheme and host, without a slash at its end; with `path`, it may have one.
fn origin_like(setting: &'static str, text: &str, path: bool) -> Result<String, ConfigError> {
    let text = text.trim_end_matches('/');
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    if host.is_empty() || host.contains(['?', '#', ' ']) || (!path && host.contains('/')) {
        return Err(bad(setting, format!("'{text}' is no URL such as https://hub.example.org")));
    }
    Ok(text.to_owned())
}

/// Whether keys that tokens are checked with may be fetched from a URL: nobody on the way can change them.
pub fn is_safe_for_keys(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

/// `off`, or a number of days.
fn retention(text: &str) -> Result<Option<Retention>, ConfigError> {
    if text == "off" {
        return Ok(None);
    }
    let days = text.parse::<i64>().ok().filter(|days| (1..=36_500).contains(days));
    let days =
        days.ok_or_else(|| bad("HILOOP_RETENTION_DAYS", format!("'{text}' is no number from 1 to 36500, nor off")))?;
    Ok(Some(Retention { keep_millis: days * 24 * 60 * 60 * 1000, every: Duration::from_secs(60) }))
}

/// `off`, or how many.
fn quota(setting: &'static str, text: &str) -> Result<Option<u64>, ConfigError> {
    const MOST: u64 = 1 << 50;
    if text == "off" {
        return Ok(None);
    }
    let number = text.parse::<u64>().ok().filter(|number| (1..=MOST).contains(number));
    number.map(Some).ok_or_else(|| bad(setting, format!("must be 1 to {MOST} or \"off\" (got '{text}')")))
}

/// `off`, or `N/s`; the burst is twice the rate.
fn rate_limit(text: &str) -> Result<Option<RateLimit>, ConfigError> {
    if text == "off" {
        return Ok(None);
    }
    let per_second =
        text.strip_suffix("/s").and_then(|n| n.parse::<u32>().ok()).filter(|n| (1..=1_000_000).contains(n));
    match per_second {
        Some(per_second) => Ok(Some(RateLimit { per_second, burst: per_second * 2 })),
        None => Err(bad("HILOOP_RATE_LIMIT", format!("'{text}' must be a rate such as 100/s, or off"))),
    }
}

/// `off`, or a number.
fn connection_limit(text: &str) -> Result<Option<u32>, ConfigError> {
    if text == "off" {
        return Ok(None);
    }
    let limit = text.parse::<u32>().ok().filter(|limit| (1..=1_000_000).contains(limit));
    let problem = || format!("must be 1 to 1000000 or \"off\" (got '{text}')");
    limit.map(Some).ok_or_else(|| bad("HILOOP_CONNECTION_LIMIT", problem()))
}

/// `off`, or `N/min`; so many may come at once.
fn sign_in_limit(text: &str) -> Result<Option<SignInLimit>, ConfigError> {
    if text == "off" {
        return Ok(None);
    }
    let per_minute = text.strip_suffix("/min").and_then(|n| n.parse::<u32>().ok()).filter(|n| (1..=10_000).contains(n));
    match per_minute {
        Some(per_minute) => Ok(Some(SignInLimit { per_minute, burst: per_minute })),
        None => Err(bad("HILOOP_SIGN_IN_LIMIT", format!("'{text}' must be a rate such as 60/min, or off"))),
    }
}

/// An address, or a network in CIDR notation.
fn network(text: &str) -> Result<IpNet, ConfigError> {
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.ok_or_else(|| {
        bad("HILOOP_TRUSTED_PROXIES", format!("'{text}' is no IP address or network such as 10.0.0.0/8"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fetched_where_nobody_can_change_them() {
        for safe in ["https://idp.example/jwks", "http://127.0.0.1:9/k", "http://[::1]/k", "http://localhost:1/"] {
            assert!(is_safe_for_keys(safe), "{safe}");
        }
        for unsafe_url in
            ["http://idp.example/jwks", "http://localhost.example/", "http://10.0.0.1/", "ftp://a/", "x", ""]
        {
            assert!(!is_safe_for_keys(unsafe_url), "{unsafe_url}");
        }
    }

    #[test]
    fn bad_settings_are_named() {
        assert_eq!(rate_limit("100/s").expect("valid"), Some(RateLimit { per_second: 100, burst: 200 }));
        assert_eq!(rate_limit("off").expect("valid"), None);
        assert_eq!(sign_in_limit("60/min").expect("valid"), Some(DEFAULT_SIGN_IN_LIMIT));
        assert_eq!(sign_in_limit("off").expect("valid"), None);
        assert!(sign_in_limit("10/s").expect_err("refused").to_string().starts_with("HILOOP_SIGN_IN_LIMIT: "));
        assert_eq!(network("10.0.0.1").expect("valid"), network("10.0.0.1/32").expect("valid"));
        assert!(network("10.0.0.0/33").is_err() && network("proxy").is_err());
        assert!(rate_limit("many").expect_err("refused").to_string().starts_with("HILOOP_RATE_LIMIT: "));
        assert!(address("HILOOP_LISTEN", "nowhere").expect_err("refused").to_string().starts_with("HILOOP_LISTEN: "));
        assert!(origin_like("X", "ftp://a", false).is_err());
        assert_eq!(origin_like("X", "https://a.org/", false).expect("valid"), "https://a.org");
    }
}
