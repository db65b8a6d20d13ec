//! HTTP to the hub: one attempt, and retries that outlast a restart of the hub.

use crate::backoff::Backoff;
use crate::error::{Error, innermost};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const ACT_AS: HeaderName = HeaderName::from_static("x-hiloop");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Timeout of one attempt, beside the wait of a long-poll.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(15);
/// The longest pause that `Retry-After` can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// An internal error of the hub is retried a few times only: it may be permanent.
const INTERNAL_ERRORS: u32 = 5;

/// Takes a line about a retry.
pub(crate) type Notify = Arc<dyn Fn(&str) + Send + Sync>;

/// The checked settings of a client.
pub(crate) struct Settings {
    /// Without a trailing slash.
    pub(crate) url: String,
    pub(crate) key: HeaderValue,
    pub(crate) agent: Option<HeaderValue>,
    pub(crate) timeout: Duration,
    pub(crate) on_retry: Option<Notify>,
}

pub(crate) struct Http {
    client: reqwest::Client,
    settings: Settings,
}

/// A request to the hub.
pub(crate) struct Call {
    method: Method,
    path: String,
    body: Option<Value>,
    idempotency_key: Option<String>,
    /// How long the hub may hold the request.
    wait: Duration,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None, idempotency_key: None, wait: Duration::ZERO }
    }

    /// A write that is carried out once, however many attempts it takes: under `key`, or a random one.
    pub(crate) fn post(path: impl Into<String>, body: Value, key: Option<String>) -> Self {
        let key = key.unwrap_or_else(|| Uuid::now_v7().to_string());
        Self { method: Method::POST, body: Some(body), idempotency_key: Some(key), ..Self::get(path) }
    }

    /// A request that the hub may hold for this long.
    pub(crate) fn held_for(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    pub(crate) fn what(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// A failed attempt, and how long the hub asked to wait.
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) pause: Option<Duration>,
}

impl Http {
    pub(crate) fn new(settings: Settings) -> Result<Self, Error> {
        // Fails only if the program has installed a provider already, which is used then.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder().connect_timeout(Duration::from_secs(5));
        if settings.url.starts_with("http:") {
            // Without TLS no certificate authorities are needed.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| Error::invalid("base_url", innermost(&error)))?;
        Ok(Self { client, settings })
    }

    pub(crate) fn url(&self) -> &str {
        &self.settings.url
    }

    /// The reply to `call`, retried for as long as the client's timeout allows.
    pub(crate) async fn call<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Error> {
        let bytes = self.retried(call).await?;
        serde_json::from_slice(&bytes).map_err(|error| Error::unexpected(call.what(), error))
    }

    /// As [`Self::call`], for a reply that does not matter.
    pub(crate) async fn send(&self, call: &Call) -> Result<(), Error> {
        self.retried(call).await.map(drop)
    }

    async fn retried(&self, call: &Call) -> Result<Vec<u8>, Error> {
        let started = Instant::now();
        let mut backoff = Backoff::new();
        let mut internal_errors = 0;
        let mut is_reported = false;
        loop {
            let Failure { error, pause } = match self.attempt(call).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            internal_errors += u32::from(error.status == 500);
            let pause = pause.unwrap_or_default().max(backoff.next());
            let is_over = (started.elapsed() + pause) > self.settings.timeout;
            if is_over || !error.is_transient() || internal_errors >= INTERNAL_ERRORS {
                return Err(error);
            }
            if !std::mem::replace(&mut is_reported, true) {
                self.report_retry(call, &error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Calls the hub once.
    pub(crate) async fn attempt(&self, call: &Call) -> Result<Vec<u8>, Failure> {
        let timeout = call.wait + ATTEMPT.min(self.settings.timeout);
        let mut request = self.request(call.method.clone(), &call.path).timeout(timeout);
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        let lost = |error: reqwest::Error| Failure {
            error: Error::local(call.what(), Error::UNREACHABLE, innermost(&error)),
            pause: None,
        };
        let reply = request.send().await.map_err(lost)?;
        let (status, headers) = (reply.status(), reply.headers().clone());
        let bytes = reply.bytes().await.map_err(lost)?;
        if status.is_success() {
            return Ok(bytes.into());
        }
        let error = Error::refused(&call.what(), status.as_u16(), request_id(&headers), &bytes);
        Err(Failure { error, pause: retry_after(&headers) })
    }

    /// A request with the client's credential.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let Settings { url, key, agent, .. } = &self.settings;
        let request = self.client.request(method, format!("{url}{path}")).header(API_KEY, key.clone());
        match agent {
            Some(agent) => request.header(ACT_AS, agent.clone()),
            None => request,
        }
    }

    pub(crate) fn report_retry(&self, call: &Call, error: &Error) {
        let problem = match error.status {
            0 => error.message.clone(),
            status => format!("status {}", shown(status)),
        };
        self.report(&format!("{}: {problem}; trying again", call.what()));
    }

    pub(crate) fn report(&self, line: &str) {
        if let Some(notify) = &self.settings.on_retry {
            notify(line);
        }
    }
}

pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    headers.get(REQUEST_ID)?.to_str().ok().map(str::to_owned)
}

/// The status with its reason, as in `503 Service Unavailable`.
fn shown(status: u16) -> String {
    reqwest::StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |status| status.to_string())
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_bounded() {
        let pause = |value| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]));
        assert_eq!(pause("2"), Some(Duration::from_secs(2)));
        assert_eq!(pause("86400"), Some(LONGEST_PAUSE));
        assert_eq!(pause("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }

    #[test]
    fn each_write_has_a_key_of_its_own() {
        let key = || Call::post("/x", Value::Null, None).idempotency_key;
        assert_ne!(key(), key());
        assert_eq!(Call::post("/x", Value::Null, Some("k".to_owned())).idempotency_key.as_deref(), Some("k"));
        assert_eq!(Call::get("/x").idempotency_key, None);
    }
}
