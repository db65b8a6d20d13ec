//! The hub is killed under load: nothing that was acknowledged is lost or repeated.

use crate::support::hub::{at_agent, text};
use crate::support::process::Process;
use crate::support::{Client, Port, Socket, seed};
use futures::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::tempdir;
use tokio::sync::Notify;

const ROUNDS: usize = 20;
const WRITERS: usize = 64;
const SESSIONS: usize = 4;

/// The shared state of the writers of one round.
#[derive(Default)]
struct Round {
    acknowledged: AtomicUsize,
    moved: Notify,
    killed: AtomicBool,
}

/// Posts until the hub is killed; returns the acknowledged ids, each with the text that was sent.
async fn write(client: Client, session: String, writer: usize, round: Arc<Round>) -> Vec<(String, String)> {
    let mut done = Vec::new();
    for number in 0.. {
        let content = format!("writer {writer} number {number}");
        let body = json!({ "encryptedContent": content }).to_string().into_bytes();
        let reply = client.try_raw("POST", &at_agent(&session, "/messages"), Some("application/json"), body).await;
        match reply {
            Ok(reply) if reply.status == 201 => {
                done.push((text(&reply.body["id"]).to_owned(), content));
                round.acknowledged.fetch_add(1, Ordering::SeqCst);
                round.moved.notify_one();
            }
            Ok(reply) => panic!("{}: {}", reply.status, reply.body),
            Err(error) => {
                assert!(round.killed.load(Ordering::SeqCst), "the hub failed before it was killed: {error}");
                return done;
            }
        }
    }
    unreachable!("a writer ended before the hub was killed")
}

/// A session's whole timeline by HTTP.
async fn timeline(client: &Client, session: &str) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        let page =
            client.get(&at_agent(session, &format!("/timeline?limit=1000&after={}", events.len()))).await.expect(200);
        events.extend(page["data"].as_array().expect("events").iter().cloned());
        if page["hasMore"] == false {
            return events;
        }
    }
}

/// What a socket has seen of a session, across restarts.
#[derive(Default)]
struct Reader {
    seen: Vec<Value>,
}

impl Reader {
    /// Reads until the socket ends.
    async fn follow(&mut self, mut socket: Socket) {
        while let Ok(frame) = socket.next_or_end().await {
            if frame["type"] == "event" {
                self.seen.push(frame["event"].clone());
            }
        }
    }

    fn last_seq(&self) -> i64 {
        self.seen.last().map_or(0, |event| event["seq"].as_i64().expect("a seq"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_under_64_writers_loses_no_acknowledged_message() {
    let seed = seed();
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempdir().expect("a folder");
    let port = Port::reserve();
    let address = port.address();
    let mut hub = Process::start(folder.path(), &address);
    let client = hub.owner();
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let session = client.post("/v1/agent/sessions", json!({})).await.expect(201);
        sessions.push(text(&session["id"]).to_owned());
    }
    let mut acknowledged: Vec<Vec<(String, String)>> = vec![Vec::new(); SESSIONS];
    let mut readers: Vec<Reader> = (0..SESSIONS).map(|_| Reader::default()).collect();

    for _ in 0..ROUNDS {
        let round = Arc::new(Round::default());
        let mut follows = Vec::new();
        for (reader, session) in readers.iter_mut().zip(&sessions) {
            let mut socket = Socket::open(&client).await;
            socket
                .send(json!({ "type": "subscribe", "id": 0, "sessionId": session, "after": reader.last_seq() }))
                .await;
            follows.push(reader.follow(socket));
        }
        let writers = (0..WRITERS).map(|writer| {
            tokio::spawn(write(client.clone(), sessions[writer % SESSIONS].clone(), writer, Arc::clone(&round)))
        });
        let writers: Vec<_> = writers.collect();
        // The kill comes after a random number of acknowledgements, with other requests in flight.
        let moment = random.gen_range(1..400);
        let killer = async {
            while round.acknowledged.load(Ordering::SeqCst) < moment {
                round.moved.notified().await;
            }
            round.killed.store(true, Ordering::SeqCst);
            hub.kill();
        };
        let (_, _, written) = tokio::join!(killer, join_all(follows), join_all(writers));
        for (writer, done) in written.into_iter().enumerate() {
            acknowledged[writer % SESSIONS].extend(done.expect("the writer ends"));
        }
        hub = Process::start(folder.path(), &address);

        for (session, acknowledged) in sessions.iter().zip(&acknowledged) {
            let events = timeline(&client, session).await;
            let seqs: Vec<_> = events.iter().map(|event| event["seq"].as_u64().expect("a seq")).collect();
            assert_eq!(seqs, (1..=events.len() as u64).collect::<Vec<_>>(), "no hole, no twin");
            let mut stored = HashSet::new();
            for event in events.iter().filter(|event| event["type"] == "message.created") {
                let message = &event["data"]["message"];
                let pair =
                    (text(&message["id"]).to_owned(), text(&message["encryptedContent"]["ciphertext"]).to_owned());
                assert!(stored.insert(pair), "stored once");
            }
            for message in acknowledged {
                assert!(stored.contains(message), "acknowledged, so stored: {message:?}");
            }
        }
    }

    // The readers reconnect and read to the end; each has received every event exactly once, in order.
    for (reader, session) in readers.iter_mut().zip(&sessions) {
        let events = timeline(&client, session).await;
        let mut socket = Socket::open(&client).await;
        socket.subscribe(session, Some(reader.last_seq())).await;
        while reader.seen.len() < events.len() {
            let event = socket.event().await;
            reader.seen.push(event);
        }
        socket.expect_none("event").await;
        assert_eq!(reader.seen, events);
    }
    let total: usize = acknowledged.iter().map(Vec::len).sum();
    println!("{total} acknowledged messages over {ROUNDS} kills, none lost");
    assert!(total >= ROUNDS);
}
