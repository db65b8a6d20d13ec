//! Once, however often it is asked for: `Idempotency-Key` on every POST that creates or settles something, and
//! `idempotencyKey` of the socket's `send`; by repetition, in a race, across nodes, and across the hub's death.

use crate::permissions::{House, ROUTES, Route};
use crate::support::client::Reply;
use crate::support::hub::{at_agent, at_human, config, text};
use crate::support::process::Process;
use crate::support::{Client, Hub, Port, Socket, on_both_engines, seed};
use futures::SinkExt as _;
use futures::future::join_all;
use hiloop::broker::LocalBroker;
use hiloop::clock::SystemClock;
use hiloop::server::start_with;
use hiloop::timeline::Idempotency;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::tempdir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

/// What an `Idempotency-Key` does on a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keyed {
    /// The first reply is kept, with this status.
    Kept(u16),
    /// It creates and settles nothing: the key changes nothing. Why that is.
    NotApplicable(#[allow(dead_code)] &'static str),
}
use Keyed::{Kept, NotApplicable};

const EPHEMERAL: &str = "shown to those who look, and gone";
const FORWARD_ONLY: &str = "moves a mark forward; again, it stays";
const SIGN_IN: &str =
    "gives out tokens, which are never kept; there is no credential yet that a key could be scoped by";

/// What is cancelled can't be answered, so that this one has an interaction of its own.
const CANCEL: &str = "/v1/agent/interactions/{id}/cancel";

/// Every POST of the hub, in an order in which they can be tried on one session.
const POSTS: &[(&str, Keyed)] = &[
    ("/v1/agent/sessions", Kept(201)),
    ("/v1/agent/sessions/{id}/messages", Kept(201)),
    ("/v1/agent/sessions/{id}/messages/{messageId}/cancel", Kept(200)),
    ("/v1/agent/sessions/{id}/messages/{messageId}/acknowledge", Kept(200)),
    ("/v1/agent/sessions/{id}/participants", Kept(201)),
    ("/v1/agent/sessions/{id}/guest-tokens", Kept(201)),
    ("/v1/agent/sessions/{id}/typing", NotApplicable(EPHEMERAL)),
    ("/v1/agent/interactions", Kept(201)),
    ("/v1/agent/interactions/{id}/messages", Kept(201)),
    ("/v1/agent/interactions/{id}/blocks", Kept(201)),
    (CANCEL, Kept(200)),
    ("/v1/human/interactions/{id}/respond", Kept(200)),
    ("/v1/agent/interactions/{id}/acknowledge", Kept(200)),
    ("/v1/human/sessions", Kept(201)),
    ("/v1/human/sessions/{id}/messages", Kept(201)),
    ("/v1/human/sessions/{id}/typing", NotApplicable(EPHEMERAL)),
    ("/v1/human/sessions/{id}/read", NotApplicable(FORWARD_ONLY)),
    ("/v1/human/password", NotApplicable("sets what is given; a second time the current password is another")),
    ("/v1/auth/login", NotApplicable(SIGN_IN)),
    ("/v1/auth/refresh", NotApplicable(SIGN_IN)),
    ("/v1/auth/logout", NotApplicable("ends tokens; again, they stay ended")),
    ("/v1/auth/setup", NotApplicable(SIGN_IN)),
    ("/v1/manage/keys", Kept(201)),
    ("/v1/manage/agents", Kept(201)),
    ("/v1/manage/humans", Kept(201)),
    ("/v1/manage/humans/{id}/setup-link", Kept(201)),
    ("/v1/manage/spaces", Kept(201)),
    ("/v1/provision/agents", Kept(201)),
    ("/v1/human/sessions/{id}/close", Kept(200)),
    ("/v1/agent/sessions/{id}/close", Kept(200)),
    ("/v1/agent/sessions/{id}/archive", Kept(200)),
];

fn row_of(path: &str) -> &'static Route {
    ROUTES.iter().find(|row| row.method == "POST" && row.path == path).expect("a row")
}

#[test]
fn every_post_has_its_row() {
    let routed: BTreeSet<_> = ROUTES.iter().filter(|row| row.method == "POST").map(|row| row.path).collect();
    let listed: BTreeSet<_> = POSTS.iter().map(|(path, _)| *path).collect();
    assert_eq!(listed, routed);
    assert_eq!(listed.len(), POSTS.len());
}

fn is_replayed(reply: &Reply) -> bool {
    reply.header("idempotent-replayed") == Some("true")
}

/// Where to post.
async fn path_of(hub: &Hub, house: &House, row: &Route) -> String {
    let own = match row.path {
        CANCEL => Some(hub.interaction(&house.host).await),
        _ => None,
    };
    house.path_with(row, |_| own.clone())
}

/// The one who may call a route.
fn caller(hub: &Hub, house: &House, row: &Route) -> Client {
    house.callers(row).first().map_or_else(|| hub.anonymous(), |client| (*client).clone())
}

/// The body of a route with one more field, which nobody reads.
fn with_more(body: &str) -> Value {
    let mut body: Value = serde_json::from_str(body).expect("JSON");
    body["unread"] = json!(1);
    body
}

/// The secret that a reply shows, if it shows one.
fn secret_of(reply: &Value) -> Option<String> {
    let secret = ["apiKey", "token"].iter().find_map(|field| reply[*field].as_str());
    let link = reply["setupUrl"].as_str().and_then(|url| url.split_once("#setup=")).map(|(_, token)| token);
    secret.or(link).map(str::to_owned)
}

/// Whom a request named may have left when it is repeated: what it did is done all the same.
async fn first_reply_stands(client: &Client, path: &str, key: &str, body: &Value, first: &Value) {
    let again = client.with("idempotency-key", key).post(path, body.clone()).await;
    assert!(is_replayed(&again), "{path}: {}", again.body);
    assert_eq!(again.expect(201), *first, "{path}");
}

on_both_engines! {
    async fn a_retry_gets_the_first_reply_though_whom_it_names_has_left(hub: Hub) {
        let agent = hub.agent("space").await;
        let leaving = json!({ "email": "leaving@example.org", "name": "L" });
        let leaving = hub.owner.post("/v1/manage/humans", leaving).await.expect(201);
        let bot = hub.owner.post("/v1/manage/agents", json!({ "name": "leaving" })).await.expect(201);
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let named = json!({ "type": "Human", "email": leaving["email"] });
        let requests = [
            (&agent, "/v1/agent/sessions".to_owned(), json!({ "participants": [named] })),
            (&agent, "/v1/agent/interactions".to_owned(), json!({ "encryptedContent": "?", "participants": [named] })),
            (&agent, at_agent(&session, "/participants"), json!({ "type": "Agent", "name": "leaving" })),
            (&human, "/v1/human/sessions".to_owned(), json!({ "participants": [{ "type": "Agent", "name": "leaving" }] })),
        ];
        let mut firsts = Vec::new();
        for (client, path, body) in &requests {
            firsts.push(client.with("idempotency-key", "k").post(path, body.clone()).await.expect(201));
        }
        hub.owner.delete(&format!("/v1/manage/humans/{}", text(&leaving["id"]))).await.expect(204);
        hub.owner.delete(&format!("/v1/manage/agents/{}", text(&bot["id"]))).await.expect(204);
        for ((client, path, body), first) in requests.iter().zip(&firsts) {
            first_reply_stands(client, path, "k", body, first).await;
            // Another request under that key is another one, and what was never done can't be.
            let mut other = body.clone();
            other["metadata"] = json!({ "other": true });
            let mismatch = client.with("idempotency-key", "k").post(path, other).await;
            mismatch.expect_error(422, "IDEMPOTENCY_MISMATCH");
            let new = client.with("idempotency-key", "new").post(path, body.clone()).await;
            new.expect_error(404, "NOT_FOUND");
            client.post(path, body.clone()).await.expect_error(404, "NOT_FOUND");
        }
        // The refusal was kept by nobody: once it can be done it is.
        let (client, path, _) = &requests[0];
        client.with("idempotency-key", "new").post(path, json!({ "participants": [] })).await.expect(201);
    }

    async fn each_post_that_creates_or_settles_happens_once(hub: Hub) {
        let house = House::of(&hub).await;
        let mut secrets = Vec::new();
        for (path, keyed) in POSTS {
            let row = row_of(path);
            let (path, body) = (path_of(&hub, &house, row).await, house.body(&hub, row));
            let client = caller(&hub, &house, row).with("idempotency-key", "k");
            let body: Value = serde_json::from_str(&body).expect("JSON");
            let first = client.post(&path, body.clone()).await;
            assert!(!is_replayed(&first), "{path}");
            let Kept(status) = *keyed else {
                let again = client.post(&path, body).await;
                assert!(!is_replayed(&again), "{path}");
                continue;
            };
            let first = first.expect(status);
            for _ in 0..2 {
                let again = client.post(&path, body.clone()).await;
                assert!(is_replayed(&again), "{path}: {}", again.body);
                assert_eq!(again.expect(status).to_string(), first.to_string(), "{path}");
            }
            client.post(&path, with_more(&body.to_string())).await.expect_error(422, "IDEMPOTENCY_MISMATCH");
            secrets.extend(secret_of(&first));
        }
        // The secrets are good ones, and different.
        let different: HashSet<_> = secrets.iter().collect();
        assert_eq!((secrets.len(), different.len()), (6, 6));
        for secret in &secrets {
            let client = match secret.split_at(4) {
                ("hlp_", _) => hub.anonymous().with("x-api-key", secret),
                ("hlg_", _) => hub.anonymous().with("authorization", &format!("Bearer {secret}")),
                _ => {
                    let setup = json!({ "token": secret, "password": "correct horse" });
                    hub.anonymous().post("/v1/auth/setup", setup).await.expect(200);
                    continue;
                }
            };
            let me = if secret.starts_with("hlp_") { "/v1/agent/me" } else { "/v1/human/me" };
            client.get(me).await.expect(200);
        }
    }

    async fn of_those_that_race_under_one_key_one_happens_on_either_node(hub: Hub) {
        let house = House::of(&hub).await;
        let settings = config(&hub.database_url, &["--public-url", &hub.base]);
        let other = start_with(settings, Arc::new(SystemClock), Arc::new(LocalBroker)).await.expect("a second node");
        let elsewhere = format!("http://{}", other.address);
        for (path, keyed) in POSTS {
            let Kept(status) = *keyed else { continue };
            let row = row_of(path);
            let path = path_of(&hub, &house, row).await;
            let body: Value = serde_json::from_str(&house.body(&hub, row)).expect("JSON");
            let here = caller(&hub, &house, row).with("idempotency-key", "raced");
            let there = Client { base: elsewhere.clone(), ..here.clone() };
            let racers = (0..16).map(|number| if number % 2 == 0 { &here } else { &there });
            let replies = join_all(racers.map(|client| client.post(&path, body.clone()))).await;
            let mut bodies = Vec::new();
            let mut first = 0;
            for reply in replies {
                if reply.status == 409 {
                    reply.expect_error(409, "IDEMPOTENCY_IN_FLIGHT");
                    continue;
                }
                first += usize::from(!is_replayed(&reply));
                bodies.push(reply.expect(status));
            }
            assert_eq!(first, 1, "{path}: {bodies:?}");
            assert!(bodies.iter().all(|body| *body == bodies[0]), "{path}: {bodies:?}");
            let again = there.post(&path, body).await;
            assert!(is_replayed(&again), "{path}");
            assert_eq!(again.expect(status), bodies[0], "{path}");
        }
        other.stop().await;
    }

    async fn while_the_first_is_at_work_a_second_is_told_so(hub: Hub) {
        let keyed = |agent: &Client| agent.with("idempotency-key", "k");
        let key = hub.owner.post("/v1/manage/keys", json!({ "permission": "manage", "agent": "busy" })).await.expect(201);
        let client = hub.anonymous().with("x-api-key", text(&key["apiKey"]));
        let id = text(&key["id"]).parse().expect("an id");
        let session = hub.session(&client).await;
        let in_flight = &hub.context().timeline.in_flight;
        let take = |route: &str| in_flight.claim(&Idempotency::new(id, route, "k".to_owned(), [0; 32])).expect("free");
        for (route, path, body) in [
            ("POST /v1/agent/sessions", "/v1/agent/sessions".to_owned(), json!({})),
            ("POST /v1/agent/sessions/{id}/messages", at_agent(&session, "/messages"), json!({ "encryptedContent": "x" })),
            ("POST /v1/manage/agents", "/v1/manage/agents".to_owned(), json!({ "name": "new" })),
        ] {
            let first = take(route);
            keyed(&client).post(&path, body.clone()).await.expect_error(409, "IDEMPOTENCY_IN_FLIGHT");
            client.with("idempotency-key", "other").post(&path, json!({})).await;
            drop(first);
            keyed(&client).post(&path, body).await.expect(201);
        }
        let mut socket = hub.socket(&client).await;
        let frame = json!({ "type": "send", "sessionId": session, "encryptedContent": "x", "idempotencyKey": "k" });
        let first = take("send");
        assert_eq!(socket.ask(frame.clone()).await["error"]["code"], "IDEMPOTENCY_IN_FLIGHT");
        drop(first);
        assert_eq!(socket.ask(frame).await["type"], "sent");
    }

    async fn a_refusal_is_no_first_reply(hub: Hub) {
        let taken = hub.name("taken");
        hub.owner.post("/v1/manage/agents", json!({ "name": taken })).await.expect(201);
        let keyed = hub.owner.with("idempotency-key", "k");
        for _ in 0..2 {
            keyed.post("/v1/manage/agents", json!({ "name": taken })).await.expect_error(409, "CONFLICT");
        }
        let free = json!({ "name": hub.name("free") });
        let first = keyed.post("/v1/manage/agents", free.clone()).await.expect(201);
        assert_eq!(keyed.post("/v1/manage/agents", free.clone()).await.expect(201), first);
        // A day later it is a new request, and the name is taken.
        hub.clock.advance(24 * 60 * 60 * 1000 + 1000);
        keyed.post("/v1/manage/agents", free).await.expect_error(409, "CONFLICT");
    }

    async fn a_key_sent_over_two_sockets_posts_once(hub: Hub) {
        let host = hub.agent("space").await;
        let session = hub.session(&host).await;
        let mut sockets = join_all((0..4).map(|_| hub.socket(&host))).await;
        let frame = json!({ "type": "send", "sessionId": session, "encryptedContent": "x", "idempotencyKey": "k" });
        let replies = join_all(sockets.iter_mut().map(|socket| socket.ask(frame.clone()))).await;
        let sent: Vec<_> = replies.iter().filter(|reply| reply["type"] == "sent").collect();
        assert!(!sent.is_empty());
        for reply in &replies {
            let in_flight = reply["error"]["code"] == "IDEMPOTENCY_IN_FLIGHT";
            assert!(in_flight || reply["message"] == sent[0]["message"], "{reply}");
        }
        // The same key that speaks for another agent is another sender.
        let mut other = hub.socket(&host.with("x-hiloop", "somebody-else")).await;
        assert_eq!(other.ask(frame).await["error"]["code"], "IDEMPOTENCY_MISMATCH");
        assert_eq!(host.get(&at_agent(&session, "/messages")).await.expect(200)["total"], 1);
    }
}

/// All that SQLite has on the disk.
fn stored(hub: &Hub) -> Vec<u8> {
    let file = hub.database_url.trim_start_matches("sqlite://");
    let mut bytes = std::fs::read(file).expect("the store's file");
    bytes.extend(std::fs::read(format!("{file}-wal")).unwrap_or_default());
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_of_a_kept_reply_is_stored() {
    let hub = Hub::start(crate::support::Engine::Sqlite).await;
    let house = House::of(&hub).await;
    let mut seen = 0;
    for (path, keyed) in POSTS {
        let Kept(status) = *keyed else { continue };
        let row = row_of(path);
        let body: Value = serde_json::from_str(&house.body(&hub, row)).expect("JSON");
        let client = caller(&hub, &house, row).with("idempotency-key", "k");
        let reply = client.post(&path_of(&hub, &house, row).await, body).await.expect(status);
        let stored = stored(&hub);
        let holds = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
        if let Some(id) = reply["id"].as_str() {
            assert!(holds(id), "{path}: the reply is kept, in this file");
        }
        if let Some(secret) = secret_of(&reply) {
            let (_, random) = secret.split_at(secret.len() - 64);
            assert!(!holds(random), "{path}");
            seen += 1;
        }
    }
    assert_eq!(seen, 6);
}

const KILLS: usize = 12;

/// What the clients and the killer of the crash story share.
struct Ordeal {
    /// How often the hub has come back.
    lives: watch::Receiver<usize>,
    answered: AtomicUsize,
    /// How many were told again what they had been answered before, but for a kill.
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
    /// Asks until there is an answer, however often the hub dies meanwhile.
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

    /// Makes one thing after another until the ordeal is over.
    async fn make(&self, client: Client, path: String, body: NthBody) -> Vec<Answered> {
        let mut made = Vec::new();
        while !self.over.load(Ordering::SeqCst) {
            let body = body(made.len());
            let client = client.with("idempotency-key", &format!("key-{}", made.len()));
            let bytes = body.to_string().into_bytes();
            let post = || client.try_raw("POST", &path, Some("application/json"), bytes.clone());
            // Every other time the client goes away by itself, now before the hub has done it and now after.
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
                        // What a client has left may still be at work.
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

/// Each kind of request that a hub which dies is asked for, with its caller.
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
async fn killed_before_its_reply_is_read_it_gives_that_reply_again() {
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
        // What lay in the caller's own socket all the while.
        let mut lost = String::new();
        unread.read_to_string(&mut lost).await.expect("what the dead hub had sent");
        let (_, lost) = lost.split_once("\r\n\r\n").expect("a reply");
        assert_eq!(again.expect(201).to_string(), lost, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_does_what_it_is_asked_for_once() {
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
    // Exactly one thing for each key; what was there before, or is made beside it, is counted too.
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
    // It takes luck to kill a hub within that instant; the story above makes sure of it.
    let cut_off = ordeal.cut_off.load(Ordering::SeqCst);
    println!("{total} keyed requests over {KILLS} kills, each carried out once; {cut_off} lost their reply to a kill");
    assert!(total >= KILLS);
}
