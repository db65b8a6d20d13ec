//! Lists of many sessions: the same page by page, whether their entries are written, out of date, or not there.

use super::{Empty, NOW, page};
use crate::support::sql;
use futures::future::join_all;
use hiloop::domain::{AgentId, HumanId, MessageStatus, Scope, SessionId, SessionStatus, SpaceId, Timestamp};
use hiloop::testing::{COUNTS, FEW_SESSIONS, FIRST_ENTRIES, LOOK_UPS, Scoped, UNLISTED_OF_SPACE};

/// The complete lists of a space, an agent and a human: the total and the sessions of each page.
async fn pages(store: &Empty, space: SpaceId, agent: AgentId, human: HumanId) -> Vec<(String, i64, Vec<SessionId>)> {
    let mut said = Vec::new();
    let scopes = [Scope::Space(space), Scope::Member(space, agent.into()), Scope::Member(space, human.into())];
    for scope in scopes {
        for (number, size) in [(1, 20), (2, 20), (1, 100), (2, 100), (7, 100), (12, 100), (300, 3)] {
            let request = page(number, size);
            for status in std::iter::once(None).chain(SessionStatus::ALL.iter().copied().map(Some)) {
                let found = store.sessions(scope, status, request).await.expect("the store");
                let ids = found.data.iter().map(|listed| listed.session.id).collect();
                said.push((format!("{scope:?} sessions {status:?} {number}×{size}"), found.total, ids));
            }
            for status in std::iter::once(None).chain(MessageStatus::ALL.iter().copied().map(Some)) {
                let found = store.interactions(scope, status, request).await.expect("the store");
                said.push((format!("{scope:?} interactions {status:?} {number}×{size}"), found.total, found.data));
            }
            let found = store.feed(scope, human.into(), request).await.expect("the store");
            let ids = found.data.iter().map(|entry| entry.listed.session.id).collect();
            said.push((format!("{scope:?} feed {number}×{size}"), found.total, ids));
        }
    }
    said
}

fn assert_same(found: &[(String, i64, Vec<SessionId>)], expected: &[(String, i64, Vec<SessionId>)]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
}

/// Writes all list entries, by several nodes concurrently.
async fn list_all(store: &Empty) {
    while store.unlisted(1).await.expect("the store") > 0 {
        let nodes = join_all((0..3).map(|_| store.list_sessions(NOW, None, 64))).await;
        assert!(nodes.into_iter().all(|listed| listed.is_ok()));
    }
}

/// Enough sessions that list entries are used.
const SESSIONS: i64 = 1200;

/// Fills a space directly in the database. `created_at` numbers the sessions; many have the same activity.
async fn fill(database: &sql::Database, space: &str, agent: &str, human: &str, sessions: i64) {
    let (numbers, id) = database.many(sessions);
    let of_space = format!("FROM sessions s WHERE s.space_id = {space}");
    let participants = "INSERT INTO participants (id, session_id, principal_id, kind, role, last_read_seq, read_count, \
                        added_at)";
    for statement in [
        format!(
            "{numbers} INSERT INTO sessions (id, space_id, status, priority, first_seq, last_seq, message_count, \
             pending_count, created_at, updated_at, closed_at) SELECT {id}, {space}, \
             CASE n.i % 7 WHEN 0 THEN 'Closed' WHEN 1 THEN 'Archived' ELSE 'Active' END, 1, 1, 5, 1, \
             CASE WHEN n.i % 7 > 1 AND n.i % 3 = 0 THEN 1 ELSE 0 END, n.i, n.i * 7919 % 500, \
             CASE WHEN n.i % 7 < 2 THEN n.i END FROM n"
        ),
        format!("{participants} SELECT {id}, s.id, {agent}, 'Agent', 'member', 0, 0, 1 {of_space}"),
        format!(
            "{participants} SELECT {id}, s.id, {human}, 'Human', 'member', 0, 0, 1 {of_space} \
             AND s.created_at % 5 <> 0"
        ),
        format!("{participants} SELECT {id}, s.id, {id}, 'Guest', 'member', 0, 0, 1 {of_space}"),
        format!(
            "INSERT INTO messages (id, session_id, seq, ordinal, response_required, status, priority, deadline_at, \
             created_at, updated_at) SELECT {id}, s.id, 2, 1, TRUE, CASE WHEN s.pending_count > 0 THEN 'Pending' \
             ELSE CASE s.created_at % 4 WHEN 0 THEN 'Cancelled' WHEN 1 THEN 'Expired' ELSE 'Completed' END END, \
             s.created_at % 4, CASE WHEN s.created_at % 2 = 0 THEN 900 + s.created_at % 9 END, 1, 1 {of_space}"
        ),
        format!(
            "INSERT INTO interactions (session_id, message_id, kind) SELECT m.session_id, m.id, 'x' FROM messages m \
             JOIN sessions s ON s.id = m.session_id WHERE s.space_id = {space} AND s.created_at % 3 <> 1"
        ),
    ] {
        database.execute(&statement).await;
    }
}

/// Changes of sessions, as every release writes them.
async fn change(database: &sql::Database, human: &str) {
    let (_, id) = database.many(1);
    let sessions = |number: i64| format!("(SELECT s.id FROM sessions s WHERE s.created_at % {number} = 0)");
    let moved = "last_seq = last_seq + 1, updated_at = 600 + created_at % 40";
    for statement in [
        format!(
            "UPDATE sessions SET {moved}, status = 'Closed', closed_at = created_at, pending_count = 0 \
             WHERE created_at % 13 = 0"
        ),
        format!("UPDATE messages SET status = 'Cancelled' WHERE status = 'Pending' AND session_id IN {}", sessions(13)),
        format!("UPDATE sessions SET {moved}, pending_count = 1 WHERE created_at % 17 = 0 AND status = 'Active'"),
        format!(
            "UPDATE messages SET status = 'Pending', priority = 3 WHERE session_id IN {} \
             AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = session_id AND s.pending_count > 0)",
            sessions(17)
        ),
        format!("UPDATE sessions SET {moved} WHERE created_at % 19 = 0"),
        format!("DELETE FROM participants WHERE principal_id = {human} AND session_id IN {}", sessions(19)),
        format!("UPDATE sessions SET {moved} WHERE created_at % 25 = 0"),
        format!(
            "INSERT INTO participants (id, session_id, principal_id, kind, role, last_read_seq, read_count, added_at) \
             SELECT {id}, s.id, {human}, 'Human', 'member', 0, 0, 1 FROM sessions s WHERE s.created_at % 25 = 0 \
             AND s.created_at % 19 <> 0"
        ),
    ] {
        database.execute(&statement).await;
    }
}

on_both_stores! {
    async fn lists_do_not_depend_on_written_entries(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let database = sql::Database::open(&store.url).await;
        let literal = |id: &dyn std::fmt::Display| database.id(&id.to_string());
        let (of_space, of_agent, of_human) = (literal(&space.id), literal(&agent.id), literal(&human.id));
        fill(&database, &of_space, &of_agent, &of_human, SESSIONS).await;
        let pages = async || pages(&store, space.id, agent.id, human.id).await;
        // With so many unlisted sessions the rows are sorted.
        let from_rows = async || {
            database.execute("UPDATE sessions SET listed_seq = 0").await;
            assert!(store.unlisted(5000).await.expect("the store") > 1000);
            pages().await
        };

        let expected = from_rows().await;
        assert!(expected.iter().all(|(_, total, _)| *total > 0), "every list has some");
        list_all(&store).await;
        assert_same(&pages().await, &expected);

        // Outdated entries are skipped.
        change(&database, &of_human).await;
        let unlisted = store.unlisted(5000).await.expect("the store");
        assert!((100..1000).contains(&unlisted), "{unlisted}");
        let found = pages().await;
        let expected = from_rows().await;
        assert_same(&found, &expected);
        list_all(&store).await;
        assert_same(&pages().await, &expected);

        // Retention deletes the list entries of a session.
        for _ in 0..50 {
            store.retire_session(Timestamp(5000), NOW).await.expect("the store").expect("one that has ended");
        }
        let found = pages().await;
        let expected = from_rows().await;
        assert_same(&found, &expected);
        list_all(&store).await;
        assert_same(&pages().await, &expected);

        // Only entries of this space are read.
        let other = store.space("two").await;
        let elsewhere = Scope::Member(other.id, human.id.into());
        assert_eq!(store.sessions(elsewhere, None, page(1, 10)).await.expect("the store").total, 0);
        database.execute("DELETE FROM list_entries").await;
        for scope in [Scope::Space(space.id), Scope::Member(space.id, human.id.into())] {
            let found = store.sessions(scope, None, page(1, 10)).await.expect("the store");
            assert_eq!((found.total, found.data.len()), (0, 0));
        }
    }

    async fn the_cost_of_a_page_does_not_grow_with_the_number_of_sessions(store: Empty) {
        let database = sql::Database::open(&store.url).await;
        let mut costs = Vec::new();
        for (name, sessions) in [("few", 1000), ("many", 8000)] {
            let space = store.space(name).await;
            let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
            let of_space = space.id;
            let (space, human) = (database.id(&of_space.to_string()), database.id(&human.id.to_string()));
            fill(&database, &space, &database.id(&agent.id.to_string()), &human, sessions).await;
            list_all(&store).await;
            // The hub does not run ANALYZE on SQLite: the plans must be good without statistics.
            if matches!(database, sql::Database::Postgres(_)) {
                database.execute("VACUUM ANALYZE").await;
            }
            let look_up = |name: &str| LOOK_UPS.iter().find(|(look_up, _)| *look_up == name).expect("it").1;
            let scope = Scope::Space(of_space);
            let first = store.sessions(scope, None, page(1, 1)).await.expect("the store").data.remove(0).session.id;
            let all_of = |text: &str| format!("{text} ({}))", database.id(&first.to_string()));
            let of = |scoped: Scoped| [scoped.space, scoped.member];
            let mut cost = 0;
            for (texts, values) in [
                (of(FEW_SESSIONS), vec![["257", ""]]),
                (of(COUNTS), vec![["", ""]]),
                (of(FIRST_ENTRIES), vec![["0", "40"], ["1", "40"], ["2", "40"], ["4", "40"], ["10", "40"]]),
            ] {
                for text in texts {
                    for [third, fourth] in &values {
                        let text = text.replace("$1", &space).replace("$2", &human);
                        let text = text.replace("$3", third).replace("$4", fourth);
                        let plan = database.plan(&text).await;
                        assert!(!plan.contains("TEMP B-TREE"), "{text}\n{plan}");
                        let work = database.work(&text).await;
                        println!("{name} {work}: {text}\n{plan}");
                        cost += work;
                    }
                }
            }
            let unlisted = UNLISTED_OF_SPACE.replace("$1", &space).replace("$2", "1001");
            let work = database.work(&unlisted).await;
            println!("{name} {work}: {unlisted}");
            cost += work;
            for name in ["SESSIONS_OF", "FEED_OF"] {
                for text in of(look_up(name)) {
                    let text = all_of(&text.replace("$1", &space).replace("$2", &human));
                    let work = database.work(&text).await;
                    println!("{name} {work}: {text}");
                    cost += work;
                }
            }
            costs.push(cost);
        }
        // For eight times as many sessions; an index may have become a level deeper.
        assert!(costs[1] * 10 <= costs[0] * 12, "{costs:?}");
    }
}
