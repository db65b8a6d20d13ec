//! One side of a conversation for tests between languages, with the same command line in each of them:
//!
//! ```text
//! peer ask --title T [--text X] --to EMAIL [--session ID] [--key K] [--deadline 60s] [--receipt]
//! peer follow --session ID --count N
//! peer person --email E --password P --action A [--text X] [--count N]
//! peer verify-receipt < receipt.json
//! ```
//!
//! Settings: `HILOOP_BASE_URL`, `HILOOP_API_KEY`, `HILOOP_AGENT_NAME`, `XDG_CONFIG_HOME`.

use futures::{StreamExt as _, TryStreamExt as _};
use hiloop_sdk::e2e::Receipt;
use hiloop_sdk::testing::Person;
use hiloop_sdk::{Answer, Authenticity, Client, MessageStatus, Question};
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;

/// The longest wait for an answer.
const WAIT: Duration = Duration::from_secs(300);

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let mut options = HashMap::new();
    while let Some(name) = arguments.next() {
        let value =
            if name == "--receipt" { String::new() } else { arguments.next().ok_or("an option has no value")? };
        options.insert(name, value);
    }
    let option = |name: &str| options.get(name).cloned();
    match command.as_str() {
        "ask" => ask(&option).await,
        "follow" => follow(&option).await,
        "person" => person(&option).await,
        "verify-receipt" => verify(),
        _ => Err("usage: peer ask | follow | person | verify-receipt".into()),
    }
}

async fn ask(option: &dyn Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let mut question = Question::approval(option("--title").ok_or("--title is required")?);
    if let Some(text) = option("--text") {
        question = question.with_text(text);
    }
    if let Some(email) = option("--to") {
        question = question.to([email]);
    }
    if let Some(key) = option("--key") {
        question = question.key(key);
    }
    if let Some(deadline) = option("--deadline") {
        question = question.deadline_in(duration(&deadline).ok_or("--deadline must be like 60s")?);
    }
    if let Some(session) = option("--session") {
        question = question.session(session.parse().map_err(|_| "--session must be an id")?);
    }
    question = question.wait_at_most(WAIT);
    let decision = Client::from_env()?.ask(question).await?;
    let status = match decision.status {
        MessageStatus::Completed => "answered",
        MessageStatus::Expired => "expired",
        _ => "cancelled",
    };
    let mut line = json!({
        "status": status,
        "approved": decision.approved,
        "outcome": decision.outcome,
        "action": decision.action,
        "text": decision.text,
        "values": decision.values,
        "respondent": decision.respondent.as_ref().map(|person| &person.name),
        "warning": decision.warning,
        "session": decision.message.session_id,
    });
    if option("--receipt").is_some() {
        line["receipt"] = json!(decision.receipt());
    }
    println!("{line}");
    Ok(())
}

/// Shows the messages of a session as they come.
async fn follow(option: &dyn Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let session = option("--session").ok_or("--session is required")?.parse()?;
    let count: usize = option("--count").ok_or("--count is required")?.parse()?;
    let client = Client::from_env()?;
    let events = client.events(session, 0);
    let mut messages = events.try_filter_map(|event| async { Ok(event.message) }).take(count).boxed();
    while let Some(message) = messages.next().await {
        let message = message?;
        let state = match message.opened.as_ref().map(|opened| &opened.authenticity) {
            Some(Authenticity::Verified) => "verified",
            Some(Authenticity::Plain) => "plain",
            Some(Authenticity::CannotOpen(_)) => "cannot_open",
            _ => "not_authenticated",
        };
        println!("{}", json!({ "state": state, "text": message.content().and_then(|content| content.text) }));
    }
    Ok(())
}

async fn person(option: &dyn Fn(&str) -> Option<String>) -> Result<(), Failure> {
    let url = std::env::var("HILOOP_BASE_URL").unwrap_or_else(|_| "http://127.0.0.1:8080".to_owned());
    let (email, password) = option("--email").zip(option("--password")).ok_or("--email and --password are required")?;
    let action = option("--action").ok_or("--action is required")?;
    let count = option("--count").map_or(Ok(1), |count| count.parse::<usize>())?;
    let person = Person::sign_in_with_files(&url, &email, &password, None).await?;
    let mut seen = Vec::new();
    while seen.len() < count {
        let question = person.next(&seen, Duration::from_secs(120)).await?;
        seen.push(question.message.id);
        let mut answer = Answer::action(&action);
        if let Some(text) = option("--text") {
            answer = answer.with_text(text);
        }
        person.answer(&question, answer).await?;
        let line = json!({
            "session": question.message.session_id,
            "title": question.title,
            "text": question.content.text,
            "action": action,
        });
        println!("{line}");
    }
    Ok(())
}

fn verify() -> Result<(), Failure> {
    let receipt: Receipt = serde_json::from_reader(std::io::stdin())?;
    let decided = receipt.verify()?;
    let line = json!({
        "session": decided.session,
        "askedBy": decided.asked_by,
        "askedAt": decided.asked_at,
        "question": decided.question,
        "answeredBy": decided.answered_by,
        "answeredAt": decided.answered_at,
        "outcome": decided.outcome,
        "answer": { "action": decided.answer.action, "text": decided.answer.text, "values": decided.answer.values },
    });
    println!("{line}");
    Ok(())
}

/// A time such as `60s`, `30m` or `2h`; seconds without a unit.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    Some(Duration::from_secs(number.parse::<u64>().ok()? * unit))
}
