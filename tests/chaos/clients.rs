//! Those who write: each tries until it has an answer, at whichever node, with the same key.

use super::history::{Acknowledged, History, Lapse, Race};
use crate::support::Client;
use crate::support::client::Reply;
use crate::support::hub::{at_agent, at_human, text};
use futures::future::join_all;
use hiloop::clock::{Clock as _, SystemClock};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long one request may take before a client tries another node.
const TRY_FOR: Duration = Duration::from_secs(8);
/// How long a client goes on without an answer before that is a failure.
const GIVE_UP: Duration = Duration::from_secs(60);

/// What all clients share.
pub struct World {
    pub history: History,
    pub bases: Vec<String>,
    pub sessions: Vec<String>,
    pub agent: Client,
    pub people: Vec<Client>,
}

impl World {
    /// The same client, at a random node.
    pub fn somewhere(&self, client: &Client, random: &mut StdRng) -> Client {
        Client { base: self.bases.choose(random).expect("a node").clone(), ..client.clone() }
    }

    /// Tries until the hub gives a definite answer. `None`: it never did, which is noted as a failure.
    async fn insist(
        &self,
        client: &Client,
        random: &mut StdRng,
        session: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<Reply> {
        let key = format!("{:032x}", random.r#gen::<u128>());
        let started = tokio::time::Instant::now();
        while started.elapsed() < GIVE_UP {
            let client = self.somewhere(client, random);
            let sent = match body {
                Some(body) => {
                    let client = client.with("idempotency-key", &key);
                    let body = body.to_string().into_bytes();
                    timeout(TRY_FOR, client.try_raw("POST", path, Some("application/json"), body)).await
                }
                None => timeout(TRY_FOR, client.try_raw("GET", path, None, Vec::new())).await,
            };
            match sent {
                Ok(Ok(reply)) if reply.status == 503 => {
                    if reply.header("retry-after").is_none() {
                        self.history.wrong(session, format!("503 without Retry-After: {}", reply.body));
                    }
                }
                Ok(Ok(reply)) if reply.body["error"]["code"] == "IDEMPOTENCY_IN_FLIGHT" => {}
                Ok(Ok(reply)) => return Some(reply),
                Ok(Err(_)) | Err(_) => {}
            }
            self.history.retried();
            sleep(Duration::from_millis(random.gen_range(20..200))).await;
        }
        self.history.wrong(session, format!("no answer to {path} within {GIVE_UP:?}"));
        None
    }

    /// Posts a message and keeps the proof; its id.
    async fn say(&self, random: &mut StdRng, session: &str, mut body: Value) -> Option<String> {
        let content = format!("{:032x}", random.r#gen::<u128>());
        body["encryptedContent"] = json!(content);
        let path = at_agent(session, "/messages");
        let reply = self.insist(&self.agent, random, session, &path, Some(&body)).await?;
        let too_late = reply.status == 400 && body.get("deadlineAt").is_some();
        if reply.status != 201 && !too_late {
            self.history.wrong(session, format!("a message got {}: {}", reply.status, reply.body));
        }
        if reply.status != 201 {
            return None;
        }
        let message = text(&reply.body["id"]).to_owned();
        self.history.note(session, format!("acknowledged {} as {message}", reply.body["seq"]));
        let acknowledged = Acknowledged { session: session.to_owned(), message: message.clone(), content };
        self.history.acknowledged.lock().expect("no panic").push(acknowledged);
        Some(message)
    }
}

/// Writes what nobody has to answer.
pub async fn write(world: Arc<World>, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    while !world.history.is_over() {
        let session = world.sessions.choose(&mut random).expect("a session").clone();
        world.say(&mut random, &session, json!({})).await;
        sleep(Duration::from_millis(random.gen_range(50..400))).await;
    }
}

/// Asks what three people answer at once, at different nodes.
pub async fn race(world: Arc<World>, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    while !world.history.is_over() {
        let session = world.sessions.choose(&mut random).expect("a session").clone();
        let Some(question) = world.say(&mut random, &session, json!({ "responseRequired": true })).await else {
            return;
        };
        let path = at_human(&session, "/messages");
        let answers = world.people.iter().map(|person| {
            let (world, session, path) = (&world, &session, &path);
            let mut random = StdRng::seed_from_u64(random.r#gen());
            let body = json!({ "encryptedContent": "!", "inReplyTo": question });
            async move { world.insist(person, &mut random, session, path, Some(&body)).await }
        });
        let replies = join_all(answers.collect::<Vec<_>>()).await;
        let mut race = Race { session: session.clone(), question, won: Vec::new(), told: Vec::new() };
        for reply in replies.into_iter().flatten() {
            match (reply.status, reply.body["error"]["code"].as_str()) {
                (201, _) => race.won.push(text(&reply.body["id"]).to_owned()),
                (409, Some("ALREADY_RESPONDED")) => {
                    race.told.push(text(&reply.body["error"]["details"]["responseMessageId"]).to_owned());
                }
                _ => world.history.wrong(&session, format!("an answer got {}: {}", reply.status, reply.body)),
            }
        }
        world.history.note(&session, format!("{} answered by {:?}", race.question, race.won));
        world.history.races.lock().expect("no panic").push(race);
        sleep(Duration::from_millis(random.gen_range(50..400))).await;
    }
}

/// Asks what nobody answers in time.
pub async fn lapse(world: Arc<World>, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    while !world.history.is_over() {
        let session = world.sessions.choose(&mut random).expect("a session").clone();
        let millis = random.gen_range(500..3000);
        let deadline = SystemClock.now().plus_millis(millis + 2000);
        let asked = json!({ "responseRequired": true, "deadlineAt": deadline });
        if let Some(question) = world.say(&mut random, &session, asked).await {
            world.history.lapses.lock().expect("no panic").push(Lapse { session, question });
        }
        sleep(Duration::from_millis(millis.unsigned_abs())).await;
    }
}

/// Asks, waits for the answer by long-polls, and is answered by somebody else; again and again.
pub async fn ask(world: Arc<World>, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    while !world.history.is_over() {
        let session = world.sessions.choose(&mut random).expect("a session").clone();
        let Some(question) = world.say(&mut random, &session, json!({ "responseRequired": true })).await else {
            return;
        };
        let (mut one, mut two) = (StdRng::seed_from_u64(random.r#gen()), StdRng::seed_from_u64(random.r#gen()));
        let answering = async {
            sleep(Duration::from_millis(two.gen_range(0..3000))).await;
            let person = world.people.choose(&mut two).expect("a person").clone();
            let body = json!({ "encryptedContent": "!", "inReplyTo": question });
            world.insist(&person, &mut two, &session, &at_human(&session, "/messages"), Some(&body)).await
        };
        let waiting = async {
            let path = at_agent(&session, &format!("/messages/{question}/await?timeout=4"));
            loop {
                let reply = world.insist(&world.agent, &mut one, &session, &path, None).await?;
                if reply.status != 200 || reply.body["status"] != "Pending" {
                    return Some(reply);
                }
            }
        };
        let (answer, waited) = tokio::join!(answering, waiting);
        let (Some(answer), Some(waited)) = (answer, waited) else { return };
        let won = (answer.status, &waited.body["status"], &waited.body["response"]["messageId"]);
        if won != (201, &json!("Completed"), &answer.body["id"]) {
            let what = format!(
                "{question} was answered by {} {}, and the waiter got {}",
                answer.status, answer.body, waited.body
            );
            world.history.wrong(&session, what);
        }
    }
}
