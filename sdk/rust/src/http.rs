//! Calls with retries that outlast a restart of the hub.

use crate::backoff::Backoff;
use crate::call::{Call, Exchange, Failure};
use crate::error::Error;
use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// An internal error of the hub is retried a few times only: it may be permanent.
const INTERNAL_ERRORS: u32 = 5;

/// Takes a line about a retry, or about the keys of others.
pub(crate) type Notify = Arc<dyn Fn(&str) + Send + Sync>;

pub(crate) struct Http {
    pub(crate) exchange: Arc<dyn Exchange>,
    /// Without a trailing slash.
    pub(crate) url: String,
    pub(crate) timeout: Duration,
    pub(crate) on_retry: Option<Notify>,
}

impl Http {
    pub(crate) fn url(&self) -> &str {
        &self.url
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
            let is_over = (started.elapsed() + pause) > self.timeout;
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
        self.exchange.attempt(call).await
    }

    /// A request to open a WebSocket with; none where there are none.
    pub(crate) fn socket(&self, path: &str) -> Option<RequestBuilder> {
        self.exchange.socket(path)
    }

    pub(crate) fn report_retry(&self, call: &Call, error: &Error) {
        let problem = match error.status {
            0 => error.message.clone(),
            status => format!("status {}", shown(status)),
        };
        self.report(&format!("{}: {problem}; trying again", call.what()));
    }

    pub(crate) fn report(&self, line: &str) {
        if let Some(notify) = &self.on_retry {
            notify(line);
        }
    }
}

/// The status with its reason, as in `503 Service Unavailable`.
fn shown(status: u16) -> String {
    reqwest::StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |status| status.to_string())
}
