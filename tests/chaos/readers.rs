//! The readers of one session, over a socket or an event stream at a random node. After a disconnect they resume after
//! their last event. Only documented reasons for a reconnect are accepted.

use super::clients::World;
use super::dice::Dice;
use crate::support::hub::at_agent;
use crate::support::socket::End;
use crate::support::{Events, Socket};
use rand::Rng;
use rand::seq::SliceRandom;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Error;

/// Interval at which a reader checks whether it is complete.
const LOOK: Duration = Duration::from_millis(500);
/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The progress of a reader, visible to other tasks.
pub struct Progress {
    pub name: String,
    pub session: String,
    pub seq: AtomicI64,
    pub node: AtomicUsize,
}

/// The events that a reader has received.
pub struct Reader {
    pub progress: Arc<Progress>,
    pub events: Vec<Value>,
    /// The time of each.
    pub times: Vec<Instant>,
    /// The last `seq` of the session, once it is known.
    head: Arc<AtomicI64>,
    by_socket: bool,
    dice: Dice,
}

enum Line {
    Socket(Box<Socket>),
    Events(Events),
}

impl Reader {
    pub fn new(session: String, head: Arc<AtomicI64>, by_socket: bool, dice: Dice) -> Self {
        let kind = if by_socket { "socket" } else { "stream" };
        let progress = Arc::new(Progress {
            name: format!("reader {} by a {kind}", dice.who),
            session,
            seq: AtomicI64::new(0),
            node: AtomicUsize::new(0),
        });
        Self { progress, events: Vec::new(), times: Vec::new(), head, by_socket, dice }
    }

    fn seq(&self) -> i64 {
        self.progress.seq.load(Ordering::SeqCst)
    }

    fn has_everything(&self) -> bool {
        let head = self.head.load(Ordering::SeqCst);
        head > 0 && self.seq() >= head
    }

    fn wrong(&self, world: &World, what: &str) {
        let Progress { name, session, seq, node } = &*self.progress;
        let (seq, node) = (seq.load(Ordering::SeqCst), node.load(Ordering::SeqCst));
        world.history.wrong(session, format!("{name} at node {node}, after {seq}: {what}"));
    }

    /// Takes an event, which must be the next one.
    fn take(&mut self, world: &World, event: Value) {
        let seq = self.seq() + 1;
        if event["seq"] != json!(seq) {
            self.wrong(world, &format!("it got {event}"));
        }
        self.progress.seq.store(event["seq"].as_i64().unwrap_or(seq), Ordering::SeqCst);
        self.events.push(event);
        self.times.push(Instant::now());
    }

    /// Connects for the `number`th time; `None` if it is to try again.
    async fn connect(&mut self, world: &World, number: u64) -> Option<Line> {
        let mut random = self.dice.operation(number);
        let is_agent = random.gen_bool(0.5);
        let client = if is_agent { &world.agent } else { world.people.choose(&mut random).expect("a person") };
        let (node, client) = world.somewhere(client, &mut random);
        self.progress.node.store(node, Ordering::SeqCst);
        let session = &self.progress.session;
        let reached = async {
            if self.by_socket {
                let mut socket = Socket::reach(&client).await.map_err(|error| match error {
                    Error::Http(response) => Some(response.status().as_u16()),
                    _ => None,
                })?;
                let subscribe = json!({ "type": "subscribe", "id": 1, "sessionId": session, "after": self.seq() });
                if socket.offer(subscribe).await { Ok(Line::Socket(Box::new(socket))) } else { Err(None) }
            } else {
                let path = at_agent(session, "/events");
                let path = if is_agent { path } else { path.replace("/agent/", "/human/") };
                let client = client.with("last-event-id", &self.seq().to_string());
                Events::try_open(&client, &path).await.map(Line::Events)
            }
        };
        match timeout(CONNECT_WITHIN, reached).await {
            Ok(Ok(line)) => return Some(line),
            // The node is unreachable, or its store is unavailable.
            Err(_) | Ok(Err(None | Some(503))) => {}
            Ok(Err(Some(status))) => self.wrong(world, &format!("it was refused with {status}")),
        }
        world.history.retried();
        None
    }

    /// Reads until it is complete, reconnecting as needed.
    pub async fn read(mut self, world: Arc<World>) -> Self {
        let mut number = 0;
        while !self.has_everything() {
            if let Some(line) = self.connect(&world, number).await {
                self.follow(&world, line).await;
            }
            world.history.resumes.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(self.dice.retries(number).gen_range(10..300))).await;
            number += 1;
        }
        self
    }

    async fn follow(&mut self, world: &World, mut line: Line) {
        while !self.has_everything() {
            let next = match &mut line {
                Line::Socket(socket) => timeout(LOOK, socket.next_or_end()).await,
                Line::Events(events) => timeout(LOOK, events.next()).await.map(|event| event.ok_or(End::Broken)),
            };
            match (next, &line) {
                (Err(_), _) => {}
                (Ok(Err(End::Broken)), _) => return,
                (Ok(Err(End::Code(code))), _) => {
                    if code != 1001 && !(4500..4600).contains(&code) {
                        self.wrong(world, &format!("it was closed with {code}"));
                    }
                    return;
                }
                (Ok(Ok(mut frame)), Line::Socket(_)) => match frame["type"].as_str() {
                    Some("event") => self.take(world, frame["event"].take()),
                    // The store is unavailable for a moment: retried on another connection.
                    Some("error") if frame["error"]["code"] == "UNAVAILABLE" => return,
                    Some("error" | "unsubscribed") => self.wrong(world, &format!("it got {frame}")),
                    _ => {}
                },
                (Ok(Ok(event)), Line::Events(_)) => self.take(world, event),
            }
        }
    }
}
