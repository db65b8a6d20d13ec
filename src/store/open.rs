//! Opens a store by its URL: engine, pools, migrations.

use super::bench::{Bench, Faults};
use super::sql::SqlStore;
use super::{Store, StoreError};
use crate::config::Database;
use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// The last migration of the first release, which refuses to start on a store that records one it does not know.
const LAST_OF_FIRST_RELEASE: i64 = 3;
/// Where later migrations are recorded, out of sight of the first release.
const LATER_MIGRATIONS_TABLE: &str = "schema_migrations";

/// The migrations to run, in order, each set with the table that records it. A node ignores recorded migrations that it
/// does not know: a newer node may have migrated before it starts again.
fn migrators(all: &'static Migrator) -> [Migrator; 2] {
    let (first, later): (Vec<_>, Vec<_>) =
        all.iter().cloned().partition(|migration| migration.version <= LAST_OF_FIRST_RELEASE);
    let mut first = Migrator::with_migrations(first);
    first.set_ignore_missing(true);
    let mut later = Migrator::with_migrations(later);
    later.set_ignore_missing(true);
    later.dangerous_set_table_name(LATER_MIGRATIONS_TABLE);
    [first, later]
}

/// How long a request waits for a connection before the store counts as out of reach.
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
    #[error("cannot bring the database's schema up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// How long PostgreSQL lets a statement of the hub's run, and wait for a row that another holds. Callers get 503 then.
const STATEMENT_TIMEOUT: &str = "30s";
const LOCK_TIMEOUT: &str = "5s";
/// How long a transaction may lie still before PostgreSQL ends it, so that a node that hangs frees its rows before
/// those who wait for them give up.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "4s";

/// How long the hub waits for the answer to a statement: a little longer than PostgreSQL may take for it, so that only a
/// server that is out of reach without a sign is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(35);
/// By which PostgreSQL notices within half a minute that a node is gone, and frees its rows: probes after so many
/// seconds of silence, so many seconds apart, so many of them; and how long what it sent may stay unacknowledged.
const KEEPALIVES: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30s"),
];

/// Opens the store, creating the SQLite file and bringing the schema up to date.
pub async fn open(database: &Database) -> Result<Arc<dyn Store>, OpenError> {
    open_with(database, ANSWER_TIMEOUT).await
}

/// The same, with another limit to how long PostgreSQL may be silent.
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
        // A reply is sent after the commit is on the disk.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        .statement_cache_capacity(256)
        // In KiB. The system caches the file anyway; a page cache a connection would only hold memory twice.
        .pragma("cache_size", "-2048")
        .pragma("wal_autocheckpoint", "4000");
    let folder = options.get_filename().parent().filter(|folder| *folder != Path::new(""));
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder)
            .map_err(|source| OpenError::Folder { path: folder.display().to_string(), source })?;
    }
    let write = SqlitePoolOptions::new()
        .max_connections(1)
        // There is no server that could have gone away meanwhile.
        .test_before_acquire(false)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await
        .map_err(|error| OpenError::Connect(error.into()))?;
    for migrator in migrators(&SQLITE_MIGRATIONS) {
        migrator.run(&write).await?;
    }
    let read = SqlitePoolOptions::new()
        .max_connections(4)
        .min_connections(1)
        .test_before_acquire(false)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.read_only(true).create_if_missing(false).pragma("cache_size", "-512"))
        .await
        .map_err(|error| OpenError::Connect(error.into()))?;
    let bench = |pool| Bench::new(pool, None, Arc::default());
    Ok(Arc::new(SqlStore::new(bench(write), bench(read))))
}

async fn open_postgres(url: &str, connections: u32, answer_timeout: Duration) -> Result<Arc<dyn Store>, OpenError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(OpenError::BadUrl)?
        .application_name("hiloop")
        .statement_cache_capacity(256)
        // Whatever the server's default: a reply is sent after the commit is on the disk.
        .options([("synchronous_commit", "on"), ("timezone", "UTC")]);
    let failed = |error: sqlx::Error| OpenError::Connect(error.into());
    // Before there are limits of time: a migration may take as long as it takes. Takes an advisory lock, so that
    // several nodes may start at once.
    let mut connection = PgConnection::connect_with(&options).await.map_err(failed)?;
    for migrator in migrators(&POSTGRES_MIGRATIONS) {
        migrator.run(&mut connection).await?;
    }
    connection.close().await.map_err(failed)?;
    let faults = Arc::new(Faults::default());
    let known = Arc::clone(&faults);
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(2)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .before_acquire(move |_, connection| {
            let is_spared = Instant::now().checked_sub(connection.age).is_none_or(|made| known.spare(made));
            Box::pin(async move { Ok(is_spared) })
        })
        .connect_with(options.options(KEEPALIVES).options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("lock_timeout", LOCK_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
        ]))
        .await
        .map_err(failed)?;
    let bench = Bench::new(pool, Some(answer_timeout), faults);
    Ok(Arc::new(SqlStore::new(Arc::clone(&bench), bench)))
}
