//! One conversation: carries out the steps of the script in a session, and passes the session's events to the script.

use super::envelope::{open, seal, shortened};
use super::hub::{Hub, HubError};
use super::lines::{Draft, TITLE};
use super::link::{Event, Link};
use super::print_progress;
use super::script::{Input, Lapse, Script, Step};
use crate::clock::{Clock as _, SystemClock};
use serde_json::{Map, Value, json};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How long people have to answer a question.
const DEADLINE_SECONDS: i64 = 30 * 60;
/// How long the live connection may be missing before the demo goes on without, and waits for answers by long-poll.
const LIVE_PATIENCE: Duration = Duration::from_secs(5);
/// Typing lapses after 6 s unless it is repeated.
const TYPING_REPEAT: Duration = Duration::from_secs(4);
/// How long closing the session may hold up the end of the program.
const FAREWELL: Duration = Duration::from_secs(3);

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The script has ended, or a person closed the session.
    Finished,
    /// The program was stopped.
    Stopped,
}

pub(super) struct Conversation {
    hub: Arc<Hub>,
    link: Link,
    session: String,
    script: Script,
    /// The next steps.
    steps: VecDeque<Step>,
    /// The question that waits for its answer.
    pending: Option<String>,
    /// Every question so far, to distinguish answers from remarks.
    asked: HashSet<String>,
    pace: Duration,
}

impl Conversation {
    /// Opens a session with everybody in the space.
    pub(super) async fn open(hub: &Arc<Hub>, pace: Duration) -> Result<Self, HubError> {
        let session = hub.post("/v1/agent/sessions", &json!({ "title": TITLE, "priority": "High" })).await?;
        let session = id_of(&session, "a new session")?;
        print_progress(&format!("opened session {session} “{TITLE}”"));
        Ok(Self {
            hub: Arc::clone(hub),
            link: Link::follow(Arc::clone(hub), &session),
            session,
            script: Script::new(),
            steps: VecDeque::new(),
            pending: None,
            asked: HashSet::new(),
            pace,
        })
    }

    /// Talks until the script has ended, the session is closed, or `stop` is cancelled.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> Result<Ending, HubError> {
        let talked = stop.run_until_cancelled(self.talk()).await;
        let ending = match talked {
            Some(Ok(())) => Ending::Finished,
            Some(Err(error)) if error.is_closed() => Ending::Finished,
            Some(Err(error)) => return Err(error),
            None => {
                // The program ends: no answer will be read.
                let _ = tokio::time::timeout(FAREWELL, self.close_session()).await;
                Ending::Stopped
            }
        };
        print_progress("the session is closed");
        self.link.close().await;
        Ok(ending)
    }

    async fn talk(&mut self) -> Result<(), HubError> {
        // So that people see the typing indicator from the beginning.
        self.link.connection().up_within(LIVE_PATIENCE).await;
        let first = self.script.on(Input::Begin);
        self.steps.extend(first);
        loop {
            // Events that have arrived meanwhile may need a reply before the next step.
            while let Some(event) = self.link.try_next() {
                if self.notice(event?) {
                    return Ok(());
                }
            }
            match self.steps.pop_front() {
                Some(Step::Say(draft)) => {
                    self.send(&draft, false).await?;
                }
                Some(Step::Ask(draft)) => {
                    let question = self.send(&draft, true).await?;
                    self.asked.insert(question.clone());
                    self.pending = Some(question);
                }
                Some(Step::Close) => return self.close_session().await,
                None => {
                    if self.listen().await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Waits for something to happen; true once the session is closed.
    async fn listen(&mut self) -> Result<bool, HubError> {
        let (hub, session, pending) = (Arc::clone(&self.hub), self.session.clone(), self.pending.clone());
        let Some(pending) = pending else {
            let event = self.link.next().await?;
            return Ok(self.notice(event));
        };
        let mut connection = self.link.connection();
        let settled = async {
            loop {
                connection.down_for(LIVE_PATIENCE).await;
                let message = hub.await_message(&session, &pending).await?;
                if message["status"] != "Pending" {
                    return Ok::<Value, HubError>(message);
                }
            }
        };
        tokio::select! {
            event = self.link.next() => Ok(self.notice(event?)),
            message = settled => {
                self.settled(&message?);
                Ok(false)
            }
        }
    }

    /// The question has settled, as its message says.
    fn settled(&mut self, message: &Value) {
        match message["status"].as_str() {
            Some("Completed") => self.answered(&message["response"]),
            Some("Expired") => self.lapsed(Lapse::Expired),
            _ => self.lapsed(Lapse::Cancelled),
        }
    }

    /// Takes in an event of the timeline; true once the session is closed.
    fn notice(&mut self, event: Event) -> bool {
        let of_pending = self.pending.is_some() && event.data["messageId"].as_str() == self.pending.as_deref();
        match event.kind.as_str() {
            "session.closed" | "session.archived" => return true,
            "message.completed" if of_pending => self.answered(&event.data["response"]),
            "message.expired" if of_pending => self.lapsed(Lapse::Expired),
            "message.cancelled" if of_pending => self.lapsed(Lapse::Cancelled),
            "message.created" if matches!(event.actor.kind.as_str(), "Human" | "Guest") => {
                self.link.read(event.seq);
                let message = &event.data["message"];
                let answers = message["inReplyTo"].as_str().is_some_and(|id| self.asked.contains(id));
                if !answers {
                    self.remarked(event.actor.name, &message["encryptedContent"]);
                }
            }
            _ => {}
        }
        false
    }

    fn answered(&mut self, response: &Value) {
        self.pending = None;
        let content = open(&response["encryptedContent"]);
        let name = response["respondedBy"]["name"].as_str().unwrap_or("somebody");
        print_progress(&format!("{name} answered: {}", content.said().as_deref().unwrap_or("(unreadable)")));
        let steps = self.script.on(Input::Answer(content));
        self.steps.extend(steps);
    }

    fn lapsed(&mut self, lapse: Lapse) {
        self.pending = None;
        print_progress(if lapse == Lapse::Expired { "nobody answered in time" } else { "the question was cancelled" });
        let steps = self.script.on(Input::Lapsed(lapse));
        self.steps.extend(steps);
    }

    fn remarked(&mut self, name: String, content: &Value) {
        let content = open(content);
        print_progress(&format!("{name} wrote: {}", content.said().as_deref().unwrap_or("(unreadable)")));
        let steps = self.script.on(Input::Remark { name, content, asked: self.pending.is_some() });
        for step in steps.into_iter().rev() {
            self.steps.push_front(step);
        }
    }

    /// Types for a while, then posts; returns the message's id.
    async fn send(&self, draft: &Draft, ask: bool) -> Result<String, HubError> {
        self.type_for(typing_time(self.pace, &draft.text)).await;
        let path = format!("/v1/agent/sessions/{}/messages", self.session);
        let message = self.hub.post(&path, &body(draft, ask)).await?;
        self.link.typing(false);
        print_progress(&format!("{}: {}", if ask { "asked" } else { "said" }, shortened(&draft.text, 80)));
        id_of(&message, "a new message")
    }

    async fn type_for(&self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            self.link.typing(true);
            let left = until.saturating_duration_since(Instant::now());
            sleep(left.min(TYPING_REPEAT)).await;
            if left <= TYPING_REPEAT {
                return;
            }
        }
    }

    async fn close_session(&self) -> Result<(), HubError> {
        self.hub.post(&format!("/v1/agent/sessions/{}/close", self.session), &json!({})).await.map(drop)
    }
}

/// Two thirds of the pace for a word, four thirds for a paragraph.
fn typing_time(pace: Duration, text: &str) -> Duration {
    let length = u8::try_from(text.chars().count()).unwrap_or(u8::MAX).min(120);
    pace.mul_f64((2.0 + f64::from(length) / 60.0) / 3.0)
}

/// The body of a message.
fn body(draft: &Draft, ask: bool) -> Value {
    let mut body = Map::new();
    body.insert("encryptedContent".to_owned(), seal(&json!({ "text": draft.text })));
    if let Some(components) = &draft.components {
        body.insert("encryptedComponents".to_owned(), seal(components));
    }
    body.insert("priority".to_owned(), json!(draft.priority));
    if ask {
        body.insert("responseRequired".to_owned(), json!(true));
        let deadline = SystemClock.now().plus_seconds(DEADLINE_SECONDS);
        body.insert("deadlineAt".to_owned(), json!(deadline.to_string()));
    }
    Value::Object(body)
}

fn id_of(object: &Value, what: &str) -> Result<String, HubError> {
    object["id"].as_str().map(str::to_owned).ok_or_else(|| HubError::BadReply(what.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;

    #[test]
    fn longer_texts_take_longer_to_type() {
        let pace = Duration::from_millis(1500);
        assert_eq!(typing_time(pace, ""), Duration::from_secs(1));
        assert_eq!(typing_time(pace, &"x".repeat(1000)), Duration::from_secs(2));
        assert_eq!(typing_time(Duration::ZERO, "x"), Duration::ZERO);
    }

    #[test]
    fn questions_have_a_deadline_and_statements_none() {
        let question = body(&lines::approval(true), true);
        assert_eq!(question["responseRequired"], true);
        assert_eq!(question["priority"], "High");
        let deadline = question["deadlineAt"].as_str().and_then(crate::domain::Timestamp::parse).expect("a time");
        assert!(deadline.millis_since(SystemClock.now()) > 29 * 60 * 1000);
        let statement = body(&lines::thanks(), false);
        assert_eq!(statement.get("deadlineAt"), None);
        assert_eq!(statement.get("encryptedComponents"), None);
        assert!(open(&statement["encryptedContent"]).said().is_some());
    }
}
