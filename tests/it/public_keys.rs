//! The directory of public keys: impersonation is refused, and a change of keys reaches the participants of the
//! sessions concerned.

use crate::support::hub::{SESSIONS, at_agent, at_human, config, open, say, text};
use crate::support::keys::{Keys, base64url, id_of, publish, publisher};
use crate::support::shapes::{is_key_entry, names_field};
use crate::support::sql::Database;
use crate::support::{Client, Engine, Events, Hub, eventually, on_both_engines};
use futures::future::join_all;
use hiloop::clock::Clock as _;
use hiloop::domain::Timestamp;
use hiloop::server::start_at;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const AGENT: &str = "/v1/agent/public-key";
const HUMAN: &str = "/v1/human/public-key";

/// The changes of keys on a timeline: their `keyId`s, and whether they are chained.
async fn changes(client: &Client, session: &str) -> Vec<(String, bool)> {
    let page = client.get(&at_agent(session, "/timeline?limit=1000")).await.expect(200);
    let events = page["data"].as_array().expect("a list");
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], index + 1);
    }
    let found = events.iter().filter(|event| event["type"] == "participant.key_changed");
    found.map(|event| (text(&event["data"]["entry"]["keyId"]).to_owned(), event["data"]["chained"] == true)).collect()
}

/// Waits until a timeline has `count` changes.
async fn wait_for_changes(client: &Client, session: &str, count: usize) -> Vec<(String, bool)> {
    eventually("the changes", async || Some(changes(client, session).await).filter(|found| found.len() >= count)).await
}

/// Whether no change is to be announced, except those that wait for their last pass.
async fn all_are_told(hub: &Hub) -> bool {
    hub.context().store.announcements(Timestamp(0), 1).await.expect("the store").is_empty()
}

on_both_engines! {
    async fn keys_of_another_principal_cannot_be_published(hub: Hub) {
        let agent = hub.agent("agent").await;
        let ann = hub.human().await;
        let session = hub.session(&agent).await;
        let guest = hub.guest(&agent, &session).await;
        let (keys, ann_id) = publish(&ann).await;
        let published = ann.get("/v1/human/me").await.expect(200)["key"].clone();
        let (guest_id, _) = publisher(&guest).await;
        // Ann's own entry: its proof is for Ann.
        let error = guest.put(HUMAN, keys.entry(&ann_id)).await.expect_error(400, "VALIDATION_ERROR");
        names_field(&error, "'proof'");
        // Her encryption key with a signing key of the guest, which gives another `keyId`.
        let own = Keys::generate().with_receiving(keys.receiving);
        assert_ne!(own.id(), keys.id());
        let mut entry = own.entry(&guest_id);
        entry["keyId"] = json!(keys.id());
        let error = guest.put(HUMAN, entry).await.expect_error(400, "VALIDATION_ERROR");
        names_field(&error, "'keyId'");
        // A principal of another space, and one who is there twice.
        let foreign = hub.agent_of(&hub.other_space().await, "agent").await;
        let error = foreign.put(AGENT, keys.entry(&ann_id)).await.expect_error(400, "VALIDATION_ERROR");
        names_field(&error, "'proof'");
        assert_eq!(ann.get("/v1/human/me").await.expect(200)["key"], published);
        assert_eq!(guest.get("/v1/human/me").await.expect(200)["key"], Value::Null);
        // The guest's own entry is accepted and does not affect Ann.
        guest.put(HUMAN, Keys::generate().entry(&guest_id)).await.expect(200);
        assert_eq!(ann.get("/v1/human/me").await.expect(200)["key"], published);
    }

    async fn keys_of_low_order_are_refused(hub: Hub) {
        let human = hub.human().await;
        let (id, path) = publisher(&human).await;
        let (keys, _) = publish(&human).await;
        let weak_points = [[0; 32], { let mut one = [0; 32]; one[0] = 1; one }, [0xff; 32]];
        for weak in weak_points {
            // The proof and the `keyId` are valid.
            let entry = keys.with_receiving(weak).entry_instead(&id);
            let error = human.put(path, entry).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, "'publicKey'");
            let mut entry = Keys::generate().entry_instead(&id);
            entry["signingKey"] = json!(base64url(&weak));
            entry["keyId"] = json!(id_of(weak, keys.receiving));
            let error = human.put(path, entry).await.expect_error(400, "VALIDATION_ERROR");
            names_field(&error, "'signingKey'");
        }
        assert_eq!(human.get("/v1/human/me").await.expect(200)["key"]["keyId"], keys.id());
    }

    async fn only_an_agents_own_api_key_publishes_its_public_key(hub: Hub) {
        let agent = hub.agent("agent").await;
        let (keys, id) = publish(&agent).await;
        let name = text(&agent.get("/v1/agent/me").await.expect(200)["name"]).to_owned();
        let next = Keys::generate();
        for permission in ["space", "manage", "owner"] {
            let other = hub.agent(permission).await;
            for named in [&name, &id] {
                let acting = other.with("x-hiloop", named);
                // Even if everything else is valid.
                acting.put(AGENT, next.entry_after(&keys, &id)).await.expect_error(403, "FORBIDDEN");
                acting.put(AGENT, next.entry_instead(&id)).await.expect_error(403, "FORBIDDEN");
            }
            // Its own agent is its own, also by name.
            let (own, _) = publish(&other).await;
            let me = other.get("/v1/agent/me").await.expect(200);
            let again = other.with("x-hiloop", text(&me["name"])).put(AGENT, own.entry(text(&me["id"]))).await.expect(200);
            assert_eq!(again, me["key"]);
        }
        // An agent that is made by its first use has no key of its own yet.
        let made = hub.agent("space").await.with("x-hiloop", &hub.name("made"));
        let (made_id, _) = publisher(&made).await;
        made.put(AGENT, Keys::generate().entry(&made_id)).await.expect_error(403, "FORBIDDEN");
        assert_eq!(agent.get("/v1/agent/me").await.expect(200)["key"]["keyId"], keys.id());
    }

    async fn a_key_is_replaced_by_a_signature_or_explicitly(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let (first, id) = publish(&human).await;
        let stored = human.get("/v1/human/me").await.expect(200)["key"].clone();
        is_key_entry(&stored);
        let (second, third, thief) = (Keys::generate(), Keys::generate(), Keys::generate());
        for entry in [second.entry(&id), thief.entry_after(&thief, &id), thief.entry_after(&second, &id)] {
            human.put(HUMAN, entry).await.expect_error(409, "KEY_EXISTS");
        }
        // A signature that is not by the named key.
        let mut entry = thief.entry_after(&thief, &id);
        entry["previous"]["keyId"] = json!(first.id());
        human.put(HUMAN, entry).await.expect_error(409, "KEY_EXISTS");
        assert_eq!(human.put(HUMAN, first.entry(&id)).await.expect(200), stored);

        let changed = human.put(HUMAN, second.entry_after(&first, &id)).await.expect(200);
        assert_eq!((&changed["keyId"], &changed["previous"]["keyId"]), (&json!(second.id()), &json!(first.id())));
        // The older entry again, as another client could have read it from the hub.
        human.put(HUMAN, first.entry(&id)).await.expect_error(409, "KEY_EXISTS");
        human.put(HUMAN, second.entry_after(&first, &id)).await.expect(200);
        let lost = human.put(HUMAN, third.entry_instead(&id)).await.expect(200);
        assert_eq!(lost["previous"], Value::Null);
        human.put(HUMAN, second.entry_after(&first, &id)).await.expect_error(409, "KEY_EXISTS");
        // A signed change is announced as chained, the other is not; an unchanged entry is not announced.
        assert_eq!(wait_for_changes(&agent, &session, 2).await, [(second.id(), true), (third.id(), false)]);
        let keys = agent.get(&at_agent(&session, "/keys")).await.expect(200);
        let ids: Vec<_> = keys["data"].as_array().expect("a list").iter().map(|key| text(&key["keyId"])).collect();
        assert_eq!(ids, [first.id(), second.id(), third.id()]);
    }

    /// Its members were looked up before the change, and it was committed after the announcement in all others.
    async fn a_session_created_with_the_previous_key_gets_the_change(hub: Hub) {
        let agent = hub.agent("agent").await;
        let (keys, id) = publish(&agent).await;
        let sessions = [hub.session(&agent).await, hub.session(&agent).await];
        let next = Keys::generate();
        agent.put(AGENT, next.entry_after(&keys, &id)).await.expect(200);
        for session in &sessions {
            assert_eq!(wait_for_changes(&agent, session, 1).await, [(next.id(), true)]);
        }
        eventually("the end of the first pass", async || all_are_told(&hub).await.then_some(())).await;
        let database = Database::open(&hub.database_url).await;
        let late = database.id(&sessions[1]);
        database.execute(&format!("UPDATE participants SET told_key_at = 1 WHERE session_id = {late}")).await;
        hub.clock.advance(21_000);
        assert_eq!(wait_for_changes(&agent, &sessions[1], 2).await.len(), 2);
        let ended = async || (database.number("SELECT COUNT(*) FROM key_announcements").await == 0).then_some(());
        eventually("the end of the announcement", ended).await;
        assert_eq!(changes(&agent, &sessions[0]).await.len(), 1);
    }

    async fn replacing_a_key_is_audited(hub: Hub) {
        let human = hub.human().await;
        let (first, id) = publish(&human).await;
        let second = Keys::generate();
        human.put(HUMAN, second.entry(&id)).await.expect_error(409, "KEY_EXISTS");
        human.put(HUMAN, first.entry(&id)).await.expect(200);
        let changed = human.put(HUMAN, second.entry_after(&first, &id)).await;
        let request = changed.header("x-request-id").expect("an id").to_owned();
        changed.expect(200);
        let attestation = json!({ "keyId": second.id(), "notAfter": "2099-01-01T00:00:00.000Z", "signature": second.sign(b"") });
        hub.owner.put(&format!("/v1/manage/attestations/{id}"), attestation).await.expect(204);
        let log = hub.owner.get("/v1/manage/audit?pageSize=100").await.expect(200);
        let of_keys: Vec<_> = log["data"].as_array().expect("a list").iter().filter(|entry| entry["target"]["id"] == id).collect();
        let of_keys: Vec<_> = of_keys.iter().filter(|entry| entry["event"] != "human.created").collect();
        assert_eq!(of_keys.len(), 2, "{log}");
        assert_eq!((&of_keys[0]["event"], &of_keys[0]["requestId"]), (&json!("public_key.replaced"), &json!(request)));
        assert_eq!((&of_keys[0]["actor"]["id"], &of_keys[0]["target"]["type"]), (&json!(id), &json!("Human")));
        assert_eq!((&of_keys[1]["event"], &of_keys[1]["actor"]["type"]), (&json!("attestation.set"), &json!("Agent")));
    }

    async fn key_changes_are_allowed_again_after_the_rate_limit(hub: Hub) {
        let agent = hub.agent("agent").await;
        let (keys, id) = publish(&agent).await;
        let database = Database::open(&hub.database_url).await;
        let space = text(&agent.get("/v1/agent/me").await.expect(200)["spaceId"]).to_owned();
        let (space, principal) = (database.id(&space), database.id(&id));
        // `count` earlier entries, `apart` milliseconds from each other, the last one a second ago.
        let past = async |count: i64, apart: i64| {
            let (numbers, new_id) = database.many(count);
            let now = hub.clock.now().0 - 1000;
            let rows = format!("SELECT {new_id}, {space}, {principal}, 'k', '{{}}', {now} - i * CAST({apart} AS BIGINT), {now} FROM n");
            let columns = "id, space_id, principal_id, key_id, body, created_at, replaced_at";
            database.execute(&format!("INSERT INTO key_entries ({columns}) {numbers} {rows}")).await;
        };
        // Old entries do not count.
        past(10_000, 600_000).await;
        hub.clock.advance(24 * 60 * 60 * 1000);
        let second = Keys::generate();
        agent.put(AGENT, second.entry_after(&keys, &id)).await.expect(200);
        // A used-up burst is refilled one at a time.
        past(142, 1).await;
        let third = Keys::generate();
        agent.put(AGENT, third.entry_after(&second, &id)).await.expect(200);
        let fourth = Keys::generate();
        let refused = agent.put(AGENT, fourth.entry_after(&third, &id)).await;
        let wait: i64 = refused.header("retry-after").expect("seconds").parse().expect("a number");
        assert!((1..=600).contains(&wait), "{wait}");
        assert_eq!(refused.header("ratelimit-policy"), Some(r#""key-changes";q=144;w=86400"#));
        refused.expect_error(429, "RATE_LIMITED");
        agent.put(AGENT, third.entry(&id)).await.expect(200);
        hub.clock.advance(wait * 1000);
        agent.put(AGENT, fourth.entry_after(&third, &id)).await.expect(200);
        agent.put(AGENT, Keys::generate().entry_after(&fourth, &id)).await.expect_error(429, "RATE_LIMITED");
        // Other principals are not affected.
        let other = hub.agent("agent").await;
        let (keys, id) = publish(&other).await;
        other.put(AGENT, Keys::generate().entry_after(&keys, &id)).await.expect(200);
    }

    async fn concurrent_key_changes_are_announced_once_and_in_order(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let (first, id) = publish(&agent).await;
        let rivals: Vec<_> = (0..8).map(|_| Keys::generate()).collect();
        let replies = join_all(rivals.iter().map(async |keys| agent.put(AGENT, keys.entry_after(&first, &id)).await)).await;
        let won: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
        assert_eq!(won.len(), 1, "{replies:?}");
        assert!(replies.iter().all(|reply| reply.status == 200 || reply.body["error"]["code"] == "KEY_EXISTS"), "{replies:?}");
        let mut order = vec![text(&won[0].body["keyId"]).to_owned()];
        let mut current = rivals.into_iter().find(|keys| keys.id() == order[0]).expect("it");
        for _ in 0..5 {
            let next = Keys::generate();
            agent.put(AGENT, next.entry_after(&current, &id)).await.expect(200);
            order.push(next.id());
            current = next;
        }
        let announced = wait_for_changes(&agent, &session, 6).await;
        assert_eq!(announced, order.into_iter().map(|id| (id, true)).collect::<Vec<_>>());
    }

    async fn a_key_change_is_delivered_to_sockets_streams_and_feeds(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let (keys, id) = publish(&human).await;
        let mut socket = hub.socket(&agent).await;
        socket.subscribe(&session, None).await;
        let mut feed = hub.socket(&agent).await;
        feed.ask(json!({ "type": "subscribe", "feed": true })).await;
        let mut stream = Events::open(&agent, &at_agent(&session, "/events")).await;
        let changed = human.put(HUMAN, Keys::generate().entry_after(&keys, &id)).await.expect(200);
        let event = socket.find("event").await["event"].clone();
        assert_eq!((&event["type"], &event["seq"]), (&json!("participant.key_changed"), &json!(2)));
        assert_eq!((&event["data"]["entry"], &event["data"]["chained"]), (&changed, &json!(true)));
        assert_eq!((&event["actor"]["type"], &event["actor"]["id"]), (&json!("Human"), &json!(id)));
        assert_eq!(feed.find("feed").await["event"], "participant.key_changed");
        assert_eq!(stream.next().await.expect("an event"), event);
        // The next event has the next `seq`.
        assert_eq!(say(&agent, &session, "x").await["seq"], 3);
    }

    async fn closed_and_unrelated_sessions_get_no_key_change(hub: Hub) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let (keys, id) = publish(&human).await;
        let current = hub.session(&agent).await;
        let (closed, archived) = (hub.session(&agent).await, hub.session(&agent).await);
        agent.post(&at_agent(&closed, "/close"), json!({})).await.expect(200);
        agent.post(&at_agent(&archived, "/archive"), json!({})).await.expect(200);
        let without = text(&open(&agent, json!({ "participants": [] })).await["id"]).to_owned();
        let left = hub.session(&agent).await;
        let people = agent.get(&at_agent(&left, "/participants")).await.expect(200);
        let there = people["data"].as_array().expect("a list").iter().find(|one| one["humanId"] == id).expect("there");
        agent.delete(&at_agent(&left, &format!("/participants/{}", text(&there["id"])))).await.expect(204);
        let before = join_all([&closed, &archived, &without, &left].map(async |session| agent.get(&format!("{SESSIONS}/{session}")).await)).await;
        human.put(HUMAN, Keys::generate().entry_after(&keys, &id)).await.expect(200);
        wait_for_changes(&agent, &current, 1).await;
        let done = async || all_are_told(&hub).await.then_some(());
        eventually("the end of the announcement", done).await;
        for before in before {
            let session = before.expect(200);
            assert_eq!(agent.get(&at_agent(text(&session["id"]), "")).await.expect(200), session);
        }
        // Its keys stay readable in its former sessions.
        let keys = agent.get(&at_agent(&left, "/keys")).await.expect(200);
        assert_eq!((&keys["total"], &keys["data"][0]["participantId"]), (&json!(2), &there["id"]));
        human.get(&at_human(&left, "/keys")).await.expect_error(404, "NOT_FOUND");
    }
}

/// In chunks, by three nodes concurrently, one of which stops: each session once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_nodes_announce_a_key_change_once_per_session() {
    let hub = Hub::start(Engine::Postgres).await;
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(start_at(config(&hub.database_url, &[]), hub.clock.clone()).await.expect("a node"));
    }
    let agent = hub.agent("agent").await;
    let (keys, id) = publish(&agent).await;
    let mut sessions = Vec::new();
    for _ in 0..10 {
        let opened = join_all((0..30).map(async |_| open(&agent, json!({ "participants": [] })).await)).await;
        sessions.extend(opened.into_iter().map(|session| text(&session["id"]).to_owned()));
    }
    let (second, third) = (Keys::generate(), Keys::generate());
    agent.put(AGENT, second.entry_after(&keys, &id)).await.expect(200);
    agent.put(AGENT, third.entry_after(&second, &id)).await.expect(200);
    // One of them stops meanwhile.
    others.pop().expect("a node").stop().await;
    let done = async || all_are_told(&hub).await.then_some(());
    eventually("the end of the announcement", done).await;
    let mut counts = BTreeMap::new();
    for session in &sessions {
        *counts.entry(changes(&agent, session).await).or_insert(0) += 1;
    }
    assert_eq!(counts, BTreeMap::from([(vec![(second.id(), true), (third.id(), true)], sessions.len())]));
    for other in others {
        other.stop().await;
    }
}
