//! One event: what to ask, report or pass on.

use super::Asking;
use super::agent::CodingAgent;
use super::event::{Event, Kind, ToolCall};
use super::hub::{HubSession, said};
use super::outcome::{Verdict, verdict};
use super::remarks::Remarks;
use super::reply::Reply;
use super::report;
use super::request;
use super::rule::Rule;
use super::shown::shortened;
use super::state::StateFile;
use crate::cli::digest::digest;
use crate::cli::{folders, print};
use hiloop_sdk::{Client, ClientBuilder, Error, NewMessage};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// How long a call of the hub may take, retries included, while a decision waits for it, and while nothing does.
const CALL: Duration = Duration::from_secs(20);
const SHORT_CALL: Duration = Duration::from_secs(5);
/// How much longer than the wait for an answer an event may take, and how long one without a question.
const SLACK: Duration = Duration::from_secs(45);
const REPORT: Duration = Duration::from_secs(20);
/// How often the same call may be asked about in one turn.
const MAX_REPEATS: u32 = 100;
/// The most that is passed on of the agent's last message.
const MAX_MESSAGE: usize = 32 * 1024;

/// Handles an event. An error is a denial where the event asks for a decision.
pub(super) async fn answer(agent: CodingAgent, asking: Asking, event: Event) -> Result<Reply, String> {
    let asks = event.asks().is_some();
    let call_timeout = if asks { CALL } else { SHORT_CALL };
    let client = ClientBuilder::from_env().timeout(call_timeout).build().map_err(said)?;
    let folder = folders::state().ok_or("there is no folder to remember in: set HOME")?;
    let state = StateFile::new(&folder, agent, &event.session, client.base_url());
    let limit = if asks { asking.timeout() + SLACK } else { REPORT };
    let hook = EventHook { client, state, agent, asking, event };
    match timeout(limit, hook.answer()).await {
        Ok(reply) => reply,
        Err(_) => Err(format!("nothing was decided within {} seconds", limit.as_secs())),
    }
}

struct EventHook {
    client: Client,
    state: StateFile,
    agent: CodingAgent,
    asking: Asking,
    event: Event,
}

impl EventHook {
    async fn answer(&self) -> Result<Reply, String> {
        match &self.event.kind {
            Kind::PreToolUse(call) | Kind::PermissionRequest(call) => self.decide(call).await,
            Kind::PostToolUse(call, result) => {
                let message = NewMessage::of_components(report::component(call, result));
                self.report(message, &self.key("result", call, 0)).await
            }
            // The question about it is asked already.
            Kind::Notification { is_permission_prompt: true, .. } => Ok(Reply::Nothing),
            Kind::Notification { message, .. } => {
                self.report(NewMessage::text(message), &uuid::Uuid::now_v7().to_string()).await
            }
            Kind::Stop { last_message } => self.stop(last_message.as_deref()).await,
        }
    }

    async fn session(&self) -> Result<HubSession, String> {
        HubSession::open(&self.client, self.agent, &self.event, &self.asking.to, &self.state).await
    }

    /// The key of the question or result of a call. Another call with the same id has another key.
    fn key(&self, what: &str, call: &ToolCall, repeat: u32) -> String {
        let event = &self.event;
        let place = call.id.as_ref().or(event.turn.as_ref());
        digest(&json!([what, self.agent.command(), event.session, event.folder, place, call.tool, call.input, repeat]))
    }

    async fn decide(&self, call: &ToolCall) -> Result<Reply, String> {
        let rule = Rule::of(call, &self.event.folder);
        // Without a file that can be trusted, no rule holds.
        if self.state.read().is_ok_and(|state| state.always.contains(&rule.digest)) {
            return Ok(Reply::Remembered);
        }
        let components = request::components(self.agent, call, &self.event.folder, &rule)?;
        let session = self.session().await?;
        let verdict = self.ask(&session, call, &components).await?;
        if let Verdict::Approved { by, text, always } = &verdict {
            self.remember(by, text.as_deref(), always.then_some(&rule));
        }
        Ok(Reply::Decided(verdict))
    }

    /// Asks once for each call. A request for permission does not name its call: where the same one was decided before
    /// in this turn, it is asked again.
    async fn ask(&self, session: &HubSession, call: &ToolCall, components: &Value) -> Result<Verdict, String> {
        let repeats = if call.id.is_some() { 1 } else { MAX_REPEATS };
        let wait = self.asking.timeout();
        for repeat in 0..repeats {
            let key = self.key("question", call, repeat);
            match session.ask(components.clone(), &key, wait).await {
                Ok(decision) => return Ok(verdict(&decision, wait)),
                Err(error) if error.is("ALREADY_ACKNOWLEDGED") => {}
                Err(error) if error.is(Error::TIMEOUT) => {
                    return Err(format!("there was no answer within {} seconds", wait.as_secs()));
                }
                Err(error) => return Err(said(error)),
            }
        }
        Err("the answer was used before".to_owned())
    }

    /// Remembers what an approval says beyond this call. A failure makes it one for this call only.
    fn remember(&self, by: &str, text: Option<&str>, rule: Option<&Rule>) {
        let is_unheard = matches!(self.event.kind, Kind::PermissionRequest(_));
        let note = text.filter(|_| is_unheard).map(|text| format!("{by} approved a tool and wrote: {text}"));
        if rule.is_none() && note.is_none() {
            return;
        }
        let saved = self.state.update(|state| {
            state.always.extend(rule.map(|rule| rule.digest.clone()));
            state.notes.extend(note);
        });
        if let Err(error) = saved {
            print::problem(&format!("hiloop: cannot remember the approval: {error}"));
        }
    }

    async fn report(&self, message: NewMessage, key: &str) -> Result<Reply, String> {
        self.session().await?.send(message, key).await.map_err(said)?;
        Ok(Reply::Nothing)
    }

    /// Shows the agent's last message, and passes on what people wrote, each message once.
    async fn stop(&self, last_message: Option<&str>) -> Result<Reply, String> {
        let session = self.session().await?;
        if let Some(text) = last_message {
            let message = NewMessage::text(shortened(text, MAX_MESSAGE));
            session.send(message, &uuid::Uuid::now_v7().to_string()).await.map_err(said)?;
        }
        let state = self.state.read().map_err(|error| format!("cannot read what was passed on: {error}"))?;
        let Remarks { mut lines, unreadable, last } = session.catch_up(state.delivered).await.map_err(said)?;
        if unreadable > 0 {
            print::problem(&format!("hiloop: {unreadable} messages in the chat cannot be read or do not verify"));
        }
        if last == state.delivered && state.notes.is_empty() {
            return Ok(Reply::Nothing);
        }
        let mut notes = Vec::new();
        let saved = self.state.update(|state| {
            state.delivered = state.delivered.max(last);
            notes = std::mem::take(&mut state.notes);
        });
        // Not passed on again and again.
        saved.map_err(|error| format!("cannot remember what was passed on: {error}"))?;
        notes.append(&mut lines);
        Ok(if notes.is_empty() { Reply::Nothing } else { Reply::GoOn(notes.join("\n\n")) })
    }
}
