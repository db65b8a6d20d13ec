//! Those who read one session, by a socket or an event stream, at whichever node; whenever it breaks they resume
//! behind the last event that they have.

use super::clients::World;
use crate::support::hub::at_agent;
use crate::support::{Events, Socket};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long a reader waits before it looks whether it has everything.
const LOOK: Duration = Duration::from_millis(500);

/// What one reader has had of its session.
pub struct Reader {
    pub session: String,
    pub events: Vec<Value>,
    /// Where the session ends, once that is known.
    pub head: Arc<AtomicI64>,
    random: StdRng,
}

enum Line {
    Socket(Box<Socket>),
    Events(Events),
}

impl Reader {
    pub fn new(session: String, head: Arc<AtomicI64>, seed: u64) -> Self {
        Self { session, events: Vec::new(), head, random: StdRng::seed_from_u64(seed) }
    }

    fn seq(&self) -> i64 {
        self.events.last().and_then(|event| event["seq"].as_i64()).unwrap_or(0)
    }

    fn has_everything(&self) -> bool {
        let head = self.head.load(Ordering::SeqCst);
        head > 0 && self.seq() >= head
    }

    /// Takes an event, which must be the next one.
    fn take(&mut self, world: &World, event: Value, by: &str) {
        if event["seq"] != json!(self.seq() + 1) {
            world.history.wrong(&self.session, format!("after {} a {by} got {event}", self.seq()));
        }
        self.events.push(event);
    }

    async fn connect(&mut self, world: &World, by_socket: bool) -> Option<Line> {
        let client = world.somewhere(
            if self.random.gen_bool(0.5) { &world.agent } else { world.people.choose(&mut self.random)? },
            &mut self.random,
        );
        let is_agent = client.headers == world.agent.headers;
        if by_socket {
            let mut socket = timeout(LOOK * 10, Socket::reach(&client)).await.ok()?.ok()?;
            let subscribe = json!({ "type": "subscribe", "id": 1, "sessionId": self.session, "after": self.seq() });
            let sent = timeout(LOOK * 10, socket.offer(subscribe)).await.ok()?;
            sent.then(|| Line::Socket(Box::new(socket)))
        } else {
            let path = at_agent(&self.session, "/events");
            let path = if is_agent { path } else { path.replace("/agent/", "/human/") };
            let client = client.with("last-event-id", &self.seq().to_string());
            timeout(LOOK * 10, Events::try_open(&client, &path)).await.ok()?.map(Line::Events)
        }
    }

    /// Reads until everything is there, with whatever happens in between.
    pub async fn read(mut self, world: Arc<World>, by_socket: bool) -> Self {
        while !self.has_everything() {
            match self.connect(&world, by_socket).await {
                Some(line) => self.follow(&world, line).await,
                None => world.history.retried(),
            }
            world.history.resumes.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_millis(self.random.gen_range(10..300))).await;
        }
        self
    }

    async fn follow(&mut self, world: &World, mut line: Line) {
        while !self.has_everything() {
            let next = match &mut line {
                Line::Socket(socket) => timeout(LOOK, socket.next_or_end()).await.map(Result::ok),
                Line::Events(events) => timeout(LOOK, events.next()).await,
            };
            match (next, &line) {
                (Err(_), _) => {}
                (Ok(None), _) => return,
                (Ok(Some(mut frame)), Line::Socket(_)) => match frame["type"].as_str() {
                    Some("event") => self.take(world, frame["event"].take(), "socket"),
                    // The store is out of reach for a moment: asked again on another line.
                    Some("error") if frame["error"]["code"] == "UNAVAILABLE" => return,
                    Some("error" | "unsubscribed") => {
                        world.history.wrong(&self.session, format!("a socket got {frame}"));
                    }
                    _ => {}
                },
                (Ok(Some(event)), Line::Events(_)) => self.take(world, event, "stream"),
            }
        }
    }
}
