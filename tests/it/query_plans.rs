//! Query plans of the store: each look-up uses an index for its conditions, regardless of other rows.

use crate::support::hub::{ask, text};
use crate::support::sql::Database;
use crate::support::{Hub, on_both_engines};
use hiloop::testing::{
    LIST_STATE, LIST_STATE_OF, LOOK_UPS, PENDING_MESSAGES, SESSIONS_TO_ANNOUNCE, TITLE_AT, UNACKNOWLEDGED, UNLISTED,
    UNLISTED_OF_SPACE, UNLISTED_TOTAL,
};
use std::collections::HashMap;

/// A hub with much data of other tenants, and one long session.
struct Crowd {
    database: Database,
    space: String,
    session: String,
    agent: String,
    message: String,
}

impl Crowd {
    async fn of(hub: &Hub) -> Self {
        let agent = hub.agent("agent").await;
        let session = hub.interaction(&agent).await;
        let message = ask(&agent, &session).await;
        let me = agent.get("/v1/agent/me").await.expect(200);
        hub.other_space().await;
        let database = Database::open(&hub.database_url).await;
        let (numbers, id) = database.many(20_000);
        let space = text(&me["spaceId"]).to_owned();
        let own = database.id(&session);
        let events = "INSERT INTO events (session_id, seq, kind, at, pending, size, body)";
        let messages = "INSERT INTO messages (id, session_id, seq, ordinal, response_required, status, priority, \
                        created_at, updated_at)";
        for statement in [
            format!(
                "{numbers} INSERT INTO sessions (id, space_id, status, priority, first_seq, last_seq, message_count, \
                 pending_count, created_at, updated_at) SELECT {id}, s.id, 'Active', 1, 1, 2, 1, 0, 1, n.i \
                 FROM n CROSS JOIN spaces s WHERE s.id <> {}",
                database.id(&space)
            ),
            format!(
                "INSERT INTO participants (id, session_id, principal_id, kind, role, last_read_seq, read_count, \
                 added_at) SELECT {id}, s.id, s.id, 'Agent', 'member', 0, 0, 1 FROM sessions s WHERE s.id <> {own}"
            ),
            format!(
                "{messages} SELECT {id}, s.id, 2, 1, TRUE, 'Completed', 1, 1, 1 FROM sessions s WHERE s.id <> {own}"
            ),
            format!(
                "INSERT INTO interactions (session_id, message_id, kind) SELECT m.session_id, m.id, 'x' \
                 FROM messages m WHERE m.session_id <> {own}"
            ),
            format!("{events} SELECT s.id, 1, 'session.created', 1, 0, 2, '{{}}' FROM sessions s WHERE s.id <> {own}"),
            format!("{events} SELECT s.id, 2, 'message.created', 1, 0, 2, '{{}}' FROM sessions s WHERE s.id <> {own}"),
            format!("{numbers} {events} SELECT {own}, n.i + 9, 'message.created', 1, 0, 2, '{{}}' FROM n"),
            format!("{numbers} {messages} SELECT {id}, {own}, n.i + 9, n.i + 9, TRUE, 'Completed', 1, 1, 1 FROM n"),
        ] {
            database.execute(&statement).await;
        }
        // The hub does not run ANALYZE on SQLite: the plans must be good without statistics.
        if matches!(database, Database::Postgres(_)) {
            database.execute("VACUUM ANALYZE").await;
        }
        let id = |id: &str| database.id(id);
        let (space, session) = (id(&space), id(&session));
        let (agent, message) = (id(text(&me["id"])), id(text(&message["id"])));
        Self { database, space, session, agent, message }
    }

    /// The query plan of a statement with these values for `$3`, `$4` and `$5`.
    async fn plan(&self, text: &str, values: [&str; 3]) -> String {
        let mut filled = text.replace("$1", &self.space).replace("$2", &self.agent);
        for (name, value) in ["$3", "$4", "$5"].iter().zip(values) {
            filled = filled.replace(name, value);
        }
        if filled.ends_with("VALUES") {
            filled = format!("{filled} ({}))", self.session);
        }
        self.database.plan(&filled).await
    }
}

/// The steps that read a whole table of what tenants have. (There are so few memberships that reading all of them is
/// as good as an index.)
fn scans(plan: &str) -> Vec<&str> {
    let tables = ["sessions", "participants", "messages", "events", "interactions"];
    let is_scan = |line: &&str| match line.split_once("Seq Scan on ") {
        Some((_, rest)) => tables.iter().any(|table| rest.starts_with(table)),
        None => line.trim_start().starts_with("SCAN ") && !line.contains("CONSTANT ROW"),
    };
    plan.lines().filter(is_scan).collect()
}

on_both_engines! {
    async fn look_ups_do_not_scan_rows_of_other_tenants(hub: Hub) {
        let crowd = Crowd::of(&hub).await;
        let (session, agent, message) = (crowd.session.as_str(), crowd.agent.as_str(), crowd.message.as_str());
        let values = HashMap::from([
            ("SESSIONS_TOTAL", ["NULL", "", ""]),
            ("SESSIONS", ["'Closed'", "20", "0"]),
            ("FEED", [agent, "20", "0"]),
            ("HEAD_WITH_PARTICIPANT", [session, agent, ""]),
            ("LAST_OLDER", [session, "19000", "0"]),
            ("MESSAGE", [session, message, ""]),
            ("SIZED_MESSAGE", [session, message, ""]),
            ("LAST_MESSAGE_BY", [session, agent, ""]),
            ("FIRST_MESSAGE_AFTER", [session, "19000", ""]),
            ("HEAD_WITH_STATUS", [session, message, ""]),
            ("READ_MARK", [session, agent, "19000"]),
            ("MESSAGE_AT", [session, "2", ""]),
            ("INTERACTIONS_TOTAL", ["'Pending'", "", ""]),
            ("INTERACTIONS", ["'Pending'", "20", "0"]),
        ]);
        let mut wrong = Vec::new();
        for (name, texts) in LOOK_UPS {
            let values = values.get(name).copied().unwrap_or([session, "", ""]);
            for text in [texts.space, texts.member] {
                let plan = crowd.plan(text, values).await;
                if !scans(&plan).is_empty() {
                    wrong.push(format!("{name}: {text}\n{plan}"));
                }
                // What others have is by their sessions, in the middle of each plan for SQLite: none is looked for by
                // less than a session, a principal or a space.
                if matches!(crowd.database, Database::Sqlite(_)) {
                    let first = plan.lines().find(|line| line.starts_with("SEARCH")).unwrap_or_default();
                    let is_own = ["space_id=?", "principal_id=?", "id=?"].iter().any(|column| first.contains(column));
                    assert!(is_own, "{name}: {text}\n{plan}");
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
        // A page of a space's sessions is read in index order, without a sort.
        let (_, sessions) = LOOK_UPS.iter().find(|(name, _)| *name == "SESSIONS").expect("it");
        let plan = crowd.plan(sessions.space, values["SESSIONS"]).await;
        if matches!(crowd.database, Database::Sqlite(_)) {
            assert!(plan.contains("sessions_by_activity") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }

    async fn sessions_for_a_key_announcement_are_found_by_index(hub: Hub) {
        let crowd = Crowd::of(&hub).await;
        let nil = crowd.database.id("00000000-0000-0000-0000-000000000000");
        // Its own order of values: the principal comes before the space.
        let text = SESSIONS_TO_ANNOUNCE.replace("$1", &crowd.agent).replace("$2", &crowd.space).replace("$3", &nil);
        let plan = crowd.database.plan(&text.replace("$4", "1").replace("$5", "64")).await;
        Database::uses_index(&plan, "participants_by_principal");
    }

    async fn look_ups_do_not_scan_a_whole_session(hub: Hub) {
        let crowd = Crowd::of(&hub).await;
        // The agent takes part in many sessions, as agents do: with one, all ways cost PostgreSQL about the same, and its
        // samples of the tables would decide.
        let (numbers, id) = crowd.database.many(5_000);
        let sessions = format!(
            "{numbers} INSERT INTO sessions (id, space_id, status, priority, first_seq, last_seq, message_count, \
             pending_count, created_at, updated_at) SELECT {id}, {}, 'Active', 1, 1, 0, 0, 0, 1, n.i FROM n",
            crowd.space
        );
        let participants = format!(
            "INSERT INTO participants (id, session_id, principal_id, kind, role, last_read_seq, read_count, added_at) \
             SELECT {id}, s.id, {}, 'Agent', 'member', 0, 0, 1 FROM sessions s WHERE s.space_id = {} AND s.last_seq = 0",
            crowd.agent, crowd.space
        );
        crowd.database.execute(&sessions).await;
        crowd.database.execute(&participants).await;
        if matches!(crowd.database, Database::Postgres(_)) {
            crowd.database.execute("VACUUM ANALYZE").await;
        }
        let own = |text: &str| text.replace("$1", &crowd.session);
        for (text, index) in [
            (own(PENDING_MESSAGES), "messages_pending"),
            (own(TITLE_AT).replace("$2", "19000"), "events_titles"),
        ] {
            let plan = crowd.database.plan(&text).await;
            Database::uses_index(&plan, index);
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{plan}");
        }
        for text in [UNACKNOWLEDGED.space, UNACKNOWLEDGED.member] {
            let plan = crowd.plan(text, [&crowd.agent, "20", "0"]).await;
            Database::uses_index(&plan, "messages_unacknowledged");
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{plan}");
        }
        let (_, older) = LOOK_UPS.iter().find(|(name, _)| *name == "LAST_OLDER").expect("it");
        for text in [older.space, older.member] {
            let plan = crowd.plan(text, [&crowd.session, "19000", "0"]).await;
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{plan}");
        }
        let (_, mark) = LOOK_UPS.iter().find(|(name, _)| *name == "READ_MARK").expect("it");
        for text in [mark.space, mark.member] {
            let plan = crowd.plan(text, [&crowd.session, &crowd.agent, "19000"]).await;
            assert!(plan.contains("messages_by_seq"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{plan}");
        }
    }

    async fn first_and_last_messages_are_found_by_an_index_only_scan(hub: Hub) {
        let crowd = Crowd::of(&hub).await;
        let other = hub.agent("agent").await.get("/v1/agent/me").await.expect(200);
        let (database, session) = (&crowd.database, crowd.session.as_str());
        let other = database.id(text(&other["id"]));
        let theirs = format!("UPDATE messages SET sender_id = {other} WHERE session_id = {session} AND seq > 9");
        database.execute(&theirs).await;
        if matches!(database, Database::Postgres(_)) {
            database.execute("VACUUM ANALYZE").await;
        }
        for (name, value) in [("FIRST_MESSAGE_AFTER", "0"), ("LAST_MESSAGE_BY", crowd.agent.as_str())] {
            let (_, texts) = LOOK_UPS.iter().find(|(look_up, _)| *look_up == name).expect("it");
            for text in [texts.space, texts.member] {
                let filled = text.replace("$1", &crowd.space).replace("$2", &crowd.agent);
                let filled = filled.replace("$3", session).replace("$4", value);
                let (plan, work) = (database.plan(&filled).await, database.work(&filled).await);
                // Each message of another author costs a few index steps and reads no row.
                let is_covered = plan.contains("COVERING INDEX messages_by_seq")
                    || plan.contains("Index Only Scan") && plan.contains("messages_by_seq");
                assert!(is_covered, "{name}:\n{plan}");
                assert!((1..30 * 20_000).contains(&work), "{name}: {work} for 20,000 messages\n{plan}");
            }
        }
    }

    async fn unlisted_sessions_are_found_by_index(hub: Hub) {
        let crowd = Crowd::of(&hub).await;
        let database = &crowd.database;
        database.execute("UPDATE sessions SET listed_seq = last_seq").await;
        if matches!(database, Database::Postgres(_)) {
            database.execute("VACUUM ANALYZE").await;
        }
        let nil = database.id("00000000-0000-0000-0000-000000000000");
        for text in [
            UNLISTED_TOTAL.replace("$1", "200"),
            UNLISTED.replace("$1", &nil).replace("$2", "1774434600000").replace("$3", "64"),
            UNLISTED_OF_SPACE.replace("$1", &crowd.space).replace("$2", "1001"),
        ] {
            let plan = database.plan(&text).await;
            assert!(plan.contains("sessions_unlisted"), "{text}\n{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{text}\n{plan}");
            let work = database.work(&text).await;
            // At most 200 index entries, regardless of the number of unlisted sessions.
            assert!(work < 1000, "{work}: {text}\n{plan}");
        }
        // A few of them are read by id, although there are many others.
        for rest in [LIST_STATE.space, LIST_STATE.member] {
            let text = format!("{LIST_STATE_OF} ({}), ({nil}){rest}", crowd.session);
            let text = text.replace("$1", &crowd.space).replace("$2", &crowd.agent);
            let work = database.work(&text).await;
            assert!(work < 1000, "{work}: {text}\n{}", database.plan(&text).await);
        }
    }
}
