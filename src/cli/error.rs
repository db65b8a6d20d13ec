//! Why a command failed.

use crate::config::ConfigError;
use crate::domain::Refusal;
use crate::server::StartError;
use crate::store::StoreError;
use crate::store::open::OpenError;
use thiserror::Error;

/// Why a command failed, in one line that names the cause.
#[derive(Debug, Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{0}")]
    Other(String),
}
