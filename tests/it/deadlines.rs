//! Deadlines expire once and within a second, also under faults and in large numbers.

use crate::support::hub::{at_agent, text};
use crate::support::process::Process;
use crate::support::sql::Database;
use crate::support::{Client, Engine, Hub, Stopwatch, eventually, on_both_engines};
use chrono::{DateTime, Utc};
use futures::future::{join, join_all};
use hiloop::clock::{Clock as _, SystemClock};
use hiloop::store::open::open;
use hiloop::testing::DUE_MESSAGES;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// How late a message may expire (contract section 4).
const LATE: i64 = 1000;

fn time(value: &Value) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text(value)).expect("a time").into()
}

/// In milliseconds.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("less than a day")
}

/// Posts a question with a deadline in `millis` milliseconds; returns the message.
async fn ask(client: &Client, session: &str, within: i64) -> Value {
    let deadline = SystemClock.now().plus_millis(within).to_string();
    let body = json!({ "encryptedContent": "?", "responseRequired": true, "deadlineAt": deadline });
    client.post(&at_agent(session, "/messages"), body).await.expect(201)
}

/// When each message expired, by its id; each must have done so once.
fn expiries(events: &[Value]) -> HashMap<String, DateTime<Utc>> {
    let mut found = HashMap::new();
    for event in events.iter().filter(|event| event["type"] == "message.expired") {
        assert_eq!(event["actor"]["type"], "System");
        let twice = found.insert(text(&event["data"]["messageId"]).to_owned(), time(&event["at"]));
        assert!(twice.is_none(), "expired once: {event}");
    }
    found
}

on_both_engines! {
    async fn every_message_expires_within_a_second_of_its_deadline(hub: Hub) {
        let agent = hub.agent("agent").await;
        // Retried twice, in case the machine was suspended for a moment.
        let mut late = Vec::new();
        while late.last().is_none_or(|latest| *latest > LATE) {
            assert!(late.len() < 3, "late by {late:?} ms");
            late.push(latest_expiry(&hub, &agent).await);
        }
        println!("the latest expired {late:?} ms after their deadlines");
    }
}

/// Lets many messages expire; so many milliseconds after its deadline the latest of them did, without what the machine
/// was short of something.
async fn latest_expiry(hub: &Hub, agent: &Client) -> i64 {
    let mut socket = hub.socket(agent).await;
    let session = hub.session(agent).await;
    socket.subscribe(&session, None).await;
    let since = Stopwatch::start();
    let mut asked = Vec::new();
    for number in 0..60 {
        asked.push(ask(agent, &session, 2000 + number * 25).await);
    }
    // Many with the same deadline, late enough that a busy machine posts all of them before.
    let together = SystemClock.now().plus_millis(9000).to_string();
    let body = json!({ "encryptedContent": "?", "responseRequired": true, "deadlineAt": together });
    let path = at_agent(&session, "/messages");
    let posted = join_all((0..300).map(|_| agent.post(&path, body.clone()))).await;
    asked.extend(posted.into_iter().map(|reply| reply.expect(201)));
    let mut events = Vec::new();
    let mut expired = 0;
    while expired < asked.len() {
        let event = socket.event().await;
        expired += usize::from(event["type"] == "message.expired");
        events.push(event);
    }
    socket.expect_none("event").await;
    let expiries = expiries(&events);
    let mut latest = 0;
    for message in &asked {
        let late = (expiries[text(&message["id"])] - time(&message["deadlineAt"])).num_milliseconds();
        assert!(late >= 0, "{} ms early", -late);
        latest = latest.max(late);
    }
    (latest - millis(since.stalled())).max(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlines_that_passed_during_downtime_expire_at_start() {
    let folder = tempdir().expect("a folder");
    let mut hub = Process::start(folder.path(), "127.0.0.1:0");
    let client = hub.owner();
    let session = client.post("/v1/agent/sessions", json!({})).await.expect(201);
    let session = text(&session["id"]);
    let mut asked = Vec::new();
    for _ in 0..20 {
        asked.push(ask(&client, session, 2000).await);
    }
    let later = ask(&client, session, 3_600_000).await;
    hub.kill();
    let last = asked.iter().map(|message| time(&message["deadlineAt"])).max().expect("some");
    let left = (last - time(&json!(SystemClock.now().to_string()))).num_milliseconds().max(0);
    // The wall-clock time itself is under test here.
    tokio::time::sleep(Duration::from_millis(left.unsigned_abs() + 50)).await;

    let hub = Process::start(folder.path(), "127.0.0.1:0");
    let (back, since) = (SystemClock.now(), Stopwatch::start());
    let client = Client { base: hub.base.clone(), ..client };
    let expired = crate::support::eventually("everything due to expire", async || {
        let page = client.get(&at_agent(session, "/timeline?after=0&limit=1000")).await.expect(200);
        let expired = expiries(page["data"].as_array().expect("events"));
        (expired.len() == asked.len()).then_some(expired)
    })
    .await;
    for message in &asked {
        let late = expired[text(&message["id"])] - time(&json!(back.to_string()));
        assert!(late.num_milliseconds() <= LATE + millis(since.stalled()), "{late} after the hub was back");
        let path = at_agent(session, &format!("/messages/{}", text(&message["id"])));
        assert_eq!(client.get(&path).await.expect(200)["status"], "Expired");
    }
    let path = at_agent(session, &format!("/messages/{}", text(&later["id"])));
    assert_eq!(client.get(&path).await.expect(200)["status"], "Pending");
}

on_both_engines! {
    async fn due_messages_are_found_by_an_index(hub: Hub) {
        const MANY: i64 = 100_000;
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let database = hiloop::config::Database { url: hub.database_url.clone(), connections: 2 };
        let store = open(&database).await.expect("the store opens");
        let now = hub.clock.now();
        let fastest = async || {
            let mut best = Duration::MAX;
            for _ in 0..20 {
                let started = Instant::now();
                assert_eq!(store.due_messages(now, 256).await.expect("the store"), []);
                best = best.min(started.elapsed());
            }
            best
        };
        let alone = fastest().await;

        // Messages with later deadlines, inserted directly into the database.
        let database = Database::open(&hub.database_url).await;
        let (numbers, id) = database.many(MANY);
        let (own, later) = (database.id(&session), now.plus_millis(3_600_000).0);
        database
            .execute(&format!(
                "{numbers} INSERT INTO messages (id, session_id, seq, ordinal, response_required, status, priority, \
                 deadline_at, created_at, updated_at) SELECT {id}, {own}, 1000 + i, 1000 + i, TRUE, 'Pending', 1, \
                 {later} + i, {now}, {now} FROM n",
                now = now.0
            ))
            .await;
        // Enough sessions that a full scan would be too slow.
        database
            .execute(&format!(
                "{numbers} INSERT INTO sessions (id, space_id, status, priority, first_seq, last_seq, message_count, \
                 pending_count, created_at, updated_at) SELECT {id}, s.space_id, 'Active', 1, 1, 1, 0, 0, {now}, {now} \
                 FROM n CROSS JOIN sessions s WHERE i <= 5000 AND s.id = {own}",
                now = now.0
            ))
            .await;
        database.execute("ANALYZE").await;
        assert_eq!(store.pending_responses().await.expect("the store"), MANY);
        assert_eq!(database.number("SELECT COUNT(*) FROM messages").await, MANY);
        // Retried, since the machine may be busy; a full scan would always be slower.
        eventually("the due to be found as fast as alone", async || {
            let among_many = fastest().await;
            println!("looking for the due: {alone:?} alone, {among_many:?} among {MANY}");
            (among_many < alone * 3 + Duration::from_millis(2)).then_some(())
        })
        .await;

        let due = DUE_MESSAGES.replace("$1", &now.0.to_string()).replace("$2", "256");
        Database::uses_index(&database.plan(&due).await, "messages_due");
        // Due messages among them expire in time.
        let asked = ask(&agent, &session, 3000).await;
        let path = at_agent(&session, &format!("/messages/{}/await?timeout=20", text(&asked["id"])));
        assert_eq!(agent.get(&path).await.expect(200)["status"], "Expired");
    }
}

/// Like a node that hangs during a transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_session_does_not_delay_deadlines_of_others() {
    let hub = Hub::start(Engine::Postgres).await;
    let agent = hub.agent("agent").await;
    let mut sessions = Vec::new();
    for _ in 0..12 {
        sessions.push(hub.session(&agent).await);
    }
    ask(&agent, &sessions[0], 1500).await;
    let Database::Postgres(database) = Database::open(&hub.database_url).await else { panic!("PostgreSQL") };
    let mut holder = database.begin().await.expect("a transaction");
    let held = sqlx::query("SELECT id FROM sessions WHERE id = $1::uuid FOR UPDATE");
    held.bind(&sessions[0]).execute(&mut *holder).await.expect("a lock");

    // Requests to the locked session wait; others of the same writer do not.
    let path = at_agent(&sessions[0], "/messages");
    let stuck = agent.post(&path, json!({ "encryptedContent": "first" }));
    let others = async {
        let mut slowest = Duration::ZERO;
        let began = Stopwatch::start();
        for round in 0..5 {
            for session in &sessions[1..] {
                let since = Stopwatch::start();
                if round == 0 {
                    ask(&agent, session, 2500).await;
                } else {
                    agent.post(&at_agent(session, "/messages"), json!({ "encryptedContent": "?" })).await.expect(201);
                }
                slowest = slowest.max(since.elapsed());
            }
        }
        assert!(slowest < Duration::from_secs(2), "{slowest:?}");
        for session in &sessions[1..] {
            let expired = eventually("it to expire", async || {
                let timeline = agent.get(&at_agent(session, "/timeline?after=0")).await.expect(200);
                let events = timeline["data"].as_array().expect("events").clone();
                events.into_iter().find(|event| event["type"] == "message.expired")
            });
            let expired = expired.await;
            let asked = agent.get(&at_agent(session, "/messages")).await.expect(200);
            let late = time(&expired["at"]) - time(&asked["data"][0]["deadlineAt"]);
            assert!((0..LATE + millis(began.stalled())).contains(&late.num_milliseconds()), "{late}");
        }
        holder.rollback().await.expect("it lets go");
    };
    let (reply, ()) = join(stuck, others).await;
    // The request has failed or succeeded; afterwards the session accepts requests again.
    assert!([201, 503].contains(&reply.status), "{}", reply.status);
    let body = json!({ "encryptedContent": "again" });
    agent.post(&path, body).await.expect(201);
    let expired = async || (agent.get(&path).await.expect(200)["data"][0]["status"] == "Expired").then_some(());
    eventually("its own question to expire", expired).await;
}
