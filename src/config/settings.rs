//! The table of settings: every one is a flag and an environment variable. Values are text here; `check` parses them.

use clap::Args;

/// The space that is used where none is named.
pub const DEFAULT_SPACE: &str = "default";
/// The database that is used where none is named.
pub(super) const DEFAULT_DATABASE: &str = "sqlite://hiloop-data/hiloop.db";

/// The settings of `hiloop serve`, as text.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    #[command(flatten)]
    pub listen: ListenSettings,
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Connects several nodes over one database: redis://…, rediss://…, redis+cluster://A,B,… or rediss+cluster://…
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// File that holds the value of REDIS_URL
    #[arg(long, env = "REDIS_URL_FILE")]
    pub redis_url_file: Option<String>,
    #[command(flatten)]
    pub jwt: JwtSettings,
    /// Addresses and networks (10.0.0.0/8) of reverse proxies whose X-Forwarded-For is trusted, separated by commas
    #[arg(long, env = "HILOOP_TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: String,
    /// Public URL of the hub, for links (from the listen address if not set)
    #[arg(long, env = "HILOOP_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Origins of other web pages that may call the hub, separated by commas
    #[arg(long, env = "HILOOP_CORS_ORIGINS", default_value = "")]
    pub cors_origins: String,
    /// Requests per second for each credential, such as 100/s, or off
    #[arg(long, env = "HILOOP_RATE_LIMIT", default_value = "100/s")]
    pub rate_limit: String,
    /// Open WebSockets, event streams and long-polls for each credential, a tenth of it for a guest, or off
    #[arg(long, env = "HILOOP_CONNECTION_LIMIT", default_value = "1000")]
    pub connection_limit: String,
    /// Failed sign-ins per minute for each address, such as 60/min, or off (if not set: 60/min, or off if the rate limit is)
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
    /// Graceful shutdown timeout, in seconds
    #[arg(long, env = "HILOOP_GRACE_SECONDS", default_value = "10")]
    pub grace_seconds: String,
}

/// Addresses to listen on.
#[derive(Args, Clone, Debug)]
pub struct ListenSettings {
    /// Address and port to listen on; port 0 takes any free one
    #[arg(long, env = "HILOOP_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Second address and port that serves /metrics, /livez and /readyz without a credential
    #[arg(long, env = "HILOOP_METRICS_LISTEN")]
    pub metrics_listen: Option<String>,
}

/// The database, for every command that opens it.
#[derive(Args, Clone, Debug)]
pub struct DatabaseSettings {
    /// sqlite://… or postgres://…
    #[arg(long, env = "DATABASE_URL", default_value = DEFAULT_DATABASE, hide_env_values = true)]
    pub database_url: String,
    /// File that holds the value of DATABASE_URL
    #[arg(long, env = "DATABASE_URL_FILE")]
    pub database_url_file: Option<String>,
    /// Maximum connections of this node to PostgreSQL
    #[arg(long, env = "HILOOP_DATABASE_CONNECTIONS", default_value = "16")]
    pub database_connections: String,
}

/// Tokens and their issuers.
#[derive(Args, Clone, Debug)]
pub struct JwtSettings {
    /// HS256 secret of at least 32 characters (generated once and kept in the database if not set)
    #[arg(long, env = "HILOOP_JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<String>,
    /// File that holds the value of HILOOP_JWT_SECRET
    #[arg(long, env = "HILOOP_JWT_SECRET_FILE")]
    pub jwt_secret_file: Option<String>,
    /// URL of the JWKS of an external issuer
    #[arg(long, env = "HILOOP_JWKS_URL")]
    pub jwks_url: Option<String>,
    /// The iss that tokens of the external issuer must have
    #[arg(long, env = "HILOOP_JWT_ISSUER")]
    pub jwt_issuer: Option<String>,
    /// The aud that tokens of the external issuer must have
    #[arg(long, env = "HILOOP_JWT_AUDIENCE")]
    pub jwt_audience: Option<String>,
    /// Space that people of an external issuer join; created at start-up
    #[arg(long, env = "HILOOP_JWT_SPACE", default_value = DEFAULT_SPACE)]
    pub jwt_space: String,
}

/// Quotas.
#[derive(Args, Clone, Debug)]
pub struct QuotaSettings {
    /// Maximum active agents of a space, or off
    #[arg(long, env = "HILOOP_SPACE_AGENTS", default_value = "1000")]
    pub space_agents: String,
    /// Maximum active humans of a space, or off
    #[arg(long, env = "HILOOP_SPACE_HUMANS", default_value = "10000")]
    pub space_humans: String,
    /// Maximum guests of a session, or off
    #[arg(long, env = "HILOOP_SESSION_GUESTS", default_value = "100")]
    pub session_guests: String,
    /// Maximum bytes of events in the sessions of a space, or off
    #[arg(long, env = "HILOOP_SPACE_BYTES", default_value = "off")]
    pub space_bytes: String,
}

/// Logging.
#[derive(Args, Clone, Debug)]
pub struct LogSettings {
    /// Log level (error, warn, info, debug, trace) or a filter by module
    #[arg(long, env = "HILOOP_LOG", default_value = "info", global = true)]
    pub log: String,
    /// Log format: text or json
    #[arg(long, env = "HILOOP_LOG_FORMAT", default_value = "text", global = true)]
    pub log_format: String,
}
