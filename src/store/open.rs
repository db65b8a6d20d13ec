//! Opens a store by its URL: engine, pools, migrations.

use super::bench::{Bench, Faults};
use super::pooler::{self, Pooling};
use super::sql::{LOG_LIMIT, SqlStore};
use super::{Store, StoreError, sqlite_file};
use crate::config::Database;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Executor as _, Row as _};
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
    #[error("DATABASE_URL: cannot bring the database's schema up to date: {0}")]
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

/// How long the hub waits for the answer to a statement: a little longer than PostgreSQL may take for it, so that only a
/// server that is out of reach without a sign is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(35);
/// What the hub sets on each of its connections, by statements and not as the parameter `options` of the start of a
/// connection, which connection poolers refuse or drop. A session's settings don't outlive a pooler in session mode.
///
/// Whatever the server's default, a reply is sent after the commit is on the disk. PostgreSQL lets a statement run, wait
/// for a row that another holds, and a transaction lie still for so long; callers get 503 then, and a node that hangs
/// frees its rows before those who wait for them give up. By the keepalives (probes after so many seconds of silence,
/// so many seconds apart, so many of them; and how long what it sent may stay unacknowledged) PostgreSQL notices within
/// half a minute that a node is gone.
const SESSION_SETTINGS: &str = "SET synchronous_commit = on; SET timezone = 'UTC'; \
    SET statement_timeout = '30s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '4s'; \
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
    SET tcp_user_timeout = '30s'";

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
        .pragma("wal_autocheckpoint", "4000")
        // What a reader that stays long has made the log grow is given back.
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
    Ok(Arc::new(SqlStore::new(bench(write), bench(read), Some(log.into()))))
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
    let keeps_sessions = match pooler::find(&mut connection, &options).await.map_err(failed)? {
        Pooling::Session => true,
        Pooling::Transaction => {
            is_durable(&mut connection).await.map_err(failed)?.then_some(()).ok_or(OpenError::NotDurable)?;
            tracing::warn!(
                "DATABASE_URL leads to a connection pooler in transaction mode: limits of time can't be set there, so \
                 set them for the role (ALTER ROLE … SET statement_timeout, lock_timeout, \
                 idle_in_transaction_session_timeout)"
            );
            false
        }
        Pooling::Unusable(error) => return Err(OpenError::Pooler(error)),
    };
    // Before there are limits of time: a migration may take as long as it takes.
    migrate_postgres(&mut connection).await?;
    connection.close().await.map_err(failed)?;
    let faults = Arc::new(Faults::default());
    let known = Arc::clone(&faults);
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        // The pool would open connections in the background for as long as five minutes each: while a server is silent
        // they would hold places, also when it answers again.
        .min_connections(0)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .before_acquire(move |_, connection| {
            let is_spared = Instant::now().checked_sub(connection.age).is_none_or(|made| known.spare(made));
            Box::pin(async move { Ok(is_spared) })
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
    let bench = Bench::new(pool, Some(answer_timeout), faults);
    Ok(Arc::new(SqlStore::new(Arc::clone(&bench), bench, None)))
}

async fn is_durable(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let row = sqlx::raw_sql("SHOW synchronous_commit").fetch_one(connection).await?;
    Ok(row.try_get::<String, _>(0)? != "off")
}

/// Runs the migrations in one transaction, whose advisory lock lets several nodes start at once. The lock ends with the
/// transaction: one of the session would stay behind on a pooler's server connection.
async fn migrate_postgres(connection: &mut PgConnection) -> Result<(), OpenError> {
    let failed = |error: sqlx::Error| OpenError::Migrate(error.into());
    let mut transaction = connection.begin().await.map_err(failed)?;
    let database: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(&mut *transaction).await.map_err(failed)?;
    let lock = migration_lock(&database);
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock).execute(&mut *transaction).await.map_err(failed)?;
    for mut migrator in migrators(&POSTGRES_MIGRATIONS) {
        migrator.set_locking(false);
        migrator.run(&mut *transaction).await?;
    }
    transaction.commit().await.map_err(failed)
}

/// The key of the lock that the release before takes as it migrates (sqlx's `generate_lock_id`), so that nodes of both
/// releases may start at once on an empty database.
fn migration_lock(database: &str) -> i64 {
    0x3d32_ad9e * i64::from(crc32(database.as_bytes()))
}

/// CRC-32 (ISO-HDLC, the one of zip), a bit at a time.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn crc32_gives_its_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
