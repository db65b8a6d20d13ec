//! SQLite only: the size of its write-ahead log.

use super::{Empty, NOW};
use crate::support::{Engine, eventually, sql};

/// A long read makes SQLite's write-ahead log grow; after it has ended, the log is truncated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_write_ahead_log_is_truncated_after_a_long_read() {
    let store = Empty::open(Engine::Sqlite).await;
    let log = format!("{}-wal", store.url.trim_start_matches("sqlite://"));
    let size = || std::fs::metadata(&log).expect("the log").len();
    let (reader, writer) = (sql::Database::open(&store.url).await, sql::Database::open(&store.url).await);
    let sql::Database::Sqlite(reader) = &reader else { panic!("SQLite") };
    let mut forgotten = reader.begin().await.expect("a transaction");
    sqlx::query("SELECT COUNT(*) FROM settings").execute(&mut *forgotten).await.expect("it reads");
    writer.execute("CREATE TABLE ballast (body BLOB)").await;
    for _ in 0..50 {
        writer.execute("INSERT INTO ballast (body) VALUES (randomblob(1000000))").await;
    }
    assert!(size() > 40 << 20, "{}", size());
    // Writes do not wait for the reader.
    store.shrink_log().await.expect("the store");
    store.ensure_space("one", NOW).await.expect("the store");
    assert!(size() > 40 << 20, "{}", size());
    drop(forgotten);
    eventually("the log to be small", async || {
        store.shrink_log().await.expect("the store");
        (size() <= 32 << 20).then_some(())
    })
    .await;
    store.ensure_space("two", NOW).await.expect("the store");
}
