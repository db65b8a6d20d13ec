//! The hub behind a connection pooler: it works in session mode, and otherwise fails at the start with one line that
//! names the setting, before it writes.

use crate::cli::{failed, run};
use crate::support::hub::{at_agent, text};
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres;
use crate::support::process::{Process, hiloop};
use crate::support::sql::Database;
use serde_json::json;
use std::path::Path;
use tempfile::tempdir;

/// Starts a hub, and writes to one session from `clients` concurrent clients.
async fn serves(folder: &Path, database: &str) {
    let hub = Process::spawn(hiloop(folder).env("HILOOP_LISTEN", "127.0.0.1:0").env("DATABASE_URL", database));
    let owner = hub.owner();
    let session = owner.post("/v1/agent/sessions", json!({})).await.expect(201);
    let path = at_agent(text(&session["id"]), "/messages");
    let clients: Vec<_> = (0..16)
        .map(|number| {
            let (owner, path) = (owner.clone(), path.clone());
            tokio::spawn(async move {
                for turn in 0..10 {
                    let body = json!({ "encryptedContent": format!("{number} {turn}") });
                    owner.post(&path, body).await.expect(201);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("no panic");
    }
    assert_eq!(owner.get(&path).await.expect(200)["total"], 160);
}

async fn advisory_locks(database: &Database) -> i64 {
    let here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    database.number(&format!("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {here}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_session_mode_needs_no_settings() {
    let direct = postgres::new_database();
    let pooler = PgBouncer::start(&direct, "pool_mode = session\ndefault_pool_size = 60").await;
    let folder = tempdir().expect("a folder");
    serves(folder.path(), &pooler.url()).await;
    // A second start finds the data of the first one.
    let again = run(hiloop(folder.path()).arg("migrate").env("DATABASE_URL", pooler.url()));
    assert!(again.status.success(), "{again:?}");
    assert_eq!(advisory_locks(&Database::open(&direct).await).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_transaction_mode_is_refused_before_any_write() {
    let direct = postgres::new_database();
    let settings = "pool_mode = transaction\ndefault_pool_size = 5\nignore_startup_parameters = options";
    let pooler = PgBouncer::start(&direct, settings).await;
    let folder = tempdir().expect("a folder");
    // Repeated: the state that one start leaves on the pooler's connections must not let another one pass.
    for command in ["serve", "migrate", "serve"] {
        let output = run(hiloop(folder.path()).arg(command).env("DATABASE_URL", pooler.url()));
        failed(&output, "DATABASE_URL leads to a connection pooler in transaction mode");
        failed(&output, "pool_mode = session");
    }
    let database = Database::open(&direct).await;
    assert_eq!(advisory_locks(&database).await, 0);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(database.number(tables).await, 0, "nothing was written");
    serves(folder.path(), &direct).await;
}
