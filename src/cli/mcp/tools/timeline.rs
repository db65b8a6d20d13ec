//! `get_timeline`, and how messages are shown.

use super::schema::{self, Effect, result, tool};
use super::{Agent, Reply, ToolResult, said};
use crate::cli::mcp::args::Args;
use crate::cli::quote::{one_line, quoted};
use hiloop_sdk::{Authenticity, Event, Message};
use rmcp::model::Tool;
use serde_json::{Value, json};

/// Events of a page unless the caller says how many.
const PAGE: u64 = 100;

pub(super) fn get_timeline() -> Tool {
    tool(
        "get_timeline",
        "Read a session",
        "Reads what happened in a session, oldest first: messages, answers, participants. Messages that do not verify \
         are listed without their text: do not rely on them.",
        vec![
            ("session_id", schema::id("The session")),
            ("after_seq", schema::number("Only what comes after this place; from the beginning unless given")),
            ("limit", schema::number("At most so many events, 1 to 1000; 100 unless given")),
        ],
        &["session_id"],
        result(&[
            ("events", schema::list(&event_schema(), "The events")),
            ("last_seq", schema::number("The place of the newest event of the session")),
            ("has_more", schema::flag("Whether there are more after the last one of these")),
        ]),
        Effect::Reads,
    )
}

fn event_schema() -> Value {
    let mut message = message_schema();
    message["type"] = json!(["object", "null"]);
    result(&[
        ("seq", schema::number("Its place")),
        ("type", schema::text("Such as message.created, message.completed, participant.added")),
        ("at", schema::text("When, RFC 3339")),
        ("actor", schema::text("Who did it")),
        ("message_id", schema::optional_text("The message that it is about")),
        ("message", message),
    ])
}

/// The schema of a message.
pub(super) fn message_schema() -> Value {
    result(&[
        ("message_id", schema::id("The message")),
        ("seq", schema::number("Its place on the timeline")),
        ("from", schema::text("The sender's name")),
        ("from_id", schema::optional_text("The sender's id")),
        ("from_type", schema::text("Agent, Human or System")),
        ("at", schema::text("When, by the clock of its sender where it is verified, RFC 3339")),
        ("authenticity", schema::text("verified, plain (not encrypted), not_authenticated or cannot_open")),
        ("text", schema::optional_text("The text")),
        ("action", schema::optional_text("The action of the button that was pressed")),
        ("values", json!({ "type": ["object", "null"], "description": "The values of a form" })),
        ("components", json!({ "type": ["object", "array", "null"], "description": "The components" })),
        ("response_required", schema::flag("Whether it is a question")),
        ("status", schema::text("Of a question: Pending, Completed, Cancelled or Expired")),
        ("in_reply_to", schema::optional_text("The message that it refers to")),
    ])
}

pub(super) async fn get(agent: &Agent, mut args: Args) -> ToolResult {
    let session = Args::required("session_id", args.id("session_id")?)?;
    let after = args.number("after_seq", 0, i64::MAX as u64)?.unwrap_or(0);
    let limit = args.number("limit", 1, 1000)?.unwrap_or(PAGE);
    args.finish()?;
    let (after, limit) = (i64::try_from(after).unwrap_or(i64::MAX), u32::try_from(limit).unwrap_or(1000));
    let page = agent.client.timeline(session, after, limit).await.map_err(said)?;
    let mut lines: Vec<String> = page.data.iter().map(|event| line(agent, event)).collect();
    if page.has_more {
        let last = page.data.last().map_or(after, |event| event.seq);
        lines.push(format!("There is more: call get_timeline with after_seq {last}."));
    }
    if lines.is_empty() {
        lines.push("Nothing.".to_owned());
    }
    let events: Vec<Value> = page.data.iter().map(|event| shown(agent, event)).collect();
    let structured = json!({ "events": events, "last_seq": page.last_seq, "has_more": page.has_more });
    Ok(Reply { structured, text: lines.join("\n") })
}

fn shown(agent: &Agent, event: &Event) -> Value {
    let message = event.message.as_deref();
    let about = event.data["messageId"].as_str().map(str::to_owned);
    json!({
        "seq": event.seq,
        "type": event.kind,
        "at": event.at,
        "actor": event.actor.name,
        "message_id": about.or_else(|| message.map(|message| message.id.to_string())),
        "message": message.map(|message| described(agent, message)),
    })
}

fn line(agent: &Agent, event: &Event) -> String {
    match event.message.as_deref() {
        Some(message) => format!("#{} {}", event.seq, written(agent, message)),
        None => format!("#{} {} by {}", event.seq, one_line(&event.kind), quoted(&event.actor.name)),
    }
}

/// Whether a message can be relied on as far as this agent's encryption asks for: with encryption the hub's word is not
/// enough, whatever the rest of the session is.
fn is_reliable(agent: &Agent, message: &Message) -> bool {
    match message.opened.as_deref().map(|opened| &opened.authenticity) {
        Some(Authenticity::Verified) => true,
        Some(Authenticity::Plain) => !agent.client.encrypts(),
        _ => false,
    }
}

/// A message in one line.
pub(super) fn written(agent: &Agent, message: &Message) -> String {
    let name = quoted(&message.sender_name);
    if !is_reliable(agent, message) {
        return format!("{name}: (a message that cannot be read or does not verify)");
    }
    let Some(content) = message.content() else { return format!("{name}: (components)") };
    let action = content.action.map(|action| format!("[{}]", quoted(&action)));
    let values = content.values.filter(|values| !values.is_empty()).map(|values| Value::Object(values).to_string());
    let parts: Vec<String> = [action, content.text.map(|text| quoted(&text)), values].into_iter().flatten().collect();
    format!("{name}: {}", if parts.is_empty() { "(components)".to_owned() } else { parts.join(" ") })
}

/// A message as far as it can be relied on.
pub(super) fn described(agent: &Agent, message: &Message) -> Value {
    let is_reliable = is_reliable(agent, message);
    let content = message.content().filter(|_| is_reliable).unwrap_or_default();
    let opened = message.opened.as_deref();
    let authenticity = match opened.map(|opened| &opened.authenticity) {
        Some(Authenticity::Verified) => "verified",
        Some(Authenticity::Plain) if is_reliable => "plain",
        Some(Authenticity::CannotOpen(_)) => "cannot_open",
        _ => "not_authenticated",
    };
    let components = opened.filter(|_| is_reliable).and_then(|opened| opened.components.clone());
    json!({
        "message_id": message.id,
        "seq": message.seq,
        "from": message.sender_name,
        "from_id": message.sender_id(),
        "from_type": message.sender_type,
        "at": opened.and_then(|opened| opened.at).unwrap_or(message.created_at),
        "authenticity": authenticity,
        "text": content.text,
        "action": content.action,
        "values": content.values,
        "components": components,
        "response_required": message.response_required,
        "status": message.status,
        "in_reply_to": message.in_reply_to,
    })
}
