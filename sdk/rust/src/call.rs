//! Calls of the hub, and what carries them out: the network, or a hub in memory.

use crate::error::Error;
use futures::future::BoxFuture;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

/// A request to the hub.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    pub(crate) idempotency_key: Option<String>,
    /// How long the hub may hold the request.
    pub(crate) wait: Duration,
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

    pub(crate) fn put(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PUT, body: Some(body), ..Self::get(path) }
    }

    pub(crate) fn patch(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PATCH, body: Some(body), ..Self::get(path) }
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

/// Carries calls out, once each.
pub(crate) trait Exchange: Send + Sync {
    fn attempt<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Vec<u8>, Failure>>;

    /// A request to open a WebSocket with; none where there are none.
    fn socket(&self, _path: &str) -> Option<RequestBuilder> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_write_has_a_key_of_its_own() {
        let key = || Call::post("/x", Value::Null, None).idempotency_key;
        assert_ne!(key(), key());
        assert_eq!(Call::post("/x", Value::Null, Some("k".to_owned())).idempotency_key.as_deref(), Some("k"));
        assert_eq!(Call::get("/x").idempotency_key, None);
    }
}
