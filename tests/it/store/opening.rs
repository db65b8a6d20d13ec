//! Opening a store: the schema, settings, and a check that it takes writes.

use super::at;
use crate::support::postgres;
use futures::future::join_all;
use hiloop::store::open::open;
use hiloop::store::{LockWait, StoreError};
use std::collections::HashSet;

on_both_stores! {
    async fn migrations_are_idempotent(store: Empty) {
        let space = store.space("kept").await;
        for _ in 0..2 {
            let again = open(&at(&store.url)).await.expect("the store opens again");
            assert_eq!(again.space_by_name("kept").await.expect("the store").expect("kept").id, space.id);
            again.close().await;
        }
    }

    async fn queries_fail_after_close(store: Empty) {
        assert!((1..=4).contains(&store.writers().get()));
        store.ping().await.expect("it answers");
        store.close().await;
        assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(store.begin(LockWait::Long).await.err(), Some(StoreError::Unavailable(_))));
    }

    async fn a_stored_setting_is_written_once(store: Empty) {
        assert!(store.setting("s").await.expect("the store").is_none());
        assert_eq!(store.setting_or("s", "first").await.expect("the store"), "first");
        assert_eq!(store.setting_or("s", "second").await.expect("the store"), "first");
        assert_eq!(store.setting("s").await.expect("the store").as_deref(), Some("first"));
        let values: Vec<_> = (0..8).map(|index| index.to_string()).collect();
        let raced = join_all(values.iter().map(|value| store.setting_or("raced", value))).await;
        let raced: HashSet<_> = raced.into_iter().map(|value| value.expect("the store")).collect();
        assert_eq!(raced.len(), 1);
    }

    async fn the_write_check_leaves_no_rows(store: Empty) {
        assert!(!store.writes_fail());
        let breaks = store.broken_connections();
        store.try_write().await.expect("the store");
        store.try_write().await.expect("the store");
        assert!(!store.writes_fail());
        assert_eq!(store.broken_connections(), breaks);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_nodes_migrate_an_empty_postgres_concurrently() {
    let url = postgres::new_database();
    let database = at(&url);
    let stores = join_all((0..4).map(|_| open(&database))).await;
    for store in stores {
        store.expect("the store opens").ping().await.expect("it answers");
    }
}

#[tokio::test]
async fn a_url_of_an_unknown_engine_is_refused() {
    for url in ["mysql://localhost/x", "hub.db", ""] {
        let error = open(&at(url)).await.err().expect("refused");
        assert!(error.to_string().starts_with("DATABASE_URL"), "{error}");
    }
}
