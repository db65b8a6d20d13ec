//! Calls over the network.

use crate::call::{Call, Exchange, Failure};
use crate::error::{Error, innermost};
use futures::future::BoxFuture;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder};
use std::time::Duration;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Timeout of one attempt, beside the wait of a long-poll.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(15);
/// The largest reply that is read, in bytes. A page of 100 messages with the largest contents and components has 67 MB.
const MAX_REPLY: usize = 128 << 20;
/// The longest pause that `Retry-After` can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A hub behind a URL.
pub(crate) struct Net {
    client: reqwest::Client,
    /// Without a trailing slash.
    url: String,
    /// The credential, and the agent to act as.
    headers: HeaderMap,
    timeout: Duration,
}

impl Net {
    pub(crate) fn new(url: String, headers: HeaderMap, timeout: Duration) -> Result<Self, Error> {
        // Fails only if the program has installed a provider already, which is used then.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder().connect_timeout(Duration::from_secs(5)).redirect(Policy::none());
        if url.starts_with("http:") {
            // Without TLS no certificate authorities are needed.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| Error::invalid("base_url", innermost(&error)))?;
        Ok(Self { client, url, headers, timeout: ATTEMPT.min(timeout) })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).headers(self.headers.clone())
    }

    async fn send(&self, call: &Call) -> Result<Vec<u8>, Failure> {
        let mut request = self.request(call.method.clone(), &call.path).timeout(call.wait + self.timeout);
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
        let mut reply = request.send().await.map_err(lost)?;
        let (status, headers) = (reply.status(), reply.headers().clone());
        let mut bytes = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(lost)? {
            if bytes.len() + chunk.len() > MAX_REPLY {
                let problem = format!("it has more than {MAX_REPLY} bytes");
                return Err(Failure { error: Error::unexpected(call.what(), problem), pause: None });
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(bytes);
        }
        let error = Error::refused(&call.what(), status.as_u16(), request_id(&headers), &bytes);
        Err(Failure { error, pause: retry_after(&headers) })
    }
}

impl Exchange for Net {
    fn attempt<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<u8>, Failure>> {
        Box::pin(self.send(call))
    }

    fn socket(&self, path: &str) -> Option<RequestBuilder> {
        Some(self.request(Method::GET, path))
    }
}

pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    headers.get(REQUEST_ID)?.to_str().ok().map(str::to_owned)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// The URL as files name it: without a default port, a query, a trailing slash or `/v1`.
pub(crate) fn checked_url(text: &str) -> Result<String, Error> {
    let url = reqwest::Url::parse(text).map_err(|error| Error::invalid("base_url", error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Error::invalid("base_url", "must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::invalid("base_url", "must not hold a user name or a password"));
    }
    // The host in lower case and no default port: the same hub has the same files.
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/v1").unwrap_or(path).trim_end_matches('/');
    Ok(format!("{}{path}", url.origin().ascii_serialization()))
}

/// A value that logs do not show.
pub(crate) fn secret_header(setting: &str, value: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Error::invalid(setting, "holds control characters"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_bounded() {
        let pause = |value| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]));
        assert_eq!(pause("2"), Some(Duration::from_secs(2)));
        assert_eq!(pause("86400"), Some(LONGEST_PAUSE));
        for odd in ["nan", "-1", "1e9", "99999999999999999999999999"] {
            assert_eq!(pause(odd), None, "{odd}");
        }
        assert_eq!(pause("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    }

    #[test]
    fn urls_are_normalised() {
        for url in ["https://hub.example", "https://hub.example/", "https://hub.example/v1/"] {
            assert_eq!(checked_url(url).expect("a URL"), "https://hub.example");
        }
        for url in ["HTTPS://Hub.Example:443/v1", "https://hub.example?x=1#y", "https://hub.example//"] {
            assert_eq!(checked_url(url).expect("a URL"), "https://hub.example");
        }
        assert_eq!(checked_url("http://hub:8080/a/v1/").expect("a URL"), "http://hub:8080/a");
        assert!(checked_url("https://ada:secret@hub.example").is_err());
    }
}
