//! `await_response`: the answer to the newest question of a session, or what people write next in it.

use super::ask::{by_message, wait};
use super::schema::{self, Effect, tool};
use super::timeline::{described, message_schema, written};
use super::{Agent, Called, Reply, said, usual_wait};
use crate::cli::mcp::answer;
use crate::cli::mcp::args::Args;
use crate::cli::mcp::progress::held;
use crate::cli::mcp::questions::Waiting;
use futures::StreamExt as _;
use hiloop_sdk::{Error, Message};
use rmcp::RoleServer;
use rmcp::model::Tool;
use rmcp::service::RequestContext;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

pub(super) fn await_response() -> Tool {
    tool(
        "await_response",
        "Wait for a response",
        "Waits for a response in a session: for the answer to 'message_id', else to the newest question there. With \
         'after_seq', or where nothing was asked, for what people write next. Returns state 'pending' if there is \
         nothing yet: call it again then.",
        vec![
            ("session_id", schema::id("The session")),
            ("message_id", schema::id("The question")),
            ("after_seq", schema::number("Waits for what people write after this place of the timeline")),
            ("wait_seconds", schema::wait()),
        ],
        &["session_id"],
        result_schema(),
        Effect::Reads,
    )
}

/// That of an answer, or messages.
fn result_schema() -> Value {
    let mut schema = answer::schema();
    let message = message_schema();
    schema["properties"]["state"]["enum"] = json!(["answered", "expired", "cancelled", "pending", "message"]);
    schema["properties"]["messages"] =
        json!({ "type": "array", "items": message, "description": "What people wrote, with state 'message'" });
    schema["properties"]["last_seq"] =
        json!({ "type": ["integer", "null"], "description": "For 'after_seq' of the next call" });
    schema
}

pub(super) async fn call(
    agent: &Agent,
    mut args: Args,
    context: &RequestContext<RoleServer>,
) -> Result<Called, String> {
    let session = Args::required("session_id", args.id("session_id")?)?;
    let message = args.id("message_id")?;
    let after = args.number("after_seq", 0, i64::MAX as u64)?;
    let limit = wait(&mut args)?;
    args.finish()?;
    if message.is_some() && after.is_some() {
        return Err("'after_seq' cannot be given together with 'message_id'".to_owned());
    }
    let waiting = match (message, after) {
        (Some(message), _) => Some(by_message(agent, session, message).await?),
        (None, Some(_)) => None,
        (None, None) => newest(agent, session).await?,
    };
    if let Some(waiting) = waiting {
        return Ok(Called::Waits(waiting, limit));
    }
    let after = match after {
        Some(after) => i64::try_from(after).unwrap_or(i64::MAX),
        None => agent.client.last_written(session).await.map_err(said)?,
    };
    let next = next_messages(agent, session, after);
    let limit = limit.unwrap_or_else(usual_wait);
    let reply = match held(context, Instant::now(), limit, "Waiting for a message of a person", next).await {
        Some(messages) => replied(agent, session, &messages.map_err(said)?),
        None => pending(session, after),
    };
    Ok(Called::Replied(Ok(reply)))
}

/// The newest question in a session: the one that this process has sent last, else the hub's word.
async fn newest(agent: &Agent, session: Uuid) -> Result<Option<Arc<Waiting>>, String> {
    let last = match agent.questions.newest_of(session) {
        Some(message) => Some(message),
        None => agent.client.last_question(session).await.map_err(said)?.map(|asked| asked.message_id),
    };
    match last {
        Some(message) => by_message(agent, session, message).await.map(Some),
        None => Ok(None),
    }
}

/// The first message of a person after a place.
async fn next_messages(agent: &Agent, session: Uuid, after: i64) -> Result<Vec<Message>, Error> {
    let mut events = agent.client.events(session, after);
    while let Some(event) = events.next().await {
        if let Some(message) = event?.message
            && agent.client.is_remark(&message).await?
            && says_something(&message)
        {
            return Ok(vec![*message]);
        }
    }
    // The stream ends with an error only.
    std::future::pending().await
}

/// Whether a message is for its reader: one that shares keys is not.
fn says_something(message: &Message) -> bool {
    message.opened.as_ref().is_some_and(|opened| opened.content.is_some() || opened.components.is_some())
}

fn replied(agent: &Agent, session: Uuid, messages: &[Message]) -> Reply {
    let last = messages.iter().map(|message| message.seq).max();
    let text: Vec<String> = messages.iter().map(|message| written(agent, message)).collect();
    let text_of = messages.last().and_then(Message::content).and_then(|content| content.text);
    let mut structured = empty(session, "message");
    structured["text"] = json!(text_of);
    structured["messages"] = json!(messages.iter().map(|message| described(agent, message)).collect::<Vec<_>>());
    structured["last_seq"] = json!(last);
    Reply { structured, text: text.join("\n") }
}

fn pending(session: Uuid, after: i64) -> Reply {
    let arguments = json!({ "session_id": session, "after_seq": after });
    let mut structured = empty(session, "pending");
    structured["last_seq"] = json!(after);
    structured["next"] = json!({ "tool": "await_response", "arguments": arguments });
    Reply { structured, text: format!("Nobody wrote yet. Call await_response with {arguments} to go on waiting.") }
}

fn empty(session: Uuid, state: &str) -> Value {
    json!({
        "state": state, "approved": false, "rejected": false, "outcome": null, "action": null, "text": null,
        "values": null, "respondent": null, "responded_at": null, "question": null, "key": null, "session_id": session,
        "message_id": null, "next": null, "messages": [], "last_seq": null,
    })
}
