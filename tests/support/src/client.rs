//! An HTTP client of the hub: a base URL, a credential, and JSON.

use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().pool_max_idle_per_host(256).build().expect("a client")
});

/// A credential as its headers.
#[derive(Clone, Debug, Default)]
pub struct Client {
    pub base: String,
    pub headers: Vec<(&'static str, String)>,
    /// The nodes of a cluster, if there are several: each request goes to the next one, as behind a load balancer.
    pub nodes: Option<Arc<Nodes>>,
}

/// Base URLs that take turns.
#[derive(Debug)]
pub struct Nodes {
    pub bases: Vec<String>,
    pub turn: AtomicUsize,
}

/// What the hub replied.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Reply {
    /// The body, if the status is the expected one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Checks that this is the contract's error `code`; returns its text.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["error"]["code"].as_str()), (status, Some(code)), "{}", self.body);
        self.body["error"].clone()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Client {
    pub fn anonymous(base: &str) -> Self {
        Self { base: base.to_owned(), headers: Vec::new(), nodes: None }
    }

    /// Where the next request goes.
    pub fn next_base(&self) -> &str {
        match &self.nodes {
            None => &self.base,
            Some(nodes) => &nodes.bases[nodes.turn.fetch_add(1, Ordering::Relaxed) % nodes.bases.len()],
        }
    }

    /// The same client with one more header.
    pub fn with(&self, name: &'static str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name, value.to_owned()));
        client
    }

    /// The token or key that this client brings.
    pub fn secret(&self) -> &str {
        let (_, value) = self.headers.first().expect("a credential");
        value.strip_prefix("Bearer ").unwrap_or(value)
    }

    /// The same, for a client that may bring none.
    pub fn secret_if_any(&self) -> Option<&str> {
        (!self.headers.is_empty()).then(|| self.secret())
    }

    /// Sends a request whose body may be anything; an `Err` means that there was no reply.
    pub async fn try_raw(
        &self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Reply, reqwest::Error> {
        let method: Method = method.parse().expect("a method");
        let mut request = HTTP.request(method, format!("{}{path}", self.next_base()));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let response = request.body(body).send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await?;
        let body = match serde_json::from_slice(&bytes) {
            Ok(json) => json,
            Err(_) if bytes.is_empty() => Value::Null,
            Err(_) => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        };
        // A 502 is that of a proxy; the hub has none.
        let others = [StatusCode::SWITCHING_PROTOCOLS, StatusCode::BAD_GATEWAY];
        assert!(headers.contains_key("x-request-id") || others.contains(&status));
        Ok(Reply { status: status.as_u16(), headers, body })
    }

    pub async fn raw(&self, method: &str, path: &str, kind: Option<&str>, body: Vec<u8>) -> Reply {
        self.try_raw(method, path, kind, body).await.expect("a reply")
    }

    /// The reply to a GET whose body may have no end; nothing of it is read.
    pub async fn try_stream(&self, path: &str) -> Result<reqwest::Response, reqwest::Error> {
        let mut request = HTTP.get(format!("{}{path}", self.next_base()));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.send().await
    }

    pub async fn stream(&self, path: &str) -> reqwest::Response {
        self.try_stream(path).await.expect("a reply")
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.raw("GET", path, None, Vec::new()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.raw("POST", path, Some("application/json"), body.to_string().into_bytes()).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.raw("PATCH", path, Some("application/json"), body.to_string().into_bytes()).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.raw("PUT", path, Some("application/json"), body.to_string().into_bytes()).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.raw("DELETE", path, None, Vec::new()).await
    }
}
