//! A pool of HTTP/1.1 connections: a request takes an idle one or opens another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, StatusCode,
    client::conn::http1::{self, SendRequest},
    header,
};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;

use super::target::Target;

type Connection = SendRequest<Full<Bytes>>;

/// Connections opened at one time when warming up.
const OPENING: usize = 32;

pub(super) struct HttpPool {
    target: Arc<Target>,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl HttpPool {
    /// At most `in_flight` requests go on at one time; further ones wait their turn.
    pub(super) fn new(target: Arc<Target>, in_flight: usize) -> Self {
        Self { target, idle: Mutex::new(Vec::new()), permits: Semaphore::new(in_flight) }
    }

    /// Opens connections ahead of the requests.
    pub(super) async fn warm_up(&self, connections: usize) -> Result<()> {
        let missing = connections.saturating_sub(self.idle().len());
        let opened: Vec<Connection> =
            futures::stream::iter(0..missing).map(|_| self.open()).buffer_unordered(OPENING).try_collect().await?;
        self.idle().extend(opened);
        Ok(())
    }

    pub(super) async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Reply> {
        let exchange = self.exchange(method, path, body);
        tokio::time::timeout(self.target.timeout(), exchange).await.context("no reply in time")?
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<Reply> {
        let _permit = self.permits.acquire().await.context("the pool is closed")?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.target.authority())
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-api-key", self.target.key())
            .body(Full::new(body))
            .context("building the request")?;
        loop {
            let mut connection = self.take().await?;
            match connection.try_send_request(request).await {
                Ok(response) => {
                    let status = response.status();
                    let body = response.into_body().collect().await.context("reading the reply")?;
                    self.idle().push(connection);
                    return Ok(Reply { status, body: body.to_bytes() });
                }
                // The hub had closed an idle connection: nothing of the request was sent.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error()).context("sending the request"),
                },
            }
        }
    }

    async fn take(&self) -> Result<Connection> {
        loop {
            let Some(mut connection) = self.idle().pop() else {
                return self.open().await;
            };
            if connection.ready().await.is_ok() {
                return Ok(connection);
            }
        }
    }

    async fn open(&self) -> Result<Connection> {
        let stream = self.target.connect().await?;
        let (connection, driver) = http1::handshake(TokioIo::new(stream)).await.context("starting HTTP")?;
        // How it ends is seen by whoever sends on it.
        tokio::spawn(async move {
            let _ = driver.await;
        });
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
