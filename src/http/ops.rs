//! Whether the hub lives, and whether it is ready for traffic.

use super::App;
use super::reply::{self, Reply};
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use std::time::Duration;

const STORE_PATIENCE: Duration = Duration::from_secs(2);

pub async fn livez() -> Reply {
    reply::ok(&json!({ "status": "ok" }))
}

/// 503 while the store is out of reach or the node drains; the body says which.
pub async fn readyz(State(app): State<App>) -> Reply {
    let store = tokio::time::timeout(STORE_PATIENCE, app.store.ping()).await.is_ok_and(|answer| answer.is_ok());
    let draining = app.draining.is_cancelled();
    let ready = store && !draining;
    let body = json!({
        "status": if ready { "ok" } else { "unavailable" },
        "store": if store { "ok" } else { "unreachable" },
        "draining": draining,
    });
    reply::json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}
