//! Chaos test of three nodes: acknowledged messages are stored once, readers get every event once and in order, every
//! question is settled once; and without faults, delivery is immediate.
//!
//! A program of its own, so that it has the machine to itself. `HILOOP_CHAOS_SECONDS` says how long it goes on,
//! `HILOOP_TEST_SEED` repeats the faults and choices of a run. Every failure is recorded and the run continues to its
//! verification, which prints the history of the violations.
#![allow(clippy::disallowed_methods)] // tests start tasks that end with them

mod clients;
mod cluster;
mod dice;
mod history;
mod judge;
mod readers;
use hiloop_test_support as support;

use crate::support::hub::text;
use crate::support::{Client, seed};
use clients::{World, Writer};
use cluster::Cluster;
use dice::Dice;
use futures::FutureExt as _;
use history::History;
use readers::{Progress, Reader};
use serde_json::json;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::timeout_at;

const SESSIONS: usize = 20;
/// Number of writers of each kind: 60 in total.
const WRITERS: u64 = 20;
const RACERS: u64 = 10;
const LAPSERS: u64 = 10;
const ASKERS: u64 = 20;
/// Number of readers: 300 in total, in addition to the long-polls of the askers.
const SOCKETS: u64 = 235;
const STREAMS: u64 = 65;
const PEOPLE: usize = 3;
const DEFAULT_SECONDS: u64 = 45;
/// Time to quiesce after the last fault.
const REST: Duration = Duration::from_secs(60);
/// The number of the random sequence of the faults; those of the clients are numbered from zero.
const FATE: u64 = u64::MAX;
/// After every so many rounds of faults there is a longer time without any.
const LONG_REST_EVERY: u64 = 3;

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

/// The people, the agent and the sessions of a run.
async fn furnish(cluster: &Cluster) -> Arc<World> {
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
    Arc::new(World { history: History::new(), bases: cluster.bases(), sessions, agent, people })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// The result of a task; a panic or timeout is recorded as a failure.
async fn outcome<T>(task: JoinHandle<T>, until: tokio::time::Instant, world: &World, who: (&str, &str)) -> Option<T> {
    let (session, name) = who;
    let abort = task.abort_handle();
    match timeout_at(until, task).await {
        Ok(Ok(done)) => return Some(done),
        Ok(Err(error)) => {
            let panic = error.try_into_panic().map(|panic| message(&*panic)).unwrap_or_default();
            world.history.wrong(session, format!("{name} panicked: {panic}"));
        }
        Err(_) => {
            abort.abort();
            world.history.wrong(session, format!("{name} did not end in time"));
        }
    }
    None
}

fn start_readers(world: &Arc<World>, heads: &[Arc<AtomicI64>], seed: u64) -> Vec<(Arc<Progress>, JoinHandle<Reader>)> {
    let reader = |number: u64| {
        let session = usize::try_from(number).expect("small") % SESSIONS;
        let dice = Dice::new(seed, WRITERS + RACERS + LAPSERS + ASKERS + number);
        let (name, head) = (world.sessions[session].clone(), Arc::clone(&heads[session]));
        let reader = Reader::new(name, head, number < SOCKETS, dice);
        (Arc::clone(&reader.progress), tokio::spawn(reader.read(Arc::clone(world))))
    };
    (0..SOCKETS + STREAMS).map(reader).collect()
}

fn start_writers(world: &Arc<World>, seed: u64) -> Vec<JoinHandle<()>> {
    let kinds = [WRITERS, RACERS, LAPSERS, ASKERS].into_iter().enumerate();
    let kinds = kinds.flat_map(|(kind, count)| (0..count).map(move |_| kind));
    let start = |(number, kind)| {
        let writer = Writer::new(world, Dice::new(seed, number));
        match kind {
            0 => tokio::spawn(writer.write()),
            1 => tokio::spawn(writer.race()),
            2 => tokio::spawn(writer.lapse()),
            _ => tokio::spawn(writer.ask()),
        }
    };
    (0..).zip(kinds).map(start).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_three_nodes_nothing_is_lost_or_doubled() {
    let seed = seed();
    let mut cluster = Cluster::start().await;
    let world = furnish(&cluster).await;
    let history = &world.history;
    let heads: Vec<_> = (0..SESSIONS).map(|_| Arc::new(AtomicI64::new(0))).collect();
    let reads = start_readers(&world, &heads, seed);
    let writes = start_writers(&world, seed);

    let until = Instant::now() + Duration::from_secs(seconds());
    let fate = Dice::new(seed, FATE);
    for round in 1.. {
        if Instant::now() >= until {
            break;
        }
        let mut random = fate.operation(round);
        let suffered = AssertUnwindSafe(cluster.suffer(&mut random, history)).catch_unwind().await;
        if let Err(panic) = suffered {
            history.wrong("", format!("the injection of faults ended: {}", message(&*panic)));
            break;
        }
        cluster.rest(&mut random, round % LONG_REST_EVERY == 0).await;
    }
    history.end();
    let rest = tokio::time::Instant::now() + REST * 2;
    for (number, writer) in writes.into_iter().enumerate() {
        outcome(writer, rest, &world, ("", &format!("client {number}"))).await;
    }
    history.disturbed();

    let stored = judge::settled_timelines(&world).await;
    for (session, head) in world.sessions.iter().zip(&heads) {
        // Readers of a session that can't be read are not checked.
        let events = stored.get(session).map_or(1, Vec::len);
        head.store(i64::try_from(events).expect("a length"), Ordering::SeqCst);
    }
    let rest = tokio::time::Instant::now() + REST;
    let mut delays = judge::Delays::new(&world);
    for (progress, reader) in reads {
        if let Some(reader) = outcome(reader, rest, &world, (&progress.session, &progress.name)).await {
            judge::compare(&world, &reader, &stored);
            delays.take(&world, &reader);
        } else {
            let (seq, node) = (progress.seq.load(Ordering::SeqCst), progress.node.load(Ordering::SeqCst));
            history.note(&progress.session, format!("{} was at {seq}, by node {node}", progress.name));
        }
    }
    delays.judge(&world);
    judge::check(&world, &stored);
    judge::report(&world, &stored, &cluster.logs());
    history.judge();
}
