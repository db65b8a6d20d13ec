//! Retention: sessions that ended long ago are deleted with all their rows, and nothing else is.

use crate::support::hub::{Engine, at_agent, at_human, config, text};
use crate::support::process::{Process, hiloop};
use crate::support::socket::End;
use crate::support::sql::Database;
use crate::support::{Client, Hub, PATIENCE, SilentBroker, eventually, on_both_engines, timeout};
use hiloop::config::Retention;
use hiloop::server::start_with;
use hiloop::testing::ENDED_SESSION;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A hub that keeps ended sessions for 30 days, with a short job interval.
async fn keeping(engine: Engine) -> Hub {
    Hub::start_with(engine, &["--retention-days", "30"], |config| {
        let retention = config.retention.as_mut().expect("it is on");
        assert_eq!(retention.keep_millis, 30 * DAY);
        retention.every = Duration::from_millis(50);
    })
    .await
}

async fn until_gone(client: &Client, session: &str) {
    eventually("the session to go", async || (client.get(&at_agent(session, "")).await.status == 404).then_some(()))
        .await;
}

async fn rows_of(hub: &Hub, session: &str) -> Vec<(&'static str, i64)> {
    let database = Database::open(&hub.database_url).await;
    let mut rows = Vec::new();
    for table in ["sessions", "participants", "guests", "interactions", "events", "messages", "retired_sessions"] {
        let column = if table == "sessions" { "id" } else { "session_id" };
        let query = format!("SELECT COUNT(*) FROM {table} WHERE {column} = {}", database.id(session));
        rows.push((table, database.number(&query).await));
    }
    rows.retain(|(_, count)| *count > 0);
    rows
}

async fn expired_sessions_are_deleted_completely(engine: Engine) {
    let hub = keeping(engine).await;
    let (agent, human) = (hub.agent("agent").await, hub.human_with_token(&hub.owner, 100 * 24 * 3600).await);
    let mut old = Vec::new();
    for end in ["/close", "/archive"] {
        let session = hub.session(&agent).await;
        for number in 0..700 {
            let body = json!({ "encryptedContent": format!("{number}") });
            agent.post(&at_agent(&session, "/messages"), body).await.expect(201);
        }
        agent.post(&at_agent(&session, end), json!({})).await.expect(200);
        old.push(session);
    }
    let open = hub.session(&agent).await;
    let question = json!({ "encryptedContent": "?", "responseRequired": true });
    agent.post(&at_agent(&open, "/messages"), question).await.expect(201);
    hub.clock.advance(20 * DAY);
    let young = hub.session(&agent).await;
    agent.post(&at_agent(&young, "/close"), json!({})).await.expect(200);

    let guest = json!({ "expiresInSeconds": 2_592_000 });
    let guest = agent.post(&at_agent(&old[0], "/guest-tokens"), guest).await.expect(201);
    let guest = hub.anonymous().with("authorization", &format!("Bearer {}", text(&guest["token"])));

    // Readers of all kinds.
    let mut reader = hub.socket(&agent).await;
    for session in old.iter().chain([&open, &young]) {
        reader.subscribe(session, None).await;
    }
    let mut visitor = hub.socket(&guest).await;
    visitor.subscribe(&old[0], None).await;
    let mut stream = agent.stream(&at_agent(&old[0], "/events?after=0")).await;
    assert!(stream.chunk().await.expect("a chunk").is_some());
    let last = old[1].clone();
    hub.clock.advance(9 * DAY);
    agent.get(&at_agent(&last, "")).await.expect(200);

    hub.clock.advance(2 * DAY);
    for session in &old {
        until_gone(&agent, session).await;
        for path in ["", "/messages", "/timeline", "/participants", "/events"] {
            agent.get(&at_agent(session, path)).await.expect_error(404, "NOT_FOUND");
        }
        agent.post(&at_agent(session, "/messages"), json!({ "encryptedContent": "x" })).await.expect(404);
        agent.post(&at_agent(session, "/close"), json!({})).await.expect_error(404, "NOT_FOUND");
        human_sees_nothing(&human, session).await;
        eventually("every row to go", async || rows_of(&hub, session).await.is_empty().then_some(())).await;
    }
    for _ in &old {
        let frame = reader.find("unsubscribed").await;
        assert!(old.iter().any(|session| frame["sessionId"] == json!(session)), "{frame}");
    }
    assert_eq!(visitor.end().await, End::Code(4403));
    guest.get("/v1/human/me").await.expect_error(401, "UNAUTHORIZED");
    while stream.chunk().await.expect("it ends well").is_some() {}
    let refused = reader.ask(json!({ "type": "subscribe", "sessionId": old[0], "after": 0 })).await;
    assert_eq!(refused["error"]["code"], "NOT_FOUND");

    // Open sessions, even old ones, and recently ended ones are kept.
    for (session, events) in [(&open, 2), (&young, 2)] {
        agent.get(&at_agent(session, "")).await.expect(200);
        let page = agent.get(&at_agent(session, "/timeline?after=0")).await.expect(200);
        assert_eq!(page["data"].as_array().map(Vec::len), Some(events));
    }
    agent.post(&at_agent(&open, "/messages"), json!({ "encryptedContent": "live" })).await.expect(201);
    assert_eq!(reader.event().await["sessionId"], json!(open));
    let metrics = hub.owner.get("/metrics").await.expect(200);
    assert!(text(&metrics).contains("\nhiloop_retired_sessions_total 2\n"));
}

async fn human_sees_nothing(human: &Client, session: &str) {
    human.get(&at_human(session, "")).await.expect_error(404, "NOT_FOUND");
    let feed = human.get("/v1/human/feed?pageSize=100").await.expect(200);
    assert!(feed["data"].as_array().expect("a list").iter().all(|entry| entry["session"]["id"] != json!(session)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_sessions_are_deleted_completely_on_sqlite() {
    expired_sessions_are_deleted_completely(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_sessions_are_deleted_completely_on_postgres() {
    expired_sessions_are_deleted_completely(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_does_not_restore_a_deleted_session() {
    let hub = Hub::start_with(Engine::Sqlite, &["--retention-days", "1"], |config| {
        config.retention = Some(Retention { keep_millis: 1000, every: Duration::from_millis(50) });
    })
    .await;
    let agent = hub.agent("agent").await;
    let session = hub.session(&agent).await;
    let (posting, closing) = (agent.with("idempotency-key", "post"), agent.with("idempotency-key", "close"));
    let body = json!({ "encryptedContent": "once" });
    posting.post(&at_agent(&session, "/messages"), body.clone()).await.expect(201);
    closing.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
    hub.clock.advance(5000);
    until_gone(&agent, &session).await;
    posting.post(&at_agent(&session, "/messages"), body).await.expect_error(404, "NOT_FOUND");
    // A completely stored first reply is returned again.
    let again = closing.post(&at_agent(&session, "/close"), json!({})).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    again.expect(200);
    agent.get(&at_agent(&session, "")).await.expect_error(404, "NOT_FOUND");
    eventually("every row to go", async || rows_of(&hub, &session).await.is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_setting_nothing_is_deleted() {
    let hub = Hub::start(Engine::Sqlite).await;
    assert!(hub.context().config.retention.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_nodes_share_deletions_and_end_subscriptions() {
    let maker = Hub::start(Engine::Postgres).await;
    let agent = maker.agent("agent").await;
    let mut sessions = Vec::new();
    for _ in 0..40 {
        let session = maker.session(&agent).await;
        agent.post(&at_agent(&session, "/messages"), json!({ "encryptedContent": "x" })).await.expect(201);
        agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        sessions.push(session);
    }
    let guest = json!({ "expiresInSeconds": 2_592_000 });
    let guest = agent.post(&at_agent(&sessions[7], "/guest-tokens"), guest).await.expect(201);
    let guest = maker.anonymous().with("authorization", &format!("Bearer {}", text(&guest["token"])));
    // Readers on a node that does not delete and receives no signals.
    let quiet = start_with(config(&maker.database_url, &[]), maker.clock.clone(), Arc::new(SilentBroker)).await;
    let quiet = quiet.expect("the node starts");
    let there = Client { base: format!("http://{}", quiet.address), ..agent.clone() };
    let mut reader = maker.socket(&there).await;
    for session in &sessions {
        reader.subscribe(session, None).await;
    }
    let mut visitor = maker.socket(&Client { base: there.base.clone(), ..guest }).await;
    maker.clock.advance(2 * DAY);
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let mut config = config(&maker.database_url, &["--retention-days", "1"]);
        config.retention.as_mut().expect("it is on").every = Duration::from_millis(20);
        nodes.push(start_with(config, maker.clock.clone(), Arc::new(SilentBroker)).await.expect("the node starts"));
    }
    for _ in &sessions {
        reader.find("unsubscribed").await;
    }
    // The revocation of the guest is found in the store.
    assert_eq!(visitor.next_or_end().await, Err(End::Code(4403)));
    for session in &sessions {
        there.get(&at_agent(session, "")).await.expect_error(404, "NOT_FOUND");
        eventually("every row to go", async || rows_of(&maker, session).await.is_empty().then_some(())).await;
    }
    let retired: u64 = nodes.iter().map(|node| node.context.metrics.retired.get()).sum();
    assert_eq!(retired, sessions.len() as u64, "each by one node");
}

/// Row counts of the sessions, which must be consistent.
#[derive(Debug)]
struct Left {
    events: i64,
    /// Rows that refer to a deleted session.
    strays: i64,
    /// Orphaned events and messages, which would never be deleted.
    lost: i64,
    /// Sessions that can be found and are incomplete.
    torn: i64,
}

impl Left {
    /// The row counts if each session has `had` rows of a table.
    async fn of(database: &Database, had: &[(&str, i64)]) -> Self {
        let mut strays = 0;
        for table in ["participants", "guests", "interactions"] {
            let query = format!("SELECT COUNT(*) FROM {table} WHERE session_id NOT IN (SELECT id FROM sessions)");
            strays += database.number(&query).await;
        }
        let mut lost = 0;
        for table in ["events", "messages"] {
            let query = format!(
                "SELECT COUNT(*) FROM {table} WHERE session_id NOT IN (SELECT id FROM sessions) \
                 AND session_id NOT IN (SELECT session_id FROM retired_sessions)"
            );
            lost += database.number(&query).await;
        }
        let torn = had
            .iter()
            .map(|(table, rows)| format!("(SELECT COUNT(*) FROM {table} t WHERE t.session_id = s.id) <> {rows}"));
        let torn = format!("SELECT COUNT(*) FROM sessions s WHERE {}", torn.collect::<Vec<_>>().join(" OR "));
        Self {
            events: database.number("SELECT COUNT(*) FROM events").await,
            strays,
            lost,
            torn: database.number(&torn).await,
        }
    }
}

on_both_engines! {
    async fn a_deletion_interrupted_by_a_kill_is_completed(hub: Hub) {
        const SESSIONS: i64 = 60;
        const MORE: i64 = 1500;
        let mut hub = hub;
        let agent = hub.agent("agent").await;
        for _ in 0..SESSIONS {
            let session = hub.session(&agent).await;
            agent.post(&at_agent(&session, "/guest-tokens"), json!({})).await.expect(201);
            agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200);
        }
        hub.server.take().expect("it runs").stop().await;
        let database = Database::open(&hub.database_url).await;
        let (numbers, id) = database.many(MORE);
        database
            .execute(&format!(
                "{numbers} INSERT INTO events (session_id, seq, kind, at, pending, size, body) \
                 SELECT s.id, 1000 + i, 'message.created', 1, 0, 2, '{{}}' FROM n CROSS JOIN sessions s"
            ))
            .await;
        database
            .execute(&format!(
                "{numbers} INSERT INTO messages (id, session_id, seq, ordinal, response_required, status, priority, \
                 created_at, updated_at) SELECT {id}, s.id, 1000 + i, 1000 + i, FALSE, 'Sent', 1, 1, 1 \
                 FROM n CROSS JOIN sessions s"
            ))
            .await;
        // They ended at different times, all of them long ago.
        database.execute("UPDATE sessions SET closed_at = closed_at - 1000000000000").await;
        let mut had = Vec::new();
        for table in ["participants", "guests", "events", "messages"] {
            let all = database.number(&format!("SELECT COUNT(*) FROM {table}")).await;
            assert!(all >= SESSIONS && all % SESSIONS == 0, "as many in each session: {all} {table}");
            had.push((table, all / SESSIONS));
        }
        let all = database.number("SELECT COUNT(*) FROM events").await;

        let node = || {
            let folder = tempfile::tempdir().expect("a folder");
            let mut command = hiloop(folder.path());
            command.env("DATABASE_URL", &hub.database_url).env("HILOOP_RETENTION_DAYS", "1");
            (Process::spawn(command.env("HILOOP_LISTEN", "127.0.0.1:0")), folder)
        };
        // Twice while sessions are deleted, three times while their content is.
        let mut interrupted = 0;
        for (table, left) in [
            ("sessions", SESSIONS * 3 / 4),
            ("sessions", SESSIONS / 3),
            ("events", all * 4 / 5),
            ("events", all / 2),
            ("events", all / 5),
        ] {
            let (mut node, _folder) = node();
            let count = format!("SELECT COUNT(*) FROM {table}");
            // Polled without a pause, since it takes only a moment.
            let reached = async { while database.number(&count).await > left {} };
            timeout(PATIENCE, reached).await.expect("it goes on");
            node.kill();
            let left = Left::of(&database, &had).await;
            assert_eq!((left.strays, left.lost, left.torn), (0, 0, 0), "{left:?}");
            interrupted += i32::from(left.events > 0);
        }
        assert!(interrupted >= 3, "it was killed during the deletion");

        let (_node, _folder) = node();
        for table in ["sessions", "participants", "guests", "events", "messages", "retired_sessions"] {
            let count = format!("SELECT COUNT(*) FROM {table}");
            eventually(&format!("all {table} to go"), async || (database.number(&count).await == 0).then_some(()))
                .await;
        }
    }
}

#[test]
fn every_table_of_a_session_is_covered_by_retention() {
    let deletes = include_str!("../../src/store/sql/retention.rs");
    let schema = include_str!("../../migrations/sqlite/0001_initial.sql");
    let tables = schema.split("CREATE TABLE ").skip(1).filter(|table| table.contains("    session_id "));
    let names: Vec<_> = tables.filter_map(|table| table.split(' ').next()).collect();
    assert!(names.contains(&"events") && names.contains(&"guests"), "{names:?}");
    // Saved replies expire after a day in any case.
    for name in names.iter().filter(|name| **name != "replies") {
        assert!(deletes.contains(&format!("DELETE FROM {name} WHERE session_id = $1")), "{name}");
    }
}

on_both_engines! {
    async fn ended_sessions_are_found_by_index(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let database = Database::open(&hub.database_url).await;
        let (numbers, id) = database.many(20_000);
        let own = database.id(&session);
        database
            .execute(&format!(
                "{numbers} INSERT INTO sessions (id, space_id, status, priority, first_seq, last_seq, message_count, \
                 pending_count, created_at, updated_at) SELECT {id}, s.space_id, 'Active', 1, 1, 1, 0, 0, 1, 1 \
                 FROM n CROSS JOIN sessions s WHERE s.id = {own}"
            ))
            .await;
        database.execute("ANALYZE").await;
        Database::uses_index(&database.plan(&ENDED_SESSION.replace("$1", "1")).await, "sessions_by_end");
    }
}
