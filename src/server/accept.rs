//! Accepts TCP connections and serves HTTP/1.1 on each, with upgrades to WebSocket.

use crate::limits::Connections;
use crate::limits::connections::Descriptor;
use crate::net::web_origin::LocalAddress;
use crate::net::{ClientStream, Cutoff, HeadTimer};
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// How long an idle connection stays open: longer than the 60 seconds after which load balancers close one, or they would
/// send requests into connections that are being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Largest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// Accepts connections until `draining`, at which open connections finish their requests and close.
pub(super) struct Accept {
    pub(super) listener: TcpListener,
    pub(super) router: axum::Router,
    pub(super) draining: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) connections: Arc<Connections>,
    /// How long a client may read nothing of a reply before its connection is closed.
    pub(super) stalled_after: Duration,
}

impl Accept {
    pub(super) async fn run(&mut self) {
        loop {
            let (stream, peer) = tokio::select! {
                () = self.draining.cancelled() => return,
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Most likely the process has no file descriptor left: wait until some are closed.
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            // Small frames are sent at once.
            let _ = stream.set_nodelay(true);
            let descriptor = self.connections.accepted();
            let (router, draining, stalled_after) = (self.router.clone(), self.draining.clone(), self.stalled_after);
            self.tasks.spawn(serve(stream, peer, router, draining, stalled_after, descriptor));
        }
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    router: axum::Router,
    draining: CancellationToken,
    stalled_after: Duration,
    _descriptor: Descriptor,
) {
    let cutoff = Cutoff::default();
    let of_requests = cutoff.clone();
    let local_address = stream.local_addr().ok().map(LocalAddress);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        // The cutoff of the previous reply does not apply to this one.
        of_requests.clear();
        request.extensions_mut().insert(of_requests.clone());
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(local_address) = local_address {
            request.extensions_mut().insert(local_address);
        }
        router.clone().oneshot(request.map(axum::body::Body::new))
    });
    let head_timer = HeadTimer::default();
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(head_timer.clone())
        .header_read_timeout(IDLE_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        // `ClientStream` notices when a client disconnects during its request.
        .half_close(true)
        .serve_connection(TokioIo::new(ClientStream::new(stream, head_timer, stalled_after, cutoff)), service)
        .with_upgrades();
    tokio::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended with an error");
    }
}
