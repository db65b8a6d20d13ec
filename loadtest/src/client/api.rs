//! The few HTTP endpoints that a load test needs.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};

use super::{http::HttpPool, target::Target};

/// The hub's HTTP side.
pub(crate) struct Api {
    target: Arc<Target>,
    pool: HttpPool,
}

/// A session, as the hub describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) last_seq: u64,
}

#[derive(Deserialize)]
struct MessageReply {
    seq: u64,
}

impl Api {
    pub(crate) fn new(target: Arc<Target>, in_flight: usize) -> Self {
        Self { pool: HttpPool::new(Arc::clone(&target), in_flight), target }
    }

    pub(crate) async fn warm_up(&self, connections: usize) -> Result<()> {
        self.pool.warm_up(connections).await
    }

    pub(crate) async fn create_session(&self) -> Result<Session> {
        let path = self.target.path("/v1/agent/sessions");
        let body = Bytes::from_static(br#"{"title":"load test"}"#);
        self.call(Method::POST, &path, body, StatusCode::CREATED).await
    }

    pub(crate) async fn session(&self, id: &str) -> Result<Session> {
        let path = self.target.path(&format!("/v1/agent/sessions/{id}"));
        self.call(Method::GET, &path, Bytes::new(), StatusCode::OK).await
    }

    /// The path to post messages of a session to.
    pub(crate) fn messages_path(&self, session: &str) -> String {
        self.target.path(&format!("/v1/agent/sessions/{session}/messages"))
    }

    /// Posts a message and returns the `seq` that the hub gave it.
    pub(crate) async fn post_message(&self, path: &str, body: Bytes) -> Result<u64> {
        let reply: MessageReply = self.call(Method::POST, path, body, StatusCode::CREATED).await?;
        Ok(reply.seq)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        expected: StatusCode,
    ) -> Result<T> {
        let reply = self.pool.send(method, path, body).await?;
        if reply.status != expected {
            let text: String = String::from_utf8_lossy(&reply.body).chars().take(300).collect();
            let hint = match reply.status {
                StatusCode::TOO_MANY_REQUESTS => " (is HILOOP_RATE_LIMIT=off?)",
                _ => "",
            };
            bail!("{path}: {} for {}{hint}: {text}", reply.status.as_u16(), expected.as_u16());
        }
        serde_json::from_slice(&reply.body).with_context(|| format!("{path}: unexpected reply"))
    }
}
