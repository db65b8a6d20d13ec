//! PostgreSQL transactions that lock the same rows in the same order, so that they can't deadlock.

use super::{Empty, NOW, sign_in};
use crate::support::{Engine, eventually};
use hiloop::domain::HumanId;
use hiloop::testing::secret::hash;
use sqlx::{PgPool, Postgres as Pg, Transaction};
use std::sync::Arc;
use uuid::Uuid;

/// Waits until a statement of this database waits for a lock.
async fn somebody_waits(pool: &PgPool) {
    let waiting =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("a statement to wait for a lock", async || {
        let count: i64 = sqlx::query_scalar(waiting).fetch_one(pool).await.expect("a number");
        (count > 0).then_some(())
    })
    .await;
}

async fn run(tx: &mut Transaction<'_, Pg>, statement: &'static str) {
    sqlx::query(statement).execute(&mut **tx).await.expect("no deadlock");
}

/// A human with a setup link, and connections past the store.
async fn human_with_link() -> (Empty, PgPool, HumanId) {
    let store = Empty::open(Engine::Postgres).await;
    let space = store.space("one").await;
    let human = store.human_named(&space, "h").await.id;
    let mut tx = store.begin_directory().await.expect("a transaction");
    tx.add_setup_token(&hash("s"), human, NOW.plus_seconds(60)).await.expect("the store");
    tx.commit(None).await.expect("the store");
    let pool = PgPool::connect(&store.url).await.expect("the database opens");
    (store, pool, human)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn setup_and_password_change_do_not_deadlock() {
    let (store, pool, _) = human_with_link().await;
    // The first statements of a password change.
    let mut change = pool.begin().await.expect("a transaction");
    run(&mut change, "UPDATE humans SET password_hash = 'new'").await;
    let choosing = {
        let store = Arc::clone(&store.store);
        tokio::spawn(async move { store.choose_password(&hash("s"), "phc", NOW).await })
    };
    somebody_waits(&pool).await;
    // And its further statements.
    run(&mut change, "DELETE FROM setup_tokens").await;
    run(&mut change, "DELETE FROM refresh_families").await;
    change.commit().await.expect("it commits");
    assert_eq!(choosing.await.expect("no panic").expect("no deadlock"), None, "the link is invalid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn setup_link_renewal_and_deactivation_do_not_deadlock() {
    let (store, pool, human) = human_with_link().await;
    let mut deactivation = pool.begin().await.expect("a transaction");
    run(&mut deactivation, "UPDATE humans SET deactivated_at = 1").await;
    run(&mut deactivation, "UPDATE humans SET email = address || '#' || id").await;
    let renewing = {
        let store = Arc::clone(&store.store);
        tokio::spawn(async move {
            let mut tx = store.begin_directory().await?;
            tx.void_setup_tokens(human).await?;
            tx.add_setup_token(&hash("t"), human, NOW.plus_seconds(60)).await?;
            tx.commit(None).await
        })
    };
    somebody_waits(&pool).await;
    run(&mut deactivation, "DELETE FROM refresh_families").await;
    run(&mut deactivation, "DELETE FROM setup_tokens").await;
    deactivation.commit().await.expect("it commits");
    renewing.await.expect("no panic").expect("no deadlock");
    assert_eq!(store.human_of_setup_token(&hash("t"), NOW).await.expect("the store"), None, "the human is not active");
}

/// Everything that ends sign-ins, concurrently for one human: none fails by a deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_sign_ins_never_deadlocks() {
    let store = Empty::open(Engine::Postgres).await;
    let space = store.space("one").await;
    let later = NOW.plus_seconds(60);
    for round in 0..20 {
        let human = store.human_named(&space, &format!("h{round}")).await.id;
        let named = |what: &str| format!("{round} {what}");
        for what in ["a", "b", "c"] {
            let new = sign_in(&named(what), Uuid::now_v7(), human, later);
            store.add_sign_in(&new, NOW).await.expect("the store").expect("added");
        }
        let mut tx = store.begin_directory().await.expect("a transaction");
        tx.add_setup_token(&hash(&named("link")), human, later).await.expect("the store");
        tx.commit(None).await.expect("the store");
        let renew = async {
            let mut tx = store.begin_directory().await?;
            tx.void_setup_tokens(human).await?;
            tx.add_setup_token(&hash(&named("next")), human, later).await?;
            tx.commit(None).await
        };
        let (link, a, b, c, next) = (named("link"), named("a"), named("b"), named("c"), named("d"));
        let (link, a, b, c, next) = (hash(&link), hash(&a), hash(&b), hash(&c), hash(&next));
        let (chosen, everywhere, one, rotated, renewed, deactivated) = tokio::join!(
            store.choose_password(&link, "phc", NOW),
            store.end_sign_in_of(&a, true, NOW),
            store.end_sign_in_of(&b, false, NOW),
            store.rotate_refresh_token(&c, &next, later, NOW),
            renew,
            store.deactivate_human(space.id, human, NOW),
        );
        chosen.expect("no deadlock");
        everywhere.expect("no deadlock");
        one.expect("no deadlock");
        rotated.expect("no deadlock");
        renewed.expect("no deadlock");
        assert!(deactivated.expect("no deadlock"));
    }
}
