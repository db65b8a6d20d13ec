//! The hub is killed while it executes a request with a key.

use super::is_replayed;
use crate::support::hub::{at_agent, at_human, text};
use crate::support::process::Process;
use crate::support::{Client, Port, Socket, seed};
use futures::SinkExt as _;
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::tempdir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

const KILLS: usize = 12;

/// The shared state of the clients and the task that kills the hub.
struct Ordeal {
    /// Number of restarts.
    lives: watch::Receiver<usize>,
    answered: AtomicUsize,
    /// Number of replies that were lost to a kill and returned to a retry.
    cut_off: AtomicUsize,
    moved: Notify,
    over: AtomicBool,
}

/// The body of the n-th request of its kind.
type NthBody = fn(usize) -> Value;

/// A POST that was answered: under which key, with which body and reply.
struct Answered {
    client: Client,
    path: String,
    body: Value,
    reply: Value,
}

impl Ordeal {
    /// Retries until there is a reply, across kills of the hub.
    async fn insist<T>(&self, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let mut lives = self.lives.clone();
        loop {
            let life = *lives.borrow_and_update();
            if let Some(answer) = ask().await {
                self.answered.fetch_add(1, Ordering::SeqCst);
                self.moved.notify_one();
                return answer;
            }
            if *lives.borrow() == life {
                lives.changed().await.expect("the hub comes back");
            }
        }
    }

    /// Sends keyed requests until the test ends.
    async fn make(&self, client: Client, path: String, body: NthBody) -> Vec<Answered> {
        let mut made = Vec::new();
        while !self.over.load(Ordering::SeqCst) {
            let body = body(made.len());
            let client = client.with("idempotency-key", &format!("key-{}", made.len()));
            let bytes = body.to_string().into_bytes();
            let post = || client.try_raw("POST", &path, Some("application/json"), bytes.clone());
            // In every second request the client disconnects at a random time.
            let is_patient = made.len().is_multiple_of(2);
            let patience = Duration::from_millis(made.len() as u64 % 8);
            let left = !is_patient && timeout(patience, post()).await.is_err();
            let mut was_cut = false;
            let reply = self
                .insist(async || {
                    loop {
                        let Ok(reply) = post().await else {
                            was_cut = is_patient;
                            return None;
                        };
                        // Requests of disconnected clients may still be in progress.
                        if !left || reply.body["error"]["code"] != "IDEMPOTENCY_IN_FLIGHT" {
                            return Some(reply);
                        }
                    }
                })
                .await;
            self.cut_off.fetch_add(usize::from(was_cut && is_replayed(&reply)), Ordering::SeqCst);
            let reply = reply.expect(201);
            made.push(Answered { client, path: path.clone(), body, reply });
        }
        made
    }

    /// The same with a socket's `send`; returns the messages.
    async fn send(&self, client: &Client, session: &str) -> Vec<Value> {
        let mut sent = Vec::new();
        let mut socket: Option<Socket> = None;
        while !self.over.load(Ordering::SeqCst) {
            let key = format!("key-{}", sent.len());
            let frame = json!({
                "type": "send", "id": sent.len(), "sessionId": session, "encryptedContent": key, "idempotencyKey": key,
            });
            let message = self
                .insist(async || {
                    let open = match socket.take() {
                        Some(open) => open,
                        None => Socket::open_if_up(client).await?,
                    };
                    let open = socket.insert(open);
                    let answer = match open.stream.send(Message::text(frame.to_string())).await {
                        Ok(()) => open.next_or_end().await.ok(),
                        Err(_) => None,
                    };
                    if answer.is_none() {
                        socket = None;
                    }
                    answer
                })
                .await;
            assert_eq!(message["type"], "sent", "{message}");
            sent.push(message["message"].clone());
        }
        sent
    }
}

/// Each kind of keyed request, with its caller.
async fn kinds(owner: &Client) -> (String, [(Client, String, NthBody); 8]) {
    let provisioner = owner.post("/v1/manage/keys", json!({ "permission": "provision" })).await.expect(201);
    let provisioner = Client::anonymous(&owner.base).with("x-api-key", text(&provisioner["apiKey"]));
    let session = owner.post("/v1/agent/sessions", json!({ "participants": [] })).await.expect(201);
    let session = text(&session["id"]).to_owned();
    let owners = |path: &str, body: NthBody| (owner.clone(), path.to_owned(), body);
    let kinds = [
        owners("/v1/agent/sessions", |n| json!({ "title": format!("{n}"), "participants": [] })),
        owners(&at_agent(&session, "/messages"), |n| json!({ "encryptedContent": format!("{n}") })),
        owners(&at_agent(&session, "/guest-tokens"), |n| json!({ "name": format!("{n}") })),
        owners("/v1/manage/keys", |n| json!({ "permission": "agent", "agent": format!("keyed-{n}") })),
        owners("/v1/manage/agents", |n| json!({ "name": format!("made-{n}") })),
        owners("/v1/manage/humans", |n| json!({ "email": format!("{n}@example.org"), "name": "H" })),
        owners("/v1/manage/spaces", |n| json!({ "name": format!("space-{n}") })),
        (provisioner, "/v1/provision/agents".to_owned(), |n| json!({ "name": format!("provisioned-{n}") })),
    ];
    (session, kinds)
}

/// Posts, and waits for the first byte of the reply without reading it.
async fn post_unread(address: &str, client: &Client, path: &str, body: &Value) -> TcpStream {
    let body = body.to_string();
    let mut request = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n");
    for (name, value) in &client.headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("the request goes out");
    assert_eq!(stream.peek(&mut [0]).await.expect("a reply"), 1);
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_after_a_kill_returns_the_first_reply() {
    let folder = tempdir().expect("a folder");
    let port = Port::reserve();
    let address = port.address();
    let mut hub = Process::start(folder.path(), &address);
    let (_, kinds) = kinds(&hub.owner()).await;
    for (client, path, body) in kinds {
        let client = client.with("idempotency-key", "k");
        let mut unread = post_unread(&address, &client, &path, &body(0)).await;
        hub.kill();
        hub = Process::start(folder.path(), &address);
        let again = client.post(&path, body(0)).await;
        assert!(is_replayed(&again), "{path}: {}", again.body);
        // The reply in the receive buffer of the client.
        let mut lost = String::new();
        unread.read_to_string(&mut lost).await.expect("the reply of the killed hub");
        let (_, lost) = lost.split_once("\r\n\r\n").expect("a reply");
        assert_eq!(again.expect(201).to_string(), lost, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyed_request_is_executed_once_across_kills() {
    let mut random = StdRng::seed_from_u64(seed());
    let folder = tempdir().expect("a folder");
    let port = Port::reserve();
    let address = port.address();
    let mut hub = Process::start(folder.path(), &address);
    let owner = hub.owner();
    let (session, kinds) = kinds(&owner).await;
    let (back, lives) = watch::channel(0);
    let ordeal = Arc::new(Ordeal {
        lives,
        answered: AtomicUsize::new(0),
        cut_off: AtomicUsize::new(0),
        moved: Notify::new(),
        over: AtomicBool::new(false),
    });
    let makers = kinds.into_iter().map(|(client, path, body)| ordeal.make(client, path, body));
    let killer = async {
        for life in 1..=KILLS {
            let moment = ordeal.answered.load(Ordering::SeqCst) + random.gen_range(1..60);
            while ordeal.answered.load(Ordering::SeqCst) < moment {
                ordeal.moved.notified().await;
            }
            hub.kill();
            hub = Process::start(folder.path(), &address);
            ordeal.over.store(life == KILLS, Ordering::SeqCst);
            back.send_replace(life);
        }
    };
    let (made, sent, ()) = tokio::join!(join_all(makers), ordeal.send(&owner, &session), killer);

    for answered in made.iter().flatten() {
        let again = answered.client.post(&answered.path, answered.body.clone()).await;
        assert!(is_replayed(&again), "{}", answered.path);
        assert_eq!(again.expect(201), answered.reply, "{}", answered.path);
        if let Some(key) = answered.reply["apiKey"].as_str() {
            Client::anonymous(&owner.base).with("x-api-key", key).get("/v1/agent/me").await.expect(200);
        }
        if let Some(token) = answered.reply["token"].as_str() {
            let guest = Client::anonymous(&owner.base).with("authorization", &format!("Bearer {token}"));
            guest.get(&at_human(&session, "")).await.expect(200);
        }
    }
    // Exactly one entry for each key, in addition to those that the setup has created.
    let count = |index: usize| made[index].len();
    let (sessions, messages, guests, keys) = (count(0), count(1), count(2), count(3));
    let (agents, humans, spaces, provisioned) = (count(4), count(5), count(6), count(7));
    for (path, expected) in [
        ("/v1/agent/sessions".to_owned(), sessions + 1),
        (at_agent(&session, "/messages"), messages + sent.len()),
        (at_agent(&session, "/participants"), guests + 1),
        ("/v1/manage/keys".to_owned(), keys + provisioned + 2),
        ("/v1/manage/agents".to_owned(), keys + agents + provisioned + 1),
        ("/v1/manage/humans".to_owned(), humans + 1),
        ("/v1/manage/spaces".to_owned(), spaces + 1),
    ] {
        assert_eq!(owner.get(&path).await.expect(200)["total"], json!(expected), "{path}");
    }
    let different: HashSet<_> = sent.iter().map(|message| text(&message["id"])).collect();
    assert_eq!(different.len(), sent.len());
    let total = made.iter().map(Vec::len).sum::<usize>() + sent.len();
    // A kill rarely hits that instant; the test above covers it deterministically.
    let cut_off = ordeal.cut_off.load(Ordering::SeqCst);
    println!("{total} keyed requests over {KILLS} kills, each carried out once; {cut_off} lost their reply to a kill");
    assert!(total >= KILLS);
}
