//! The tools: what each is, and what it does.

mod ask;
mod people;
mod schema;
mod sessions;
mod timeline;
mod wait;

use super::answerers::Answerers;
use super::args::Args;
use super::problem::problem;
use super::questions::{Questions, Waiting};
use hiloop_sdk::{Client, Error};
use rmcp::RoleServer;
use rmcp::model::Tool;
use rmcp::service::RequestContext;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// How long a tool waits at most, and unless the caller says how long. Clients give up after a minute.
pub(super) const LONGEST_WAIT: u64 = 50;
const WAIT: u64 = 45;

/// What a tool returns.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) structured: Value,
    pub(super) text: String,
}

/// A reply, or a problem that the model reads.
pub(super) type ToolResult = Result<Reply, String>;

/// The agent that the tools act as.
pub(super) struct Agent {
    pub(super) client: Client,
    pub(super) questions: Questions,
    /// Who may answer its questions, if the settings say so.
    pub(super) answerers: Answerers,
}

/// What a call comes to.
pub(super) enum Called {
    Replied(ToolResult),
    /// A question whose answer the call waits for, for as long as the caller says, if it does.
    Waits(Arc<Waiting>, Option<Duration>),
}

/// The tools as clients list them.
pub(super) fn definitions() -> Vec<Tool> {
    vec![
        ask::ask_human(),
        ask::await_answer(),
        sessions::create_session(),
        sessions::send_message(),
        wait::await_response(),
        timeline::get_timeline(),
        sessions::list_sessions(),
        sessions::close_session(),
        people::create_guest_token(),
        people::list_agents(),
    ]
}

/// Calls a tool; none if there is none of this name.
pub(super) async fn call(
    agent: &Agent,
    name: &str,
    arguments: Option<Map<String, Value>>,
    context: &RequestContext<RoleServer>,
) -> Option<Called> {
    let args = Args::new(arguments);
    let replied = match name {
        "ask_human" => return Some(waits(ask::ask(agent, args))),
        "await_answer" => return Some(waits(ask::resume(agent, args).await)),
        "await_response" => return Some(wait::call(agent, args, context).await.unwrap_or_else(failed)),
        "create_session" => sessions::create(agent, args).await,
        "send_message" => sessions::send(agent, args).await,
        "get_timeline" => timeline::get(agent, args).await,
        "list_sessions" => sessions::list(agent, args).await,
        "close_session" => sessions::close(agent, args).await,
        "create_guest_token" => people::invite(agent, args).await,
        "list_agents" => people::list(agent, args).await,
        _ => return None,
    };
    Some(Called::Replied(replied))
}

fn waits(started: Result<(Arc<Waiting>, Option<Duration>), String>) -> Called {
    match started {
        Ok((waiting, wait)) => Called::Waits(waiting, wait),
        Err(problem) => failed(problem),
    }
}

fn failed(problem: String) -> Called {
    Called::Replied(Err(problem))
}

/// How long a call waits that does not say.
pub(super) fn usual_wait() -> Duration {
    Duration::from_secs(WAIT)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn said(error: Error) -> String {
    problem(&error)
}
