//! PostgreSQL only: restarts, failovers, silent servers, connection limits, its clock.

use super::timeline_builder::{Load, TimelineBuilder};
use super::{Empty, NOW, at};
use crate::support::relay::SilentRelay;
use crate::support::{Engine, PATIENCE, Postgres, Stopwatch, eventually, postgres, sql};
use futures::future::join_all;
use hiloop::clock::{Clock as _, SystemClock};
use hiloop::config::Database;
use hiloop::domain::{Scope, SessionId};
use hiloop::store::open::{open, open_with};
use hiloop::store::{LockWait, StoreError};
use std::time::Duration;

/// A store whose database stops reports that it is unavailable, and works again after a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_reconnects_after_a_postgres_restart() {
    let mut server = Postgres::start();
    let store = open(&at(&server.new_database())).await.expect("the store opens");
    store.ensure_space("one", NOW).await.expect("the store");
    for crash in [false, true] {
        if crash {
            server.crash();
        } else {
            server.stop();
        }
        store.ping().await.expect_err("the database is down");
        server.revive();
        eventually("the store answers", async || store.ping().await.ok()).await;
        assert!(store.space_by_name("one").await.expect("the store").is_some());
    }
}

/// A node opens at most the configured connections, and times out waiting for a locked row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_and_lock_waits_are_limited_on_postgres() {
    let url = postgres::new_database();
    let database = Database { url: url.clone(), connections: 3 };
    let store = open(&database).await.expect("the store opens");
    let operator = sql::Database::open(&url).await;
    let sql::Database::Postgres(pool) = &operator else { panic!("{url}") };
    let count =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hiloop'";
    assert!((1..=3).contains(&operator.number(count).await));

    // All three wait for a lock, and a fourth for one of them.
    let mut lock = pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE spaces").execute(&mut *lock).await.expect("the lock");
    let waiting = join_all((0..4).map(|_| store.space_by_name("one")));
    let full = eventually("three connections to wait", async || {
        (operator.number(&format!("{count} AND wait_event_type = 'Lock'")).await == 3).then_some(())
    });
    let (answers, ()) = tokio::join!(waiting, full);
    // Three have waited for the lock, the fourth for one of them, or for the lock after that.
    let busy = answers.iter().filter(|answer| matches!(answer, Err(StoreError::Busy(_)))).count();
    let unavailable = answers.iter().filter(|answer| matches!(answer, Err(StoreError::Unavailable(_)))).count();
    assert!(busy >= 3 && busy + unavailable == 4, "{answers:?}");
    assert_eq!(operator.number(count).await, 3);
    lock.rollback().await.expect("the lock goes");
    assert!(store.space_by_name("one").await.expect("the store").is_none());
}

/// As after a failover: old connections lead to a server that rejects writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_a_demoted_postgres_are_replaced() {
    let url = postgres::new_database();
    let store = open(&at(&url)).await.expect("the store opens");
    let operator = sql::Database::open(&url).await;
    let name = url.split(['/', '?']).nth(3).expect("a name");
    let terminate = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
                     WHERE datname = current_database() AND application_name = 'hiloop'";
    operator.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    operator.number(terminate).await;
    // Connections opened now reject writes as long as they live; reads work.
    let read_only = async || store.ensure_space("one", NOW).await.err().map(|error| error.to_string());
    eventually("writes to be refused", async || read_only().await.filter(|text| text.contains("read-only"))).await;
    let idle = join_all((0..8).map(|_| store.space_by_name("one"))).await;
    assert!(idle.iter().all(Result::is_ok), "{idle:?}");
    // Also on a connection that an external pool has opened meanwhile.
    operator
        .execute(&format!("BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT"))
        .await;

    assert!(matches!(store.ensure_space("one", NOW).await, Ok(_) | Err(StoreError::Unavailable(_))));
    // One rejected write is enough: all earlier connections are replaced, also those of reads.
    for _ in 0..20 {
        let written = join_all((0..4).map(|_| store.ensure_space("one", NOW))).await;
        assert!(written.iter().all(Result::is_ok), "{written:?}");
    }
}

/// A server that disappears without closing its connections, as when its machine loses power.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_to_a_silent_postgres_time_out() {
    let url = postgres::new_database();
    let space = open(&at(&url)).await.expect("the store opens").ensure_space("one", NOW).await;
    let space = space.expect("the store").expect("active").0;
    let relay = SilentRelay::to(&url);
    let store = open_with(&at(&relay.url), Duration::from_secs(1)).await.expect("the store opens");
    // On a busy machine the server may take longer than that before it is silent, too.
    let mut tx = eventually("a transaction", async || store.begin(LockWait::Long).await.ok()).await;
    relay.set_silent(true);
    let since = Stopwatch::start();
    let pair = [(space.id, SessionId::new())];
    assert!(matches!(tx.lock_sessions(&pair).await, Err(StoreError::Unavailable(_))));
    drop(tx);
    // More concurrent queries than there are connections.
    let answers = join_all((0..40).map(|_| store.space_by_name("one"))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(StoreError::Unavailable(_)))), "{answers:?}");
    assert!(since.elapsed() < PATIENCE, "{:?}", since.elapsed());
    // Abandoned queries do not return their connections to the pool: every connection is new.
    relay.set_silent(false);
    eventually("the store answers", async || store.ping().await.ok()).await;
    let lost_requests = relay.lost_requests();
    eventually("each of many to be answered", async || {
        let answers = join_all((0..40).map(|_| store.space_by_name("one"))).await;
        answers.iter().all(|answer| matches!(answer, Ok(Some(_)))).then_some(())
    })
    .await;
    assert_eq!(relay.lost_requests(), lost_requests);
}

/// PostgreSQL's clock is every node's; SQLite has none but the machine's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_of_postgres_is_used() {
    let url = postgres::new_database();
    let store = open(&at(&url)).await.expect("the store opens");
    let (before, time, after) = (SystemClock.now(), store.time().await.expect("the store"), SystemClock.now());
    let time = time.expect("a time");
    // Both are rounded to a millisecond.
    assert!(before.0 - 1 <= time.0 && time.0 <= after.0 + 1, "{before:?} {time:?} {after:?}");
    assert_eq!(Empty::open(Engine::Sqlite).await.store.time().await.expect("the store"), None);
}

/// Access ends while a page is read: events committed with its end, and later ones, are not in the page. A stream that had
/// read the event of its own removal would wait for the next one instead of ending.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_ends_at_the_head_with_which_the_scope_was_checked() {
    let store = Empty::open(Engine::Postgres).await;
    let database = sql::Database::open(&store.url).await;
    let space = store.space("one").await;
    let agent = store.agent_named(&space, "a").await;
    let mut line = TimelineBuilder::new(&space, &[agent.member()]);
    line.asks(&agent.member(), "approval");
    line.save(&store).await;
    let (id, scope) = (line.id(), Scope::Member(space.id, agent.id.into()));
    let last = line.session.last_seq;

    let mut tx = database.bar("events").await;
    let reading = tokio::spawn({
        let store = store.clone();
        async move { store.events_after(scope, id, 0, 256, 1 << 20).await }
    });
    eventually("the read to wait", async || (database.waiting("FROM events").await == 1).then_some(())).await;
    let session = database.id(&id.0.to_string());
    for statement in [
        format!(
            "INSERT INTO events (session_id, seq, kind, at, pending, size, body) \
             SELECT session_id, seq + 1, kind, at, pending, size, body FROM events \
             WHERE session_id = {session} AND seq = {last}"
        ),
        format!(
            "INSERT INTO messages (id, session_id, seq, ordinal, sender_id, response_required, status, priority, \
             created_at, updated_at) SELECT gen_random_uuid(), session_id, seq + 1, ordinal + 1, sender_id, FALSE, \
             status, priority, created_at, updated_at FROM messages WHERE session_id = {session}"
        ),
        format!("UPDATE sessions SET last_seq = last_seq + 1 WHERE id = {session}"),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *tx).await.expect("it works");
    }
    tx.commit().await.expect("the commit");
    let page = reading.await.expect("no panic").expect("the store").expect("in scope");
    assert_eq!((page.head.last_seq, page.events.last().expect("events").seq), (last, last));
    // Later reads have it. The message is beyond the count of the session, which was not raised.
    let page = store.events_after(scope, id, last, 256, 1 << 20).await.expect("the store").expect("in scope");
    assert_eq!(page.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [last + 1]);
    let page = store.messages_after(scope, id, 0, 100, 1 << 20).await.expect("the store").expect("in scope");
    assert_eq!((page.total, page.messages.len()), (1, 1));
}
