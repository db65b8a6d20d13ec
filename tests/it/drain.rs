//! The hub is restarted under load: clients see a pause and nothing else.

use crate::support::hub::{at_agent, text};
use crate::support::process::{Process, hiloop};
use crate::support::socket::End;
use crate::support::{Client, Port, Socket, Stopwatch};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs::{self, File};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::tempdir;
use tokio::sync::{Notify, watch};

const SOCKETS: usize = 500;
const WRITERS: usize = 50;
const SESSIONS: usize = 10;
const MESSAGES: usize = 20;
const LONG_POLLS: usize = 20;
/// The default of `HILOOP_GRACE_SECONDS`.
const GRACE: Duration = Duration::from_secs(10);

/// The shared state of the writers and the task that restarts the hub.
struct Round {
    acknowledged: AtomicUsize,
    moved: Notify,
    /// Whether the second hub is up.
    again: watch::Receiver<bool>,
}

/// Posts every message until it is acknowledged, each under a key of its own; returns them by id.
async fn write(client: Client, session: String, writer: usize, round: Arc<Round>) -> HashMap<String, String> {
    let path = at_agent(&session, "/messages");
    let mut again = round.again.clone();
    let mut done = HashMap::new();
    for number in 0..MESSAGES {
        let content = format!("writer-{writer}-number-{number}");
        let client = client.with("idempotency-key", &content);
        let body = json!({ "encryptedContent": content }).to_string().into_bytes();
        let message = loop {
            match client.try_raw("POST", &path, Some("application/json"), body.clone()).await {
                Ok(reply) => break reply.expect(201),
                // Disconnected or refused: the request is retried with the next hub.
                Err(_) => again.wait_for(|again| *again).await.expect("it comes back"),
            };
        };
        assert!(done.insert(text(&message["id"]).to_owned(), content).is_none(), "an id of its own");
        round.acknowledged.fetch_add(1, Ordering::SeqCst);
        round.moved.notify_one();
    }
    done
}

/// Reads until the socket closes; returns the events, and whether `goaway` was received before.
async fn follow(mut socket: Socket) -> (Vec<Value>, bool, End) {
    let (mut seen, mut got_goaway) = (Vec::new(), false);
    loop {
        match socket.next_or_end().await {
            Ok(mut frame) if frame["type"] == "event" => seen.push(frame["event"].take()),
            Ok(frame) => {
                if frame["type"] == "goaway" {
                    let [least, most] = [0, 1].map(|at| frame["reconnectAfterMs"][at].as_u64().expect("milliseconds"));
                    assert!(least <= most && !got_goaway, "{frame}");
                    got_goaway = true;
                }
            }
            Err(end) => return (seen, got_goaway, end),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_under_load_loses_and_repeats_no_message() {
    let folder = tempdir().expect("a folder");
    let log = folder.path().join("log");
    let file = File::create(&log).expect("a file");
    let port = Port::reserve();
    let address = port.address();
    let mut hub = Process::spawn(hiloop(folder.path()).env("HILOOP_LISTEN", &address).stderr(file));
    let client = hub.owner();
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let session = client.post("/v1/agent/sessions", json!({})).await.expect(201);
        sessions.push(text(&session["id"]).to_owned());
    }
    let session_of = |number: usize| &sessions[number % SESSIONS];

    let opened = join_all((0..SOCKETS).map(async |number| {
        let mut socket = Socket::open(&client).await;
        socket.subscribe(session_of(number), Some(0)).await;
        socket
    }));
    let readers: Vec<_> = opened.await.into_iter().map(|socket| tokio::spawn(follow(socket))).collect();
    let aside = client.post("/v1/agent/sessions", json!({})).await.expect(201);
    let aside = text(&aside["id"]);
    let question = json!({ "encryptedContent": "?", "responseRequired": true });
    let question = client.post(&at_agent(aside, "/messages"), question).await.expect(201);
    let path = at_agent(aside, &format!("/messages/{}/await?timeout=55", text(&question["id"])));
    let polls: Vec<_> = (0..LONG_POLLS)
        .map(|_| {
            let (client, path) = (client.clone(), path.clone());
            tokio::spawn(async move { client.get(&path).await })
        })
        .collect();
    waiting(&client, LONG_POLLS).await;

    let (came_back, again) = watch::channel(false);
    let round = Arc::new(Round { acknowledged: AtomicUsize::new(0), moved: Notify::new(), again });
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(client.clone(), session_of(writer).clone(), writer, Arc::clone(&round))))
        .collect();
    while round.acknowledged.load(Ordering::SeqCst) < WRITERS * MESSAGES / 3 {
        round.moved.notified().await;
    }
    let started = Stopwatch::start();
    let code = tokio::task::spawn_blocking(move || hub.terminate()).await.expect("no panic");
    let took = started.elapsed();
    assert_eq!(code, Some(0));
    assert!(took < GRACE, "{took:?}");
    let before = round.acknowledged.load(Ordering::SeqCst);
    assert!(before < WRITERS * MESSAGES, "the stream ended early");
    println!("{before} messages acknowledged before the end, which took {took:?}");
    for poll in polls {
        assert_eq!(poll.await.expect("no panic").expect(200)["status"], "Pending");
    }
    let mut halves = Vec::new();
    for reader in readers {
        let (seen, got_goaway, end) = reader.await.expect("no panic");
        assert!(got_goaway, "goaway comes before the close");
        assert_eq!(end, End::Code(1001));
        halves.push(seen);
    }
    let logged = fs::read_to_string(&log).expect("text");
    assert!(!logged.contains("graceful shutdown timeout"), "{logged}");

    // The same address and the same clients: sockets resume after their last event, writers continue.
    let hub = Process::start(folder.path(), &address);
    came_back.send_replace(true);
    let resumed = join_all(halves.into_iter().enumerate().map(async |(number, mut seen)| {
        let mut socket = Socket::open(&client).await;
        let after = seen.last().map_or(0, |event: &Value| event["seq"].as_i64().expect("a seq"));
        socket.subscribe(session_of(number), Some(after)).await;
        // The session's own first event, and every message of its writers.
        while seen.len() < 1 + WRITERS / SESSIONS * MESSAGES {
            seen.push(socket.event().await);
        }
        socket.expect_none("event").await;
        seen
    }));
    let (resumed, written) = tokio::join!(resumed, join_all(writers));
    let mut acknowledged = HashMap::new();
    for writer in written {
        acknowledged.extend(writer.expect("no panic"));
    }
    assert_eq!(acknowledged.len(), WRITERS * MESSAGES);
    for seen in &resumed {
        let seqs: Vec<_> = seen.iter().map(|event| event["seq"].as_u64().expect("a seq")).collect();
        assert_eq!(seqs, (1..=seen.len() as u64).collect::<Vec<_>>(), "no hole, no twin");
        for event in &seen[1..] {
            let message = &event["data"]["message"];
            let content = acknowledged.get(text(&message["id"])).expect("acknowledged");
            assert_eq!(message["encryptedContent"]["ciphertext"], json!(content));
        }
    }
    drop(hub);
}

/// Waits until so many long-polls wait on the hub.
async fn waiting(owner: &Client, count: usize) {
    let line = format!("\nhiloop_waiters {count}\n");
    crate::support::eventually("the long-polls to wait", async || {
        let metrics = owner.get("/metrics").await.expect(200);
        text(&metrics).contains(&line).then_some(())
    })
    .await;
}
