//! The settings of a client, in code or from the environment.

use crate::client::{Client, Security};
use crate::e2e::encoding::Bytes;
use crate::e2e::folder::settings_folder;
use crate::e2e::keys::SecretKeys;
use crate::error::Error;
use crate::http::{Http, Notify};
use crate::net::{Net, checked_url, secret_header};
use reqwest::header::{HeaderMap, HeaderName};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const ACT_AS: HeaderName = HeaderName::from_static("x-hiloop");
const DEFAULT_URL: &str = "http://127.0.0.1:8080";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// How messages are protected from the hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encryption {
    /// Messages are sealed end to end (`hiloop/v2`), or not sent at all.
    #[default]
    Required,
    /// Envelopes of the scheme `plain`: the operator of the hub can read them.
    Off,
}

impl FromStr for Encryption {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "required" => Ok(Self::Required),
            "off" => Ok(Self::Off),
            _ => Err(Error::invalid("encryption", "must be 'required' or 'off' (HILOOP_ENCRYPTION)")),
        }
    }
}

/// Builds a [`Client`]: [`Client::builder`] without settings, [`Self::from_env`] with those of the environment.
#[derive(Clone, Default)]
#[must_use]
pub struct ClientBuilder {
    api_key: Option<String>,
    agent_name: Option<String>,
    base_url: Option<String>,
    space_name: Option<String>,
    timeout: Option<Duration>,
    encryption: Option<Encryption>,
    secret_key: Option<Zeroizing<String>>,
    space_key: Option<String>,
    config_folder: Option<PathBuf>,
    on_retry: Option<Notify>,
    /// The first problem of a setting of the environment.
    problem: Option<Error>,
}

impl Client {
    /// The settings of a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A client with the settings of the environment, as [`ClientBuilder::from_env`] names them.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` names the setting that is missing or not valid.
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env().build()
    }
}

impl ClientBuilder {
    /// Takes `HILOOP_API_KEY`, `HILOOP_AGENT_NAME`, `HILOOP_BASE_URL`, `HILOOP_SECRET_KEY`, `HILOOP_SPACE_KEY` and
    /// `HILOOP_ENCRYPTION` from the environment, where they are set.
    pub fn from_env() -> Self {
        let setting = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let encryption = setting("HILOOP_ENCRYPTION").map(|text| text.parse()).transpose();
        Self {
            api_key: setting("HILOOP_API_KEY"),
            agent_name: setting("HILOOP_AGENT_NAME"),
            base_url: setting("HILOOP_BASE_URL"),
            secret_key: setting("HILOOP_SECRET_KEY").map(Zeroizing::new),
            space_key: setting("HILOOP_SPACE_KEY"),
            problem: encryption.as_ref().err().cloned(),
            encryption: encryption.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// The API key, `hlp_…`.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// The agent to act as, by name or id; the key's own unless given. Only a key with the permission `space` may
    /// name another agent than its own.
    pub fn agent_name(mut self, name: impl Into<String>) -> Self {
        self.agent_name = Some(name.into());
        self
    }

    /// The hub's URL; `http://127.0.0.1:8080` unless given.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Checks before the first call that the key belongs to this space. Needs a key with the permission `owner`.
    pub fn space_name(mut self, name: impl Into<String>) -> Self {
        self.space_name = Some(name.into());
        self
    }

    /// How long a call may take, retries included; 60 seconds unless given. Waiting for an answer has no limit but that
    /// of [`Question::wait_at_most`](crate::Question::wait_at_most).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How messages are protected from the hub; [`Encryption::Required`] unless given.
    pub fn encryption(mut self, encryption: Encryption) -> Self {
        self.encryption = Some(encryption);
        self
    }

    /// The agent's private keys, base64url of 64 bytes (Ed25519 seed, X25519 secret), where many processes share an
    /// agent. Unless given, they are made at first use and kept in `$XDG_CONFIG_HOME/hiloop/keys`.
    pub fn secret_key(mut self, key: impl Into<String>) -> Self {
        self.secret_key = Some(Zeroizing::new(key.into()));
        self
    }

    /// The public Ed25519 key with which the owner of the space attests public keys, base64url: no other key is
    /// trusted then.
    pub fn space_key(mut self, key: impl Into<String>) -> Self {
        self.space_key = Some(key.into());
        self
    }

    /// The folder of private keys and of the keys of others; `$XDG_CONFIG_HOME/hiloop` unless given.
    pub fn config_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.config_folder = Some(folder.into());
        self
    }

    /// Called with a line of text when a call is about to be retried, once for each call, when a live connection is
    /// lost, when somebody's public key has changed, and when a question waits for a key. No line holds content.
    pub fn on_retry(mut self, notify: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_retry = Some(Arc::new(notify));
        self
    }

    /// Checks the settings and makes the client. It connects with the first call.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` names the setting.
    pub fn build(self) -> Result<Client, Error> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let api_key = self.api_key.ok_or_else(|| Error::invalid("api_key", "is required (HILOOP_API_KEY)"))?;
        if !api_key.starts_with("hlp_") || api_key.starts_with("hlp_prov_") {
            return Err(Error::invalid("api_key", "must be an agent's key, which begins with 'hlp_'"));
        }
        let mut headers = HeaderMap::from_iter([(API_KEY, secret_header("api_key", &api_key)?)]);
        if let Some(name) = &self.agent_name {
            headers.insert(ACT_AS, secret_header("agent_name", name)?);
        }
        let security = Security {
            is_required: self.encryption.unwrap_or_default() == Encryption::Required,
            secret_key: self.secret_key.map(|text| secret_key(&text)).transpose()?,
            space_key: self.space_key.map(|text| space_key(&text)).transpose()?,
            folder: self.config_folder.or_else(settings_folder),
        };
        let url = checked_url(self.base_url.as_deref().unwrap_or(DEFAULT_URL))?;
        let timeout = self.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let exchange = Arc::new(Net::new(url.clone(), headers, timeout)?);
        let http = Http { exchange, url, timeout, on_retry: self.on_retry };
        Ok(Client::new(http, self.space_name, security))
    }
}

fn secret_key(text: &str) -> Result<SecretKeys, Error> {
    let problem = "must be base64url of 64 bytes: Ed25519 seed, X25519 secret (HILOOP_SECRET_KEY)";
    SecretKeys::from_text(text).ok_or_else(|| Error::invalid("secret_key", problem))
}

fn space_key(text: &str) -> Result<Bytes<32>, Error> {
    let problem = "must be base64url of 32 bytes, an Ed25519 public key (HILOOP_SPACE_KEY)";
    text.trim().parse().map_err(|_| Error::invalid("space_key", problem))
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the key.
        f.debug_struct("ClientBuilder")
            .field("agent_name", &self.agent_name)
            .field("base_url", &self.base_url)
            .field("space_name", &self.space_name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(builder: ClientBuilder) -> String {
        builder.build().err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn bad_settings_are_named() {
        let good = || Client::builder().api_key("hlp_0").agent_name("a").base_url("http://host/");
        assert_eq!(problem(good()), "");
        assert!(problem(good().base_url("ftp://host")).starts_with("base_url: "));
        assert!(problem(good().base_url("host")).starts_with("base_url: "));
        assert!(problem(good().api_key("hlp_\n")).starts_with("api_key: "));
        assert!(problem(good().api_key("hlp_prov_0")).starts_with("api_key: "));
        assert!(problem(good().secret_key("AAAA")).starts_with("secret_key: "));
        assert!(problem(good().space_key("AAAA")).starts_with("space_key: "));
        assert!("on".parse::<Encryption>().is_err());
        assert!(problem(Client::builder().base_url("http://host")).starts_with("api_key: "));
    }

    #[test]
    fn the_key_is_not_shown() {
        assert!(!format!("{:?}", Client::builder().api_key("hlp_secret")).contains("secret"));
    }
}
