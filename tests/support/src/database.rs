//! Databases with the hub's schema: copies of one that was migrated once, since most tests do not concern migrations.
//! Tests of the migrations start with an empty one.

use super::{Engine, postgres};
use hiloop::config::Database;
use hiloop::store::open::open;
use sqlx::SqlitePool;
use std::fs;
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// The URL of a new database with the schema and nothing else in it, and the folder where it is, if it is a file.
pub async fn with_schema(engine: Engine) -> (String, Option<TempDir>) {
    match engine {
        Engine::Postgres => (in_postgres().await, None),
        Engine::Sqlite => {
            let folder = tempfile::tempdir().expect("a folder");
            let url = in_folder(&folder).await;
            (url, Some(folder))
        }
    }
}

/// The same in PostgreSQL.
pub async fn in_postgres() -> String {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let template = TEMPLATE.get_or_init(async || {
        let (name, url) = postgres::shared().create(None);
        migrate(&url).await;
        name
    });
    postgres::shared().create(Some(template.await)).1
}

async fn in_folder(folder: &TempDir) -> String {
    static TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();
    let template = TEMPLATE.get_or_init(async || {
        let folder = tempfile::tempdir().expect("a folder");
        migrate(&url(&folder)).await;
        // The last connection of a store may only read; one that may write puts everything into the one file.
        let pool = SqlitePool::connect(&url(&folder)).await.expect("the database opens");
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&pool).await.expect("the log is merged");
        pool.close().await;
        assert!(!folder.path().join("hub.db-wal").exists(), "the log is merged");
        fs::read(folder.path().join("hub.db")).expect("the database")
    });
    fs::write(folder.path().join("hub.db"), template.await).expect("room for a copy");
    url(folder)
}

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}/hub.db", folder.path().display())
}

async fn migrate(url: &str) {
    let database = Database { url: url.to_owned(), connections: 2 };
    open(&database).await.expect("the store opens").close().await;
}
