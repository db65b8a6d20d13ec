//! How far a question is, as a tool returns it: structured, and as a text that a model reads.

use super::problem::NO_APPROVAL;
use super::questions::{State, Waiting};
use super::tools::{Reply, ToolResult};
use crate::cli::quote::quoted;
use hiloop_sdk::{AskedQuestion, Decision, MessageStatus, Outcome, Responder};
use serde_json::{Value, json};

/// The schema of what is returned.
pub(super) fn schema() -> Value {
    let optional = |kind: &str, description: &str| json!({ "type": [kind, "null"], "description": description });
    json!({
        "type": "object",
        "required": ["state", "approved", "rejected", "key", "session_id", "message_id"],
        "properties": {
            "state": {
                "type": "string",
                "enum": ["answered", "expired", "cancelled", "pending"],
                "description": "pending: there is no answer yet, call the tool that 'next' names",
            },
            "approved": {
                "type": "boolean",
                "description": "true only if a person has explicitly approved. Act on this and nothing else",
            },
            "rejected": { "type": "boolean", "description": "true if a person has explicitly rejected" },
            "outcome": optional("string", "Approved, Rejected or Answered"),
            "action": optional("string", "The choice, or the action of the button that was pressed"),
            "text": optional("string", "What the person wrote"),
            "values": { "type": ["object", "null"], "description": "The values of a form" },
            "respondent": {
                "type": ["object", "null"],
                "description": "The person who answered",
                "properties": {
                    "id": optional("string", "The id"),
                    "name": { "type": "string" },
                    "type": { "type": "string", "description": "Human, or Guest: whoever had the link" },
                    "invited_by": optional("string", "Of a guest, the name of who made the link"),
                },
                "required": ["name"],
            },
            "responded_at": optional("string", "When, RFC 3339"),
            "question": {
                "type": ["object", "null"],
                "description": "What was asked, as it was signed: compare it before you act on an answer to a question \
                                that was found by its ids",
                "properties": {
                    "title": optional("string", "The title"),
                    "text": optional("string", "The details"),
                },
            },
            "key": optional("string", "Names the question, also after a restart"),
            "session_id": optional("string", "The session of the question"),
            "message_id": optional("string", "The question; null while it is not at the hub"),
            "next": {
                "type": ["object", "null"],
                "description": "What to call to go on waiting",
                "properties": { "tool": { "type": "string" }, "arguments": { "type": "object" } },
                "required": ["tool", "arguments"],
            },
        },
    })
}

/// The reply for a question that is over, or as far as it is.
pub(super) fn reply(waiting: &Waiting, state: &State) -> ToolResult {
    match state {
        State::Asking => Ok(pending(waiting, None)),
        State::Pending(asked) => Ok(pending(waiting, Some(*asked))),
        State::Settled(asked, decision) => Ok(settled(waiting, *asked, decision)),
        State::Failed(_, problem) => Err(format!("{problem} {NO_APPROVAL}")),
    }
}

fn pending(waiting: &Waiting, asked: Option<AskedQuestion>) -> Reply {
    let mut arguments = json!({});
    if let Some(key) = &waiting.name.key {
        arguments["key"] = json!(key);
        if let Some(session) = waiting.name.session {
            arguments["session_id"] = json!(session);
        }
    } else if let Some(asked) = asked {
        arguments = json!({ "session_id": asked.session_id, "message_id": asked.message_id });
    }
    let text = match asked {
        Some(_) => "No answer yet.",
        None => {
            "The question is not sent yet: nobody who may answer has an encryption key, or the hub does not reply. It is \
             sent as soon as it can be, while this server runs."
        }
    };
    let text = format!(
        "{text} {NO_APPROVAL} The question stays open. Call await_answer with {arguments} to go on waiting; do not ask \
         again."
    );
    let mut structured = structured(waiting, asked, "pending");
    structured["next"] = json!({ "tool": "await_answer", "arguments": arguments });
    Reply { structured, text }
}

fn settled(waiting: &Waiting, asked: AskedQuestion, decision: &Decision) -> Reply {
    let state = match decision.status {
        MessageStatus::Completed => "answered",
        MessageStatus::Expired => "expired",
        _ => "cancelled",
    };
    let mut structured = structured(waiting, Some(asked), state);
    structured["question"] = json!({ "title": decision.question.title, "text": decision.question.text });
    let Some(person) = decision.respondent.as_ref().filter(|_| decision.status == MessageStatus::Completed) else {
        let why = match decision.status {
            MessageStatus::Expired => "Nobody answered before the deadline.",
            MessageStatus::Completed => "The question is closed, and no answer is shown.",
            _ => "The question was cancelled.",
        };
        return Reply { structured, text: format!("{why} {NO_APPROVAL}") };
    };
    let approved = decision.approved && !decision.rejected && decision.outcome == Some(Outcome::Approved);
    structured["approved"] = json!(approved);
    structured["rejected"] = json!(decision.rejected);
    structured["outcome"] = json!(decision.outcome);
    structured["action"] = json!(decision.action);
    structured["text"] = json!(decision.text);
    structured["values"] = if decision.values.is_empty() { Value::Null } else { json!(decision.values) };
    let inviter = person.invited_by.as_ref().map(|inviter| &inviter.name);
    structured["respondent"] =
        json!({ "id": person.id, "name": person.name, "type": person.kind, "invited_by": inviter });
    structured["responded_at"] = json!(decision.responded_at);
    Reply { structured, text: said(decision, person, approved) }
}

/// What a person answered, and to which question, in words.
fn said(decision: &Decision, person: &Responder, approved: bool) -> String {
    let guest = if person.kind == "Guest" { "the guest " } else { "" };
    let name = format!("{guest}{}", quoted(&person.name));
    let mut text = match (approved, decision.rejected, decision.action.as_deref()) {
        (true, ..) => format!("Approved by {name}."),
        (_, true, _) => format!("Rejected by {name}. Do not do it."),
        (_, _, Some(action)) if decision.values.is_empty() => format!("{name} chose: {}", quoted(action)),
        _ => format!("{name} answered."),
    };
    if let Some(title) = &decision.question.title {
        text += &format!("\nThe question was: {}", quoted(title));
    }
    if !decision.values.is_empty() {
        text += &format!("\nValues: {}", json!(decision.values));
    }
    if let Some(written) = &decision.text {
        text += &format!("\n{name} wrote: {}", quoted(written));
    }
    if !approved && !decision.rejected && decision.action.is_none() && decision.values.is_empty() {
        text += &format!("\n{NO_APPROVAL}");
    }
    text
}

/// A reply without an answer.
fn structured(waiting: &Waiting, asked: Option<AskedQuestion>, state: &str) -> Value {
    json!({
        "state": state,
        "approved": false,
        "rejected": false,
        "outcome": null,
        "action": null,
        "text": null,
        "values": null,
        "respondent": null,
        "responded_at": null,
        "question": null,
        "key": waiting.name.key,
        "session_id": asked.map(|asked| asked.session_id).or(waiting.name.session),
        "message_id": asked.map(|asked| asked.message_id),
        "next": null,
    })
}
