//! `ask_human` and `await_answer`.

use super::schema::{self, Effect, tool};
use super::{Agent, LONGEST_WAIT, said};
use crate::cli::digest::digest;
use crate::cli::mcp::answer;
use crate::cli::mcp::args::{Args, Deadline};
use crate::cli::mcp::questions::{Name, Waiting};
use hiloop_sdk::{AskedQuestion, Question};
use rmcp::model::Tool;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A question that waits, and how long the caller wants to wait for it.
type Started = Result<(Arc<Waiting>, Option<Duration>), String>;

pub(super) fn ask_human() -> Tool {
    tool(
        "ask_human",
        "Ask a person",
        "Asks people for a decision and waits for the answer: an approval unless 'choices', 'form' or 'components' are \
         given. Use it before anything that cannot be undone, and for what only a person can know. Go on only if \
         'approved' is true; everything else, an error included, is no approval. If there is no answer in time, the \
         result has state 'pending' and a key: call await_answer with it, do not ask again. Give a 'key' that names the \
         question (such as \"deploy-4.2\"): the same key is the same question, also after a restart.",
        vec![
            ("title", schema::text("What is asked, in one line")),
            ("text", schema::text("Details, in Markdown")),
            ("choices", schema::texts("Offers these choices in place of an approval")),
            (
                "form",
                json!({
                    "type": "object",
                    "description": "Asks for values in place of an approval: a JSON Schema of an object with flat \
                                    properties, or {\"fields\":[{name,label,type,required?,options?}]}",
                }),
            ),
            ("components", schema::components()),
            ("to", schema::texts("Whom to ask: e-mail addresses or ids of people. Everyone of the space unless given")),
            ("answerers", schema::texts("Who of them may answer: e-mail addresses or ids. All of them unless given")),
            ("deadline", schema::deadline()),
            ("priority", schema::priority()),
            ("session_id", schema::id("The session to ask in; one of its own unless given")),
            ("key", schema::text("Names the question. A new one is made unless given")),
            ("wait_seconds", schema::wait()),
        ],
        &["title"],
        answer::schema(),
        Effect::Adds,
    )
}

pub(super) fn await_answer() -> Tool {
    tool(
        "await_answer",
        "Wait for an answer",
        "Goes on waiting for the answer to a question of ask_human, also one that was asked before a restart. Name it by \
         its 'key' (with 'session_id' if it was asked in a given session), or by 'session_id' and 'message_id'. Returns \
         the answer, or state 'pending': call it again then.",
        vec![
            ("key", schema::text("The question's key")),
            ("session_id", schema::id("The question's session")),
            ("message_id", schema::id("The question")),
            ("wait_seconds", schema::wait()),
        ],
        &[],
        answer::schema(),
        Effect::Reads,
    )
}

/// Asks. The question is sent by a task of its own, so that it stays if the request is cancelled.
pub(super) fn ask(agent: &Agent, mut args: Args) -> Started {
    let title = Args::required("title", args.line("title")?)?;
    let text = args.text("text")?;
    let key = args.line("key")?;
    let session = args.id("session_id")?;
    let wait = wait(&mut args)?;
    let deadline = args.deadline("deadline")?;
    let to = agent.answerers.asked("to", args.people("to")?)?;
    let answerers = agent.answerers.among("answerers", args.people("answerers")?)?;
    let priority = args.priority("priority")?;
    let (question, shown) = content(&mut args, &title, text)?;
    args.finish()?;

    let mut question = match deadline {
        None => question,
        Some(Deadline::In(time)) => question.deadline_in(time),
        Some(Deadline::At(time)) => question.deadline_at(time),
    };
    let mut allowed = answerers.clone();
    if let Some(priority) = priority {
        question = question.priority(priority);
    }
    if let Some(session) = session {
        question = question.session(session);
        // Others may take part in it as well: only these may answer.
        allowed = allowed.or_else(|| to.clone());
    }
    if let Some(to) = &to {
        question = question.to(to.iter().map(String::as_str));
    }
    if let Some(allowed) = &allowed {
        question = question.answerers(allowed.iter().map(String::as_str));
    }
    let digest = digest(&json!([shown, to, answerers, priority]));
    let key = key.unwrap_or_else(|| format!("mcp-{}", Uuid::now_v7()));
    let name = Name { key: Some(key.clone()), session, digest: Some(digest) };
    let waiting = agent.questions.ask(&agent.client, question.key(key), name)?;
    Ok((waiting, wait))
}

/// The question with what people see, and the same as a value.
fn content(args: &mut Args, title: &str, text: Option<String>) -> Result<(Question, Value), String> {
    let (choices, form, components) = (args.texts("choices")?, args.object("form")?, args.components("components")?);
    if let Some(form) = &form {
        checked_form(form)?;
    }
    let given = [("choices", choices.is_some()), ("form", form.is_some()), ("components", components.is_some())];
    let given: Vec<&str> = given.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name).collect();
    if let [first, second, ..] = given[..] {
        return Err(format!("'{second}' cannot be given together with '{first}'"));
    }
    let shown = json!([title, text, choices, form, components]);
    let question = match (choices, form, components) {
        (Some(choices), ..) => Question::default().choices(choices),
        (_, Some(form), _) => Question::default().form(form),
        (.., Some(components)) => Question::of_components(components),
        _ => Question::approval(title),
    };
    let question = question.title(title);
    Ok((if let Some(text) = text { question.with_text(text) } else { question }, shown))
}

/// A form without fields cannot be filled in.
fn checked_form(form: &Value) -> Result<(), String> {
    let is_filled = |members: Option<&Map<String, Value>>| members.is_some_and(|members| !members.is_empty());
    let fields = form["fields"].as_array().or_else(|| form["data"]["fields"].as_array());
    let is_named = |field: &Value| field["name"].is_string();
    match fields {
        Some(fields) if !fields.is_empty() && fields.iter().all(is_named) => Ok(()),
        Some(_) => Err("'form': 'fields' must be a list of fields, each with a 'name'".to_owned()),
        None if is_filled(form["properties"].as_object()) => Ok(()),
        None => Err("'form' must be a JSON Schema with 'properties', or have 'fields'".to_owned()),
    }
}

/// Finds a question that was asked before, and waits for it.
pub(super) async fn resume(agent: &Agent, mut args: Args) -> Started {
    let key = args.line("key")?;
    let (session, message) = (args.id("session_id")?, args.id("message_id")?);
    let wait = wait(&mut args)?;
    args.finish()?;
    let waiting = match (key, session, message) {
        (Some(key), session, message) => {
            let waiting = match agent.questions.of_key(&key, session) {
                Some(waiting) => waiting,
                None => found(agent, key, session).await?,
            };
            if message.is_some_and(|id| waiting.state().asked().is_some_and(|asked| asked.message_id != id)) {
                return Err("'message_id' is not the question of this 'key'".to_owned());
            }
            waiting
        }
        (None, Some(session), Some(message)) => by_message(agent, session, message).await?,
        (None, Some(_), None) => return Err("'key' or 'message_id' is required with 'session_id'".to_owned()),
        (None, None, Some(_)) => return Err("'session_id' is required with 'message_id'".to_owned()),
        (None, None, None) => return Err("'key' is required, or 'session_id' and 'message_id'".to_owned()),
    };
    Ok((waiting, wait))
}

/// The question of a key at the hub: asked in this session, or in one of its own.
async fn found(agent: &Agent, key: String, session: Option<Uuid>) -> Result<Arc<Waiting>, String> {
    let places = if session.is_some() { vec![session, None] } else { vec![None] };
    for place in places {
        let found = agent.client.find_question(place, &key).await.map_err(said)?;
        if let Some(asked) = found.filter(|asked| session.is_none_or(|session| session == asked.session_id)) {
            let name = Name { key: Some(key), session: place, digest: None };
            return agent.questions.resume(&agent.client, asked, name);
        }
    }
    Err(format!(
        "This agent has asked no question with the key '{key}' in the last week{}. Ask it with ask_human.",
        if session.is_some() { " in this session" } else { "; if it was asked in a given session, give 'session_id'" }
    ))
}

/// The question in a message of this agent.
pub(super) async fn by_message(agent: &Agent, session: Uuid, message: Uuid) -> Result<Arc<Waiting>, String> {
    if let Some(waiting) = agent.questions.of_message(message) {
        return Ok(waiting);
    }
    let found = agent.client.message(session, message).await.map_err(said)?;
    let me = agent.client.me().await.map_err(said)?.id;
    if !found.response_required || found.sender_agent_id != Some(me) {
        return Err("'message_id' is not a question of this agent".to_owned());
    }
    agent.questions.resume(&agent.client, AskedQuestion::new(session, message), Name::default())
}

pub(super) fn wait(args: &mut Args) -> Result<Option<Duration>, String> {
    Ok(args.number("wait_seconds", 0, LONGEST_WAIT)?.map(Duration::from_secs))
}
