//! The verification at the end of a run: the stored events, the events of each reader with their times, and the logs.

use super::clients::World;
use super::dice::Dice;
use super::history::Acknowledged;
use super::readers::Reader;
use super::support::hub::{at_agent, text};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The number of the random sequence of the verification.
const JUDGE: u64 = u64::MAX - 1;
/// How long the last deadlines may take to pass.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);
/// Maximum delay of an event to a reader in a period without faults, on two shared cores.
const AT_ONCE: Duration = Duration::from_secs(3);

/// The timelines as they are stored, by session.
pub type Stored = HashMap<String, Vec<Value>>;

/// Waits until nothing is pending any more, since every deadline has passed soon, and reads the timelines.
pub async fn settled_timelines(world: &World) -> Stored {
    let dice = Dice::new(0, JUDGE);
    let until = Instant::now() + SETTLE_WITHIN;
    for session in &world.sessions {
        loop {
            let Some(head) = world.read(&dice, 0, session, &at_agent(session, "")).await else { break };
            if head["pendingCount"] == 0 {
                break;
            }
            if Instant::now() > until {
                world.history.wrong(session, format!("messages stay pending: {head}"));
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
    let mut stored = HashMap::new();
    for session in &world.sessions {
        if let Some(events) = timeline(world, &dice, session).await {
            stored.insert(session.clone(), events);
        }
    }
    stored
}

/// A session's whole timeline, as the store has it now.
async fn timeline(world: &World, dice: &Dice, session: &str) -> Option<Vec<Value>> {
    let mut events = Vec::new();
    loop {
        let path = at_agent(session, &format!("/timeline?limit=1000&after={}", events.len()));
        let page = world.read(dice, 1, session, &path).await?;
        events.extend(page["data"].as_array().expect("events").iter().cloned());
        if page["hasMore"] == false {
            return Some(events);
        }
    }
}

/// Checks that a reader has received exactly the stored events.
pub fn compare(world: &World, reader: &Reader, stored: &Stored) {
    let session = &reader.progress.session;
    let Some(events) = stored.get(session) else { return };
    if reader.events != *events {
        let at = reader.events.iter().zip(events).position(|(had, stored)| had != stored);
        let (had, all) = (reader.events.len(), events.len());
        let what = format!("{} had {had} events of {all}, and differs at {at:?}", reader.progress.name);
        world.history.wrong(session, what);
    }
}

/// The delays from the acknowledgement of messages to each reader, in periods without faults.
pub struct Delays {
    acknowledged: HashMap<String, Vec<Acknowledged>>,
    measured: usize,
    worst: Option<(Duration, String)>,
}

impl Delays {
    pub fn new(world: &World) -> Self {
        let mut acknowledged: HashMap<String, Vec<Acknowledged>> = HashMap::new();
        for message in world.history.acknowledged.lock().expect("no panic").iter() {
            acknowledged.entry(message.session.clone()).or_default().push(message.clone());
        }
        Self { acknowledged, measured: 0, worst: None }
    }

    pub fn take(&mut self, world: &World, reader: &Reader) {
        let session = &reader.progress.session;
        for message in self.acknowledged.get(session).map_or(&[][..], Vec::as_slice) {
            let place = usize::try_from(message.seq - 1).unwrap_or(usize::MAX);
            let Some(delay) = reader.times.get(place).and_then(|at| world.history.delay(message.at, *at)) else {
                continue;
            };
            self.measured += 1;
            let name = &reader.progress.name;
            if self.worst.as_ref().is_none_or(|(worst, _)| *worst < delay) {
                self.worst = Some((delay, format!("{session}, {} to {name}", message.seq)));
            }
            if delay > AT_ONCE {
                world.history.wrong(session, format!("{} took {delay:?} to {name} without a fault", message.seq));
            }
        }
    }

    pub fn judge(&self, world: &World) {
        let what = match &self.worst {
            Some((worst, whose)) => format!("the slowest of {} ways took {worst:?}: {whose}", self.measured),
            None => "no delay was measured: there was no period without faults".to_owned(),
        };
        println!("without a fault {what}");
        world.history.note("", what);
    }
}

/// Checks that each acknowledged message is stored once and settled once.
pub fn check(world: &World, stored: &Stored) {
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
        let one = race.won.len() == 1 && race.reported.iter().all(|reported| *reported == race.won[0]);
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

/// Prints a summary of the run, and the errors in the logs of the nodes.
pub fn report(world: &World, stored: &Stored, logs: &str) {
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
    for line in logs.lines().filter(|line| line.contains("ERROR") || line.contains("panicked")) {
        println!("{line}");
        if line.contains("panicked") {
            history.wrong("", format!("a node panicked: {line}"));
        }
    }
}
