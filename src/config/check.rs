//! Checks settings and turns them into a [`Config`].

use super::parse::{
    DEFAULT_SIGN_IN_LIMIT, address, connection_limit, given, is_safe_for_keys, list, network, number, origin_like,
    quota, rate_limit, retention, sign_in_limit,
};
use super::secret_file::secret;
use super::settings::{
    DEFAULT_DATABASE, DEFAULT_SPACE, DatabaseSettings, JwtSettings, ListenSettings, QuotaSettings, Settings,
};
use super::{Config, ConfigError, Database, Quotas, SocketTiming, bad};
use crate::domain::text::{MAX_NAME, check_name};
use crate::net::web_origin::{AllowedOrigins, origin_of};
use std::net::SocketAddr;
use std::time::Duration;

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
    /// The address of the hub, and that of its metrics.
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

    /// Checks the settings of an issuer with published keys. Such an issuer signs for all its applications, so that `aud`
    /// must be checked, and an attacker who could replace the keys in transit could sign in as any human.
    fn check_issuer(&self) -> Result<(), ConfigError> {
        let Some(url) = &self.jwks_url else { return Ok(()) };
        if !is_safe_for_keys(url) {
            return Err(bad("HILOOP_JWKS_URL", "must begin with https:// (http:// only for loopback addresses)"));
        }
        for (setting, value) in [("HILOOP_JWT_ISSUER", &self.jwt_issuer), ("HILOOP_JWT_AUDIENCE", &self.jwt_audience)] {
            if value.is_none() {
                return Err(bad(setting, "must be set if HILOOP_JWKS_URL is"));
            }
        }
        Ok(())
    }

    /// Whether an external issuer may sign tokens.
    pub fn has_external_issuer(&self) -> bool {
        self.jwks_url.is_some() || self.jwt_secret.is_some()
    }
}

impl DatabaseSettings {
    /// Whether the URL is one of SQLite, as far as the settings themselves tell: a file that holds it is read only once,
    /// by [`DatabaseSettings::check`], since it may be a pipe.
    pub fn names_sqlite(&self) -> bool {
        given(self.database_url_file.clone()).is_none() && self.database_url.starts_with("sqlite:")
    }

    pub fn check(&self) -> Result<Database, ConfigError> {
        let file = given(self.database_url_file.clone());
        // A default that was not chosen gives way to a file.
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
