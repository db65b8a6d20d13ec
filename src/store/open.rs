//! Opens a store by its URL: SQLite or PostgreSQL, with its connection pools.

use super::pool::{ConnectionPool, Faults};
use super::pooler::{self, Pooling};
use super::sql::{LOG_LIMIT, SqlStore};
use super::{Store, StoreError, migrations, sqlite_file};
use crate::config::Database;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Executor as _, Row as _};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;

/// How long a request waits for a connection before the database counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

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
/// Settings of each connection. They are set by statements, since connection poolers reject or drop the start-up parameter
/// `options`; a pooler in session mode resets them.
///
/// With `synchronous_commit` a reply is sent after the commit is on disk, regardless of the server's default. After the three
/// timeouts callers get 503; they also make PostgreSQL release the locks of a node that hangs before others that wait for
/// them give up. By the keepalives PostgreSQL notices within half a minute that a node is gone.
const SESSION_SETTINGS: &str = "SET synchronous_commit = on; SET timezone = 'UTC'; \
    SET statement_timeout = '30s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '4s'; \
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
    SET tcp_user_timeout = '30s'";

/// Opens the store. Creates the SQLite file if it is missing, and applies migrations.
pub async fn open(database: &Database) -> Result<Arc<dyn Store>, OpenError> {
    open_with(database, ANSWER_TIMEOUT).await
}

/// The same, with another limit for the result of a statement.
pub async fn open_with(database: &Database, answer_timeout: Duration) -> Result<Arc<dyn Store>, OpenError> {
    let url = database.url.as_str();
    if url.starts_with("sqlite:") {
        open_sqlite(url).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        open_postgres(url, database.connections, answer_timeout).await
    } else {
        Err(OpenError::UnknownEngine)
    }
}

async fn open_sqlite(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(OpenError::BadUrl)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A reply is sent after the commit is on disk.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        .statement_cache_capacity(256)
        // In KiB. The operating system caches the file, so that larger page caches would hold the same memory twice.
        .pragma("cache_size", "-2048")
        .pragma("wal_autocheckpoint", "4000")
        // Shrinks the write-ahead log after a long read has made it grow.
        .pragma("journal_size_limit", LOG_LIMIT.to_string());
    if !url.contains(":memory:") && !url.contains("mode=memory") {
        let file = options.get_filename();
        sqlite_file::prepare(file).map_err(|source| {
            let folder = file.parent().unwrap_or(file);
            OpenError::Folder { path: folder.display().to_string(), source }
        })?;
    }
    let mut log = options.get_filename().as_os_str().to_owned();
    log.push("-wal");
    let write = SqlitePoolOptions::new()
        .max_connections(1)
        // There is no server that could have disconnected.
        .test_before_acquire(false)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await
        .map_err(|error| OpenError::Connect(error.into()))?;
    migrations::sqlite(&write).await?;
    let read = SqlitePoolOptions::new()
        .max_connections(4)
        .min_connections(1)
        .test_before_acquire(false)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.read_only(true).create_if_missing(false).pragma("cache_size", "-512"))
        .await
        .map_err(|error| OpenError::Connect(error.into()))?;
    let pool = |pool| ConnectionPool::new(pool, None, Arc::default());
    Ok(Arc::new(SqlStore::new(pool(write), pool(read), Some(log.into()))))
}

async fn open_postgres(url: &str, connections: u32, answer_timeout: Duration) -> Result<Arc<dyn Store>, OpenError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(OpenError::BadUrl)?
        .application_name("hiloop")
        .statement_cache_capacity(256)
        // No column is a float, and poolers refuse the parameter.
        .extra_float_digits(None);
    let failed = |error: sqlx::Error| OpenError::Connect(error.into());
    let mut connection = PgConnection::connect_with(&options).await.map_err(failed)?;
    let keeps_sessions = match pooler::detect(&mut connection, &options).await.map_err(failed)? {
        Pooling::Session => true,
        Pooling::Transaction => {
            is_durable(&mut connection).await.map_err(failed)?.then_some(()).ok_or(OpenError::NotDurable)?;
            tracing::warn!(
                "DATABASE_URL leads to a connection pooler in transaction mode, through which timeouts can't be set: \
                 set them for the role (ALTER ROLE … SET statement_timeout, lock_timeout, \
                 idle_in_transaction_session_timeout)"
            );
            false
        }
        Pooling::Unusable(error) => return Err(OpenError::Pooler(error)),
    };
    // Before the timeouts are set: a migration may take longer.
    migrations::postgres(&mut connection).await?;
    connection.close().await.map_err(failed)?;
    let faults = Arc::new(Faults::default());
    let known = Arc::clone(&faults);
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        // The pool would open connections in the background for as long as five minutes each: while a server is silent
        // they would hold connections, also when it responds again.
        .min_connections(0)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .before_acquire(move |_, connection| {
            let is_usable = Instant::now().checked_sub(connection.age).is_none_or(|made| known.is_usable(made));
            Box::pin(async move { Ok(is_usable) })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if keeps_sessions {
                    connection.execute(SESSION_SETTINGS).await?;
                }
                Ok(())
            })
        })
        .connect_with(options)
        .await
        .map_err(failed)?;
    let pool = ConnectionPool::new(pool, Some(answer_timeout), faults);
    Ok(Arc::new(SqlStore::new(Arc::clone(&pool), pool, None)))
}

async fn is_durable(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::raw_sql("SHOW synchronous_commit").fetch_one(connection).await?;
    Ok(row.try_get::<String, _>(0)? != "off")
}
