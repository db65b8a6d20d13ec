//! The writing clients: each retries with the same idempotency key, at random nodes, until it gets a definite reply.

use super::dice::Dice;
use super::history::{Acknowledged, History, Lapse, Race};
use crate::support::Client;
use crate::support::client::Reply;
use crate::support::hub::{at_agent, at_human, text};
use futures::future::join_all;
use hiloop::clock::{Clock as _, SystemClock};
use rand::seq::SliceRandom;
use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// How long one request may take before a client tries another node.
const TRY_FOR: Duration = Duration::from_secs(8);
/// Time without a definite reply after which a client reports a failure.
const GIVE_UP: Duration = Duration::from_secs(60);

/// The shared state of all clients.
pub struct World {
    pub history: History,
    pub bases: Vec<String>,
    pub sessions: Vec<String>,
    pub agent: Client,
    pub people: Vec<Client>,
}

/// One request of a client, with its target nodes.
struct Request<'a> {
    client: &'a Client,
    session: &'a str,
    path: &'a str,
    /// A POST with its key, or a GET.
    body: Option<(&'a Value, String)>,
    who: String,
    retries: StdRng,
}

impl World {
    /// The same client at a random node, and which one that is.
    pub fn somewhere(&self, client: &Client, random: &mut StdRng) -> (usize, Client) {
        let node = random.gen_range(0..self.bases.len());
        (node, Client { base: self.bases[node].clone(), ..client.clone() })
    }

    /// Retries until the hub gives a definite reply. `None` if it did not, which is recorded as a failure.
    async fn insist(&self, mut request: Request<'_>) -> Option<Reply> {
        let Request { session, path, .. } = request;
        let started = tokio::time::Instant::now();
        let mut attempts = Vec::new();
        let answer = loop {
            if started.elapsed() >= GIVE_UP {
                break None;
            }
            let (node, client) = self.somewhere(request.client, &mut request.retries);
            let sent = match &request.body {
                Some((body, key)) => {
                    let client = client.with("idempotency-key", key);
                    let body = body.to_string().into_bytes();
                    timeout(TRY_FOR, client.try_raw("POST", path, Some("application/json"), body)).await
                }
                None => timeout(TRY_FOR, client.try_raw("GET", path, None, Vec::new())).await,
            };
            match sent {
                Ok(Ok(reply)) if reply.status == 503 => {
                    attempts.push(format!("node {node}: 503"));
                    if reply.header("retry-after").is_none() {
                        self.history.wrong(session, format!("503 without Retry-After: {}", reply.body));
                    }
                }
                Ok(Ok(reply)) if reply.body["error"]["code"] == "IDEMPOTENCY_IN_FLIGHT" => {
                    attempts.push(format!("node {node}: in flight"));
                }
                Ok(Ok(reply)) => {
                    attempts.push(format!("node {node}: {}", reply.status));
                    break Some(reply);
                }
                Ok(Err(_)) => attempts.push(format!("node {node}: broken")),
                Err(_) => attempts.push(format!("node {node}: no answer")),
            }
            self.history.retried();
            sleep(Duration::from_millis(request.retries.gen_range(20..200))).await;
        };
        let what = match &request.body {
            Some((_, key)) => format!("POST {path} with the key {key}"),
            None => format!("GET {path}"),
        };
        let line = format!("{}: {what}: {}", request.who, attempts.join(", "));
        if answer.is_none() {
            self.history.wrong(session, format!("no answer within {GIVE_UP:?}: {line}"));
        } else {
            self.history.note(session, line);
        }
        answer
    }

    /// Reads the current state.
    pub async fn read(&self, dice: &Dice, number: u64, session: &str, path: &str) -> Option<Value> {
        let (who, retries) = ("the judge".to_owned(), dice.retries(number));
        let request = Request { client: &self.agent, session, path, body: None, who, retries };
        let reply = self.insist(request).await?;
        if reply.status != 200 {
            self.history.wrong(session, format!("{path} got {}: {}", reply.status, reply.body));
            return None;
        }
        Some(reply.body)
    }
}

/// One client and its operations.
pub struct Writer {
    pub world: Arc<World>,
    pub dice: Dice,
    number: u64,
}

/// One of its operations, which begins with a session.
struct Operation {
    number: u64,
    random: StdRng,
    session: String,
}

impl Writer {
    pub fn new(world: &Arc<World>, dice: Dice) -> Self {
        Self { world: Arc::clone(world), dice, number: 0 }
    }

    /// The next operation, unless the run is over.
    fn next(&mut self) -> Option<Operation> {
        if self.world.history.is_over() {
            return None;
        }
        self.number += 1;
        let mut random = self.dice.operation(self.number);
        let session = self.world.sessions.choose(&mut random).expect("a session").clone();
        Some(Operation { number: self.number, random, session })
    }

    async fn pause(mut operation: Operation) {
        sleep(Duration::from_millis(operation.random.gen_range(50..400))).await;
    }

    /// Posts (or gets, without a body) as part of an operation; `part` distinguishes its requests.
    async fn insist(
        &self,
        (operation, part): (&Operation, u64),
        client: &Client,
        path: &str,
        body: Option<&Value>,
    ) -> Option<Reply> {
        let (who, number) = (self.dice.who, operation.number);
        // Unlike the operation's own choices, these do not depend on the course of the run.
        let retries = Dice::new(self.dice.operation(number).r#gen(), part).retries(who);
        let body = body.map(|body| (body, format!("{who}-{number}-{part}-{:032x}", retries.clone().r#gen::<u128>())));
        let who = format!("client {who}, operation {number}.{part}");
        self.world.insist(Request { client, session: &operation.session, path, body, who, retries }).await
    }

    /// Posts a message and keeps the proof; its id.
    async fn say(&self, operation: &mut Operation, mut body: Value) -> Option<String> {
        let content = format!("{:032x}", operation.random.r#gen::<u128>());
        body["encryptedContent"] = json!(content);
        let (session, history) = (operation.session.clone(), &self.world.history);
        let path = at_agent(&session, "/messages");
        let reply = self.insist((operation, 0), &self.world.agent, &path, Some(&body)).await?;
        let at = Instant::now();
        let too_late = reply.status == 400 && body.get("deadlineAt").is_some();
        if reply.status != 201 && !too_late {
            history.wrong(&session, format!("a message got {}: {}", reply.status, reply.body));
        }
        if reply.status != 201 {
            return None;
        }
        let (message, seq) = (text(&reply.body["id"]).to_owned(), reply.body["seq"].as_i64().expect("a seq"));
        history.note(&session, format!("acknowledged {seq} as {message}"));
        let acknowledged = Acknowledged { session, message: message.clone(), content, seq, at };
        history.acknowledged.lock().expect("no panic").push(acknowledged);
        Some(message)
    }

    /// Posts messages that require no answer.
    pub async fn write(mut self) {
        while let Some(mut operation) = self.next() {
            self.say(&mut operation, json!({})).await;
            Self::pause(operation).await;
        }
    }

    /// Posts questions that three people answer concurrently, at different nodes.
    pub async fn race(mut self) {
        while let Some(mut operation) = self.next() {
            let Some(question) = self.say(&mut operation, json!({ "responseRequired": true })).await else {
                continue;
            };
            let path = at_human(&operation.session, "/messages");
            let body = json!({ "encryptedContent": "!", "inReplyTo": question });
            let answers = (1..)
                .zip(&self.world.people)
                .map(|(part, person)| self.insist((&operation, part), person, &path, Some(&body)));
            let replies = join_all(answers).await;
            let (session, history) = (operation.session.clone(), &self.world.history);
            let mut race = Race { session: session.clone(), question, won: Vec::new(), reported: Vec::new() };
            for reply in replies.into_iter().flatten() {
                match (reply.status, reply.body["error"]["code"].as_str()) {
                    (201, _) => race.won.push(text(&reply.body["id"]).to_owned()),
                    (409, Some("ALREADY_RESPONDED")) => {
                        race.reported.push(text(&reply.body["error"]["details"]["responseMessageId"]).to_owned());
                    }
                    _ => history.wrong(&session, format!("an answer got {}: {}", reply.status, reply.body)),
                }
            }
            history.note(&session, format!("{} answered by {:?}", race.question, race.won));
            history.races.lock().expect("no panic").push(race);
            Self::pause(operation).await;
        }
    }

    /// Posts questions that expire without an answer.
    pub async fn lapse(mut self) {
        while let Some(mut operation) = self.next() {
            let millis = operation.random.gen_range(500..3000);
            let deadline = SystemClock.now().plus_millis(millis + 2000);
            let asked = json!({ "responseRequired": true, "deadlineAt": deadline });
            if let Some(question) = self.say(&mut operation, asked).await {
                let lapse = Lapse { session: operation.session, question };
                self.world.history.lapses.lock().expect("no panic").push(lapse);
            }
            sleep(Duration::from_millis(millis.unsigned_abs())).await;
        }
    }

    /// Repeatedly posts a question, waits for the answer by long-poll, and has another client answer it.
    pub async fn ask(mut self) {
        while let Some(mut operation) = self.next() {
            let Some(question) = self.say(&mut operation, json!({ "responseRequired": true })).await else {
                continue;
            };
            let wait = Duration::from_millis(operation.random.gen_range(0..3000));
            let person = self.world.people.choose(&mut operation.random).expect("a person");
            let session = &operation.session;
            let answering = async {
                sleep(wait).await;
                let body = json!({ "encryptedContent": "!", "inReplyTo": question });
                self.insist((&operation, 1), person, &at_human(session, "/messages"), Some(&body)).await
            };
            let waiting = async {
                let path = at_agent(session, &format!("/messages/{question}/await?timeout=4"));
                let mut part = 2;
                loop {
                    let reply = self.insist((&operation, part), &self.world.agent, &path, None).await?;
                    if reply.status != 200 || reply.body["status"] != "Pending" {
                        return Some(reply);
                    }
                    part += 1;
                }
            };
            let (answer, waited) = tokio::join!(answering, waiting);
            // A missing reply is recorded already.
            let (Some(answer), Some(waited)) = (answer, waited) else { continue };
            let won = (answer.status, &waited.body["status"], &waited.body["response"]["messageId"]);
            if won != (201, &json!("Completed"), &answer.body["id"]) {
                let what = format!(
                    "{question} was answered by {} {}, and the waiter got {}",
                    answer.status, answer.body, waited.body
                );
                self.world.history.wrong(session, what);
            }
        }
    }
}
