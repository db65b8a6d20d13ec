//! SQLite: the connections of the hub compared with those of sqlx, by a small statement of many concurrent callers.
//!
//! `make bench-crates`

use divan::Bencher;
use divan::counter::ItemsCount;
use futures::future::join_all;
use hiloop::config::Database;
use hiloop::store::open::open;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use std::path::Path;
use tempfile::{TempDir, tempdir};
use tokio::runtime::Runtime;

/// Concurrent statements.
const CALLERS: usize = 64;
/// Connections for reading, as many as the hub opens.
const CONNECTIONS: u32 = 4;

fn main() {
    divan::main();
}

fn setup() -> (Runtime, TempDir) {
    (Runtime::new().expect("a runtime"), tempdir().expect("a folder"))
}

fn file(folder: &TempDir) -> impl AsRef<Path> {
    folder.path().join("hub.db")
}

fn database(folder: &TempDir) -> Database {
    Database { url: format!("sqlite://{}", file(folder).as_ref().display()), connections: CONNECTIONS }
}

#[divan::bench]
fn hub(bencher: Bencher<'_, '_>) {
    let (runtime, folder) = setup();
    let store = runtime.block_on(open(&database(&folder))).expect("a store");
    bencher.counter(ItemsCount::new(CALLERS)).bench_local(|| {
        runtime
            .block_on(join_all((0..CALLERS).map(|_| store.ping())))
            .into_iter()
            .for_each(|done| done.expect("it answers"));
    });
    runtime.block_on(store.close());
}

#[divan::bench]
fn sqlx_pool(bencher: Bencher<'_, '_>) {
    let (runtime, folder) = setup();
    runtime.block_on(async { open(&database(&folder)).await.expect("a store").close().await });
    let options = SqliteConnectOptions::new().filename(file(&folder)).read_only(true);
    let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
    let pool = runtime.block_on(pool.connect_with(options)).expect("a pool");
    let statement = async || {
        let count: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM settings").fetch_one(&pool).await.expect("it answers");
        count
    };
    bencher
        .counter(ItemsCount::new(CALLERS))
        .bench_local(|| runtime.block_on(join_all((0..CALLERS).map(|_| statement()))));
    runtime.block_on(pool.close());
}
