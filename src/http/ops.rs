//! Health checks and metrics.

use super::App;
use super::auth::ManagerKey;
use super::error;
use super::reply::{self, HandlerResult};
use crate::broker::Connectivity;
use crate::domain::Refusal;
use crate::metrics::ScrapeValues;
use crate::protocol::body::health::{Alive, Readiness};
use crate::protocol::error::ErrorCode;
use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Timeout of a check of the store.
const STORE_PATIENCE: Duration = Duration::from_secs(2);
/// Timeout of a trial write after one has failed. A database that another program locks keeps it waiting, and load
/// balancers wait about a second for the answer.
const WRITE_PATIENCE: Duration = Duration::from_millis(500);
/// How long the answer is cached: readiness probes must not keep the store busy.
const STORE_ANSWER: Duration = Duration::from_secs(1);
/// Prometheus' text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The state of the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Health {
    Ok,
    Unreachable,
    Unwritable,
}

impl Health {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unreachable => "unreachable",
            Self::Unwritable => "unwritable",
        }
    }
}

/// The last state of the store, and when it was checked.
#[derive(Default)]
pub struct Probe(Mutex<Option<(Instant, Health)>>);

impl Probe {
    /// Whether the store responds and accepts writes. One request at a time checks it.
    async fn health(&self, app: &App) -> Health {
        let mut last = self.0.lock().await;
        if let Some((_, health)) = last.filter(|(at, _)| at.elapsed() < STORE_ANSWER) {
            return health;
        }
        let health = Self::ask(app).await;
        *last = Some((Instant::now(), health));
        health
    }

    async fn ask(app: &App) -> Health {
        if !timeout(STORE_PATIENCE, app.store.ping()).await.is_ok_and(|answer| answer.is_ok()) {
            return Health::Unreachable;
        }
        // While writes succeed, each of them is proof enough. Where the last one failed, no more may come, because load
        // balancers send them to other nodes.
        if app.store.writes_fail()
            && !timeout(WRITE_PATIENCE, app.store.try_write()).await.is_ok_and(|answer| answer.is_ok())
        {
            return Health::Unwritable;
        }
        Health::Ok
    }
}

/// Check that the process responds
#[utoipa::path(
    get, path = "/livez", operation_id = "live",
    responses((status = 200, description = "The process responds", body = Alive)),
)]
pub async fn livez() -> HandlerResult {
    reply::ok(&Alive { status: "ok" })
}

/// Check that the node is ready for traffic
///
/// 503 while the database is unavailable or rejects writes, a task of the node fails repeatedly, or the node drains; the
/// body names the cause. While Redis is unavailable the node stays ready with the status `degraded`: it reads the changes
/// of other nodes from the store.
#[utoipa::path(
    get, path = "/readyz", operation_id = "ready",
    responses((status = 200, description = "The node is ready", body = Readiness), (status = 503, description = "The node is not ready", body = Readiness)),
)]
pub async fn readyz(State(app): State<App>, Extension(probe): Extension<Arc<Probe>>) -> HandlerResult {
    let store = probe.health(&app).await;
    let failing = app.supervisor.failing();
    let draining = app.draining.is_cancelled();
    let ready = store == Health::Ok && failing.is_empty() && !draining;
    let redis = match app.broker.connectivity() {
        Connectivity::SingleNode => None,
        Connectivity::Connected => Some("ok"),
        Connectivity::Disconnected => Some("unreachable"),
    };
    let status = match (ready, redis) {
        (false, _) => "unavailable",
        (true, Some("unreachable")) => "degraded",
        (true, _) => "ok",
    };
    let body = Readiness { status, store: store.as_str(), draining, redis, failing };
    reply::json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}

/// Get the metrics
///
/// In Prometheus' text format. Requires a key with `manage`.
#[utoipa::path(
    get, path = "/metrics", operation_id = "getMetrics",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain")),
)]
pub async fn metrics(_: ManagerKey, app: State<App>) -> HandlerResult {
    open_metrics(app).await
}

/// The metrics without a credential, on the port of `HILOOP_METRICS_LISTEN`.
pub async fn open_metrics(State(app): State<App>) -> HandlerResult {
    let pending = timeout(STORE_PATIENCE, app.store.pending_responses()).await;
    let asked = ScrapeValues {
        pending: pending.ok().and_then(Result::ok),
        topics: app.hub.topic_count(),
        is_disconnected: app.broker.connectivity() == Connectivity::Disconnected,
        signals: app.broker.counters(),
    };
    let text = app.metrics.render(&asked).map_err(|error| {
        tracing::error!(%error, "cannot render the metrics");
        Refusal::Internal
    })?;
    Ok(([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response())
}

/// Any other path of the metrics port.
pub async fn nothing_else() -> Response {
    error::reply(ErrorCode::NOT_FOUND, "This port has /metrics, /livez and /readyz")
}
