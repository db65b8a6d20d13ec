//! `create_session`, `send_message`, `list_sessions`, `close_session`.

use super::schema::{self, Effect, result, tool};
use super::{Agent, Reply, ToolResult, said};
use crate::cli::mcp::answerers::SETTING;
use crate::cli::mcp::args::{Args, Deadline, participants};
use crate::cli::quote::quoted;
use hiloop_sdk::{AskedQuestion, NewMessage, NewSession, Session, SessionStatus};
use rmcp::model::Tool;
use serde_json::{Value, json};

pub(super) fn create_session() -> Tool {
    tool(
        "create_session",
        "Open a session",
        "Opens a session: a conversation with people in the chat, to which messages and questions can be sent. Questions \
         of ask_human need none: each opens one of its own.",
        vec![
            ("title", schema::text("What it is about, in one line")),
            (
                "to",
                schema::texts("Who takes part: e-mail addresses or ids of people. Everyone of the space unless given"),
            ),
            ("priority", schema::priority()),
            ("key", schema::text("Names the session: within 24 hours the same key opens it once")),
        ],
        &["title"],
        session_schema(),
        Effect::Adds,
    )
}

pub(super) fn send_message() -> Tool {
    tool(
        "send_message",
        "Send a message",
        "Sends a message to the people of a session: Markdown text, components, or both. With 'response_required' it is a \
         question, whose answer await_response waits for.",
        vec![
            ("session_id", schema::id("The session")),
            ("text", schema::text("Markdown")),
            ("components", schema::components()),
            ("response_required", schema::flag("Whether people are to answer; false unless given")),
            ("deadline", schema::deadline()),
            ("priority", schema::priority()),
            ("in_reply_to", schema::id("The message that this one refers to")),
            ("key", schema::text("Names the message: within 24 hours the same key sends it once")),
        ],
        &["session_id"],
        result(&[
            ("message_id", schema::id("The message")),
            ("session_id", schema::id("The session")),
            ("seq", schema::number("Its place on the timeline")),
            ("response_required", schema::flag("Whether it is a question")),
        ]),
        Effect::Adds,
    )
}

pub(super) fn list_sessions() -> Tool {
    tool(
        "list_sessions",
        "List sessions",
        "Lists the sessions of this agent, newest activity first, with how many of their questions wait for an answer.",
        vec![
            (
                "status",
                json!({
                    "type": "string", "enum": ["active", "closed", "archived"],
                    "description": "Only these; all but archived ones unless given",
                }),
            ),
            ("page", schema::number("The page, from 1; each has 50 sessions")),
        ],
        &[],
        result(&[
            ("sessions", schema::list(&session_schema(), "The sessions of the page")),
            ("total", schema::number("How many there are")),
            ("page", schema::number("The page")),
        ]),
        Effect::Reads,
    )
}

pub(super) fn close_session() -> Tool {
    tool(
        "close_session",
        "Close a session",
        "Closes a session: its open questions are cancelled, and nothing can be sent to it any more.",
        vec![("session_id", schema::id("The session"))],
        &["session_id"],
        session_schema(),
        Effect::Ends,
    )
}

fn session_schema() -> Value {
    result(&[
        ("session_id", schema::id("The session")),
        ("title", schema::optional_text("The title; null if there is none, or it does not verify")),
        ("status", schema::text("Active, Closed or Archived")),
        ("priority", schema::text("Low, Medium, High or Urgent")),
        ("pending_count", schema::number("Questions that wait for an answer")),
        ("last_seq", schema::number("The place of the newest event on the timeline")),
        ("updated_at", schema::text("When anything last happened, RFC 3339")),
    ])
}

pub(super) async fn create(agent: &Agent, mut args: Args) -> ToolResult {
    let title = Args::required("title", args.line("title")?)?;
    let (to, priority, key) = (args.people("to")?, args.priority("priority")?, args.key("key")?);
    args.finish()?;
    let mut session = NewSession::titled(&title);
    if let Some(to) = &to {
        session = session.participants(participants(to));
    }
    if let Some(priority) = priority {
        session = session.priority(priority);
    }
    if let Some(key) = key {
        session = session.idempotency_key(key);
    }
    let opened = agent.client.create_session(session).await.map_err(said)?;
    let text = format!("The session {} is open.", opened.id);
    Ok(Reply { structured: described(&opened, Some(&title)), text })
}

pub(super) async fn send(agent: &Agent, mut args: Args) -> ToolResult {
    let session = Args::required("session_id", args.id("session_id")?)?;
    let (text, components) = (args.text("text")?, args.components("components")?);
    let is_question = args.flag("response_required")?;
    let (deadline, priority) = (args.deadline("deadline")?, args.priority("priority")?);
    let (reply_to, key) = (args.id("in_reply_to")?, args.key("key")?);
    args.finish()?;
    if text.is_none() && components.is_none() {
        return Err("'text' or 'components' is required".to_owned());
    }
    if is_question && agent.answerers.are_fixed() {
        return Err(format!("This server's setting {SETTING} says who may answer: ask with ask_human"));
    }
    if deadline.is_some() && !is_question {
        return Err("'deadline' needs 'response_required'".to_owned());
    }
    let mut message = text.map_or_else(NewMessage::default, NewMessage::text);
    if let Some(components) = components {
        message = message.components(components);
    }
    if is_question {
        message = message.response_required();
    }
    message = match deadline {
        None => message,
        Some(Deadline::In(time)) => message.deadline_at(std::time::SystemTime::now() + time),
        Some(Deadline::At(time)) => message.deadline_at(time),
    };
    if let Some(priority) = priority {
        message = message.priority(priority);
    }
    if let Some(id) = reply_to {
        message = message.in_reply_to(id);
    }
    if let Some(key) = key {
        message = message.idempotency_key(key);
    }
    let sent = agent.client.send(session, message).await.map_err(said)?;
    if is_question {
        agent.questions.note_newest(AskedQuestion::new(session, sent.id));
    }
    let structured = json!({
        "message_id": sent.id, "session_id": session, "seq": sent.seq, "response_required": is_question,
    });
    let text = if is_question {
        format!("The question {} is sent. Call await_response for its answer.", sent.id)
    } else {
        format!("The message {} is sent.", sent.id)
    };
    Ok(Reply { structured, text })
}

pub(super) async fn list(agent: &Agent, mut args: Args) -> ToolResult {
    let status = match args.text("status")?.map(|text| text.to_ascii_lowercase()).as_deref() {
        None => None,
        Some("active") => Some(SessionStatus::Active),
        Some("closed") => Some(SessionStatus::Closed),
        Some("archived") => Some(SessionStatus::Archived),
        Some(_) => return Err("'status' must be active, closed or archived".to_owned()),
    };
    let page = args.number("page", 1, 1_000_000)?.unwrap_or(1);
    args.finish()?;
    let page = u32::try_from(page).unwrap_or(u32::MAX);
    let found = agent.client.sessions(status, page).await.map_err(said)?;
    let (mut sessions, mut lines) = (Vec::new(), vec![format!("{} sessions, page {page}.", found.total)]);
    for session in &found.data {
        let title = agent.client.title(session).await.map_err(said)?;
        let shown = title.as_deref().map_or_else(|| "(no title)".to_owned(), quoted);
        let pending = session.pending_count;
        lines.push(format!("{}: {shown} ({}, {pending} open questions)", session.id, session.status.as_str()));
        sessions.push(described(session, title.as_deref()));
    }
    let structured = json!({ "sessions": sessions, "total": found.total, "page": page });
    Ok(Reply { structured, text: lines.join("\n") })
}

pub(super) async fn close(agent: &Agent, mut args: Args) -> ToolResult {
    let session = Args::required("session_id", args.id("session_id")?)?;
    args.finish()?;
    let closed = agent.client.close(session).await.map_err(said)?;
    let title = agent.client.title(&closed).await.map_err(said)?;
    Ok(Reply { structured: described(&closed, title.as_deref()), text: format!("The session {session} is closed.") })
}

fn described(session: &Session, title: Option<&str>) -> Value {
    json!({
        "session_id": session.id,
        "title": title,
        "status": session.status.as_str(),
        "priority": session.priority,
        "pending_count": session.pending_count,
        "last_seq": session.last_seq,
        "updated_at": session.updated_at,
    })
}
