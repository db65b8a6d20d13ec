//! A pool of HTTP/1.1 connections: a request takes an idle one or opens another.

use std::{
    error::Error as _,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

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

use super::{credential::Credential, ended, target::Target};

type Connection = SendRequest<Full<Bytes>>;

/// Connections opened at one time when warming up.
const OPENING: usize = 32;

pub(super) struct HttpPool {
    target: Arc<Target>,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    unasked: Arc<AtomicU64>,
}

/// A request with its credential and timeout.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) credential: &'a Credential,
    pub(super) body: Bytes,
    pub(super) within: Duration,
}

pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    /// What a `Retry-After` asks for.
    pub(super) retry_after: Option<Duration>,
}

impl HttpPool {
    /// At most `in_flight` requests run at one time; further ones wait.
    pub(super) fn new(target: Arc<Target>, in_flight: usize) -> Self {
        let permits = Semaphore::new(in_flight);
        Self { target, idle: Mutex::new(Vec::new()), permits, unasked: Arc::default() }
    }

    /// Opens connections ahead of the requests.
    pub(super) async fn warm_up(&self, connections: usize) -> Result<()> {
        let missing = connections.saturating_sub(self.idle().len());
        let opened: Vec<Connection> =
            futures::stream::iter(0..missing).map(|_| self.open()).buffer_unordered(OPENING).try_collect().await?;
        self.idle().extend(opened);
        Ok(())
    }

    /// Opens one more connection.
    pub(super) async fn add(&self) -> Result<()> {
        let connection = self.open().await?;
        self.idle().push(connection);
        Ok(())
    }

    /// Connections with more than one reply to a request.
    pub(super) fn unasked(&self) -> u64 {
        self.unasked.load(Ordering::Relaxed)
    }

    pub(super) async fn send(&self, call: Call<'_>) -> Result<Reply> {
        tokio::time::timeout(call.within, self.exchange(call)).await.context("no reply in time")?
    }

    async fn exchange(&self, call: Call<'_>) -> Result<Reply> {
        let (credential, value) = call.credential.header();
        let _permit = self.permits.acquire().await.context("the pool is closed")?;
        let mut request = Request::builder()
            .method(call.method)
            .uri(call.path)
            .header(header::HOST, self.target.authority())
            .header(header::CONTENT_TYPE, "application/json")
            .header(credential, value)
            .body(Full::new(call.body))
            .context("building the request")?;
        loop {
            let mut connection = self.take().await?;
            match connection.try_send_request(request).await {
                Ok(response) => {
                    let status = response.status();
                    let wait = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                    let retry_after = wait.and_then(ended::retry_after);
                    let body = response.into_body().collect().await.context("reading the reply")?;
                    self.idle().push(connection);
                    return Ok(Reply { status, body: body.to_bytes(), retry_after });
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
        let unasked = Arc::clone(&self.unasked);
        // Its errors reach the request that uses it, except for one: bytes without a request arrive between
        // requests. Unlike the error of a broken connection, that one has no source.
        tokio::spawn(async move {
            if driver.await.is_err_and(|error| error.source().is_none()) {
                unasked.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(connection)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
