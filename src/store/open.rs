//! Opens a store by its URL: SQLite or PostgreSQL.

use super::{Store, StoreError, postgres, sqlite};
use crate::config::Database;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// How long a request waits for a connection before the database counts as unavailable.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub enum OpenError {
    #[error("DATABASE_URL must begin with sqlite:// or postgres://")]
    UnknownEngine,
    #[error("DATABASE_URL: {0}")]
    BadUrl(#[source] sqlx::Error),
    #[error("DATABASE_URL: cannot create the folder {path}: {source}")]
    Folder { path: String, source: std::io::Error },
    #[error("DATABASE_URL: cannot open the database: {0}")]
    Connect(#[source] StoreError),
    #[error("DATABASE_URL: cannot migrate the database: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error(
        "DATABASE_URL leads to a connection pooler in transaction mode, where prepared statements fail ({0}): set \
         pool_mode = session for this database, or max_prepared_statements with PgBouncer 1.21 or newer, or name \
         PostgreSQL itself"
    )]
    Pooler(#[source] sqlx::Error),
    #[error(
        "DATABASE_URL leads to a connection pooler in transaction mode, through which synchronous_commit can't be set, \
         and it is off: ALTER ROLE … SET synchronous_commit = on"
    )]
    NotDurable,
}

/// How long the hub waits for the result of a statement: a little longer than `statement_timeout`, so that only a server
/// that went silent is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(35);
/// Opens the store. Creates the SQLite file if it is missing, and applies migrations.
pub async fn open(database: &Database) -> Result<Arc<dyn Store>, OpenError> {
    open_with(database, ANSWER_TIMEOUT).await
}

/// The same, with another limit for the result of a statement.
pub async fn open_with(database: &Database, answer_timeout: Duration) -> Result<Arc<dyn Store>, OpenError> {
    let url = database.url.as_str();
    if url.starts_with("sqlite:") {
        sqlite::open::open(url).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        postgres::open::open(url, database.connections, answer_timeout).await
    } else {
        Err(OpenError::UnknownEngine)
    }
}
