//! Why a hub could not start.

use crate::store::StoreError;
use crate::store::open::OpenError;
use std::io;
use std::net::SocketAddr;
use thiserror::Error;

/// Why a hub could not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("HILOOP_LISTEN: cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("cannot read the store: {0}")]
    Store(#[from] StoreError),
    #[error("HILOOP_JWKS_URL: {0}")]
    Jwks(reqwest::Error),
    #[error("HILOOP_METRICS_LISTEN: cannot listen on {address}: {source}")]
    MetricsListen { address: SocketAddr, source: io::Error },
    #[error("cannot set up the metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("REDIS_URL: {0}")]
    Redis(String),
}
