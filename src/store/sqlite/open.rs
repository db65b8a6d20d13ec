//! Opens a SQLite file.

use super::Sqlite;
use super::file;
use super::pool::{ConnectionPool, LOG_LIMIT};
use crate::store::open::{ACQUIRE_TIMEOUT, OpenError};
use crate::store::sql::SqlStore;
use crate::store::{Store, migrations};
use rusqlite::{Connection, OpenFlags};
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnectOptions;
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

/// How long a statement waits for a lock of another process.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections for reading.
const READERS: u32 = 4;
/// Most prepared statements of a connection.
const STATEMENTS: usize = 256;
/// Page caches, in KiB. The operating system caches the file, so that larger ones would hold the same memory twice.
const WRITER_CACHE: i64 = 2048;
const READER_CACHE: i64 = 512;
/// Number of pages of the write-ahead log after which it is checkpointed.
const CHECKPOINT_PAGES: i64 = 4000;

/// Opens the store at a URL that begins with `sqlite:`.
pub(in crate::store) async fn open(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    let options =
        SqliteConnectOptions::from_str(url).map_err(OpenError::BadUrl)?.create_if_missing(true).foreign_keys(true);
    let path = options.get_filename().to_owned();
    let is_in_memory = url.contains(":memory:") || url.contains("mode=memory");
    if !is_in_memory {
        file::prepare(&path).map_err(|source| {
            let folder = path.parent().unwrap_or(&path);
            OpenError::Folder { path: folder.display().to_string(), source }
        })?;
    }
    let mut migrating = options.connect().await.map_err(|error| OpenError::Connect(error.into()))?;
    migrations::sqlite(&mut migrating).await?;
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let writing = path.clone();
    let write = ConnectionPool::open(move || writer(&writing, is_in_memory), 1, ACQUIRE_TIMEOUT, Some(log.into()));
    let write = write.await.map_err(OpenError::Connect)?;
    // Not before: a database in memory ends with its last connection.
    migrating.close().await.map_err(|error| OpenError::Connect(error.into()))?;
    let read = ConnectionPool::open(move || reader(&path, is_in_memory), READERS, ACQUIRE_TIMEOUT, None);
    let read = read.await.map_err(OpenError::Connect)?;
    Ok(Arc::new(SqlStore::<Sqlite>::new(write, read)))
}

fn writer(path: &Path, is_in_memory: bool) -> rusqlite::Result<Connection> {
    let connection = connect(path, is_in_memory, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A reply is sent after the commit is on disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // Shrinks the write-ahead log after a long read has made it grow.
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT.cast_signed())?;
    Ok(connection)
}

fn reader(path: &Path, is_in_memory: bool) -> rusqlite::Result<Connection> {
    connect(path, is_in_memory, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE)
}

fn connect(path: &Path, is_in_memory: bool, access: OpenFlags, cache_kib: i64) -> rusqlite::Result<Connection> {
    let mut flags = access | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if is_in_memory {
        flags |= OpenFlags::SQLITE_OPEN_MEMORY | OpenFlags::SQLITE_OPEN_SHARED_CACHE;
    }
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    Ok(connection)
}
