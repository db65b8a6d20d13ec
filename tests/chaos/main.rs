//! Three nodes, and everything that can happen to them: whatever was acknowledged is stored once, whoever reads gets
//! every event once and in order, every question is settled once.
//!
//! A program of its own, so that it has the machine to itself. `HILOOP_CHAOS_SECONDS` says how long it goes on, `HILOOP_TEST_SEED` repeats the faults and choices of a run.

mod clients;
mod cluster;
mod history;
mod readers;
// What this story does not use of it, others do.
#[allow(dead_code, unused_imports, unused_macros)]
#[path = "../it/support/mod.rs"]
mod support;

use crate::support::hub::{at_agent, text};
use crate::support::{Client, eventually, seed};
use clients::World;
use cluster::Cluster;
use futures::future::join_all;
use history::History;
use rand::{Rng, SeedableRng, rngs::StdRng};
use readers::Reader;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const SESSIONS: usize = 20;
/// Those who write, of each kind: 60 in all.
const WRITERS: usize = 20;
const RACERS: usize = 10;
const LAPSERS: usize = 10;
const ASKERS: usize = 20;
/// Those who read: with the long-polls of the askers 300 in all.
const SOCKETS: usize = 220;
const STREAMS: usize = 60;
const PEOPLE: usize = 3;
const DEFAULT_SECONDS: u64 = 45;
/// How long everything may take to come to rest once nothing happens any more.
const REST: Duration = Duration::from_secs(60);

#[allow(clippy::disallowed_methods)] // of tests alone
fn seconds() -> u64 {
    let given = std::env::var("HILOOP_CHAOS_SECONDS").ok();
    given.map_or(DEFAULT_SECONDS, |given| given.parse().expect("HILOOP_CHAOS_SECONDS is a number"))
}

async fn person(owner: &Client, number: usize) -> Client {
    let (email, password) = (format!("p{number}@example.org"), "correct horse battery");
    let body = json!({ "email": email, "name": format!("Person {number}"), "password": password });
    owner.post("/v1/manage/humans", body).await.expect(201);
    let body = json!({ "email": email, "password": password });
    let tokens = Client::anonymous(&owner.base).post("/v1/auth/login", body).await.expect(200);
    Client::anonymous(&owner.base).with("authorization", &format!("Bearer {}", text(&tokens["accessToken"])))
}

/// A session's whole timeline, as the store has it now.
async fn timeline(client: &Client, session: &str) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        let path = at_agent(session, &format!("/timeline?limit=1000&after={}", events.len()));
        let page = client.get(&path).await.expect(200);
        events.extend(page["data"].as_array().expect("events").iter().cloned());
        if page["hasMore"] == false {
            return events;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_three_nodes_nothing_is_lost_or_doubled() {
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let mut cluster = Cluster::start().await;
    let owner = cluster.owner();
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(person(&owner, number).await);
    }
    let key = owner.post("/v1/manage/keys", json!({ "permission": "space", "agent": "asker" })).await.expect(201);
    let agent = Client::anonymous(&owner.base).with("x-api-key", text(&key["apiKey"]));
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let session = agent.post("/v1/agent/sessions", json!({})).await.expect(201);
        sessions.push(text(&session["id"]).to_owned());
    }
    let bases = cluster.bases();
    let world = Arc::new(World { history: History::new(), bases, sessions, agent, people });

    let heads: Vec<_> = (0..SESSIONS).map(|_| Arc::new(AtomicI64::new(0))).collect();
    let mut reads = Vec::new();
    for number in 0..SOCKETS + STREAMS {
        let session = number % SESSIONS;
        let reader = Reader::new(world.sessions[session].clone(), heads[session].clone(), random.r#gen());
        reads.push(tokio::spawn(reader.read(world.clone(), number < SOCKETS)));
    }
    let mut writes = Vec::new();
    writes.extend((0..WRITERS).map(|_| tokio::spawn(clients::write(world.clone(), random.r#gen()))));
    writes.extend((0..RACERS).map(|_| tokio::spawn(clients::race(world.clone(), random.r#gen()))));
    writes.extend((0..LAPSERS).map(|_| tokio::spawn(clients::lapse(world.clone(), random.r#gen()))));
    writes.extend((0..ASKERS).map(|_| tokio::spawn(clients::ask(world.clone(), random.r#gen()))));

    let until = Instant::now() + Duration::from_secs(seconds());
    while Instant::now() < until {
        cluster.suffer(&mut random, &world.history).await;
    }
    world.history.end();
    let written = tokio::time::timeout(REST * 2, join_all(writes)).await.expect("the writers come to an end");
    written.into_iter().for_each(|writer| writer.expect("no panic"));

    // Every deadline has passed soon; then nothing moves any more.
    let client = &world.agent;
    eventually("nothing is pending", async || {
        let mut pending = 0;
        for session in &world.sessions {
            pending += client.get(&at_agent(session, "")).await.expect(200)["pendingCount"].as_i64().expect("a count");
        }
        (pending == 0).then_some(())
    })
    .await;
    let mut stored = HashMap::new();
    for (session, head) in world.sessions.iter().zip(&heads) {
        let events = timeline(client, session).await;
        head.store(i64::try_from(events.len()).expect("a length"), Ordering::SeqCst);
        stored.insert(session.clone(), events);
    }
    let read = tokio::time::timeout(REST, join_all(reads)).await;
    if let Ok(read) = read {
        for reader in read {
            compare(&world, &reader.expect("no panic"), &stored);
        }
    } else {
        world.history.wrong("", format!("after {REST:?} some readers have not everything"));
    }
    check(&world, &stored);

    let history = &world.history;
    println!(
        "{} events; {} acknowledged messages, {} races, {} deadlines; {} retries, {} times resumed",
        stored.values().map(Vec::len).sum::<usize>(),
        history.acknowledged.lock().expect("no panic").len(),
        history.races.lock().expect("no panic").len(),
        history.lapses.lock().expect("no panic").len(),
        history.retries.load(Ordering::SeqCst),
        history.resumes.load(Ordering::SeqCst),
    );
    for line in cluster.logs().lines().filter(|line| line.contains("ERROR") || line.contains("panicked")) {
        println!("{line}");
        if line.contains("panicked") {
            history.wrong("", format!("a node panicked: {line}"));
        }
    }
    history.judge();
}

/// A reader has had exactly what is stored.
fn compare(world: &World, reader: &Reader, stored: &HashMap<String, Vec<Value>>) {
    let events = &stored[&reader.session];
    if reader.events != *events {
        let at = reader.events.iter().zip(events).position(|(had, stored)| had != stored);
        let what = format!("a reader had {} events of {}, and differs at {at:?}", reader.events.len(), events.len());
        world.history.wrong(&reader.session, what);
    }
}

/// What is stored is what was acknowledged, once each, settled once each.
fn check(world: &World, stored: &HashMap<String, Vec<Value>>) {
    let history = &world.history;
    let mut contents: HashMap<(&str, &str), Vec<&str>> = HashMap::new();
    let mut settlings: HashMap<&str, Vec<&Value>> = HashMap::new();
    for (session, events) in stored {
        for (seq, event) in (1..).zip(events) {
            if event["seq"] != json!(seq) {
                history.wrong(session, format!("{seq} is stored as {event}"));
            }
            match text(&event["type"]) {
                "message.created" => {
                    let message = &event["data"]["message"];
                    let content = text(&message["encryptedContent"]["ciphertext"]);
                    contents.entry((session, content)).or_default().push(text(&message["id"]));
                }
                "message.completed" | "message.expired" | "message.cancelled" => {
                    settlings.entry(text(&event["data"]["messageId"])).or_default().push(event);
                }
                _ => {}
            }
        }
    }
    // Every content is unique but that of the answers.
    for ((session, content), messages) in &contents {
        if *content != "!" && messages.len() > 1 {
            history.wrong(session, format!("{content} is stored as each of {messages:?}"));
        }
    }
    for message in history.acknowledged.lock().expect("no panic").iter() {
        let found = contents.get(&(message.session.as_str(), message.content.as_str()));
        if found.is_none_or(|found| *found != [message.message.as_str()]) {
            history.wrong(&message.session, format!("{message:?} was acknowledged and is stored as {found:?}"));
        }
    }
    for (question, events) in &settlings {
        if events.len() != 1 {
            history.wrong(text(&events[0]["sessionId"]), format!("{question} is settled by {events:?}"));
        }
    }
    let settled = |question: &str, kind: &str| {
        settlings.get(question).is_some_and(|events| events.iter().all(|event| event["type"] == kind))
    };
    for race in history.races.lock().expect("no panic").iter() {
        let one = race.won.len() == 1 && race.told.iter().all(|told| *told == race.won[0]);
        if !one || !settled(&race.question, "message.completed") {
            history.wrong(&race.session, format!("{race:?}"));
        }
    }
    for lapse in history.lapses.lock().expect("no panic").iter() {
        if !settled(&lapse.question, "message.expired") {
            history.wrong(&lapse.session, format!("{lapse:?} did not expire"));
        }
    }
}
