//! The settings of a client, in code or from the environment.

use crate::client::Client;
use crate::error::Error;
use crate::http::{Http, Notify, Settings};
use reqwest::header::HeaderValue;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

const DEFAULT_URL: &str = "http://127.0.0.1:8080";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// How messages are protected from the hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encryption {
    /// Envelopes of the scheme `plain`: the operator of the hub can read them.
    #[default]
    Off,
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
    encryption: Encryption,
    on_retry: Option<Notify>,
}

impl ClientBuilder {
    /// Takes `HILOOP_API_KEY`, `HILOOP_AGENT_NAME` and `HILOOP_BASE_URL` from the environment, where they are set.
    pub fn from_env() -> Self {
        let setting = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            api_key: setting("HILOOP_API_KEY"),
            agent_name: setting("HILOOP_AGENT_NAME"),
            base_url: setting("HILOOP_BASE_URL"),
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

    /// How messages are protected from the hub.
    pub fn encryption(mut self, encryption: Encryption) -> Self {
        self.encryption = encryption;
        self
    }

    /// Called with a line of text when a call is about to be retried, once for each call, and when a live connection
    /// is lost.
    pub fn on_retry(mut self, notify: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_retry = Some(Arc::new(notify));
        self
    }

    /// Checks the settings and makes the client. It connects with the first call.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` names the setting.
    pub fn build(self) -> Result<Client, Error> {
        let api_key = self.api_key.ok_or_else(|| Error::invalid("api_key", "is required (HILOOP_API_KEY)"))?;
        if !api_key.starts_with("hlp_") || api_key.starts_with("hlp_prov_") {
            return Err(Error::invalid("api_key", "must be an agent's key, which begins with 'hlp_'"));
        }
        let http = Http::new(Settings {
            url: checked_url(self.base_url.as_deref().unwrap_or(DEFAULT_URL))?,
            key: header("api_key", &api_key)?,
            agent: self.agent_name.as_deref().map(|name| header("agent_name", name)).transpose()?,
            timeout: self.timeout.unwrap_or(DEFAULT_TIMEOUT),
            on_retry: self.on_retry,
        })?;
        let Encryption::Off = self.encryption;
        Ok(Client::new(http, self.space_name))
    }
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

/// The URL without a trailing slash or `/v1`.
fn checked_url(text: &str) -> Result<String, Error> {
    let url = reqwest::Url::parse(text).map_err(|error| Error::invalid("base_url", error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Error::invalid("base_url", "must begin with http:// or https://"));
    }
    let text = text.trim_end_matches('/');
    Ok(text.strip_suffix("/v1").unwrap_or(text).to_owned())
}

fn header(setting: &str, value: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Error::invalid(setting, "holds control characters"))?;
    value.set_sensitive(true);
    Ok(value)
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
        assert!(problem(Client::builder().base_url("http://host")).starts_with("api_key: "));
    }

    #[test]
    fn urls_are_normalised() {
        for url in ["https://hub.example", "https://hub.example/", "https://hub.example/v1/"] {
            assert_eq!(checked_url(url).expect("a URL"), "https://hub.example");
        }
    }

    #[test]
    fn the_key_is_not_shown() {
        assert!(!format!("{:?}", Client::builder().api_key("hlp_secret")).contains("secret"));
    }
}
