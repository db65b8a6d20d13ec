//! One conversation: carries out the steps of the script in a session, and passes the session's events to the script.

use super::lines::{Draft, TITLE};
use super::progress::print_progress;
use super::script::{Input, Lapse, Script, Step};
use super::shortened::shortened;
use futures::StreamExt as _;
use hiloop_sdk::{
    Client, Content, Decision, Error, Event, Events, MessageStatus, NewMessage, NewSession, Priority, Timestamp,
};
use serde::de::DeserializeOwned;
use std::collections::{HashSet, VecDeque};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long people have to answer a question.
const DEADLINE: Duration = Duration::from_secs(30 * 60);
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
    client: Client,
    events: Events,
    session: Uuid,
    script: Script,
    /// The next steps.
    steps: VecDeque<Step>,
    /// The question that waits for its answer.
    pending: Option<Uuid>,
    /// Every question so far, to distinguish answers from remarks.
    asked: HashSet<Uuid>,
    pace: Duration,
}

impl Conversation {
    /// Opens a session with every human of the space.
    pub(super) async fn open(client: &Client, pace: Duration) -> Result<Self, Error> {
        let session = client.create_session(NewSession::titled(TITLE).priority(Priority::High)).await?.id;
        print_progress(&format!("opened session {session} “{TITLE}”"));
        Ok(Self {
            client: client.clone(),
            events: client.events(session, 0),
            session,
            script: Script::new(),
            steps: VecDeque::new(),
            pending: None,
            asked: HashSet::new(),
            pace,
        })
    }

    /// Talks until the script has ended, the session is closed, or `stop` is cancelled.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> Result<Ending, Error> {
        let talked = stop.run_until_cancelled(Box::pin(self.talk())).await;
        let ending = match talked {
            Some(Ok(())) => Ending::Finished,
            Some(Err(error)) if error.is("SESSION_CLOSED") => Ending::Finished,
            Some(Err(error)) => return Err(error),
            None => {
                // The program ends: no answer will be read.
                let _ = tokio::time::timeout(FAREWELL, self.close_session()).await;
                Ending::Stopped
            }
        };
        print_progress("the session is closed");
        self.events.close().await;
        Ok(ending)
    }

    async fn talk(&mut self) -> Result<(), Error> {
        // So that people see the typing indicator from the beginning.
        self.events.connection().up_within(LIVE_PATIENCE).await;
        let first = self.script.on(Input::Begin);
        self.steps.extend(first);
        loop {
            // Events that have arrived meanwhile may need a reply before the next step.
            while let Some(event) = self.events.take_ready() {
                if self.notice(event?).await? {
                    return Ok(());
                }
            }
            match self.steps.pop_front() {
                Some(Step::Say(draft)) => {
                    self.send(&draft, false).await?;
                }
                Some(Step::Ask(draft)) => {
                    let question = self.send(&draft, true).await?;
                    self.asked.insert(question);
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
    async fn listen(&mut self) -> Result<bool, Error> {
        let Some(pending) = self.pending else {
            let event = self.events.next().await;
            return self.notice_next(event).await;
        };
        let mut connection = self.events.connection();
        let (client, session) = (&self.client, self.session);
        let settled = async {
            connection.down_for(LIVE_PATIENCE).await;
            client.await_response(session, pending, None).await
        };
        tokio::select! {
            event = self.events.next() => self.notice_next(event).await,
            decision = settled => {
                self.settled(decision)?;
                Ok(false)
            }
        }
    }

    /// The question has settled.
    fn settled(&mut self, decision: Result<Decision, Error>) -> Result<(), Error> {
        match decision {
            Ok(decision) => match decision.status {
                MessageStatus::Completed => self.answered(decision),
                MessageStatus::Expired => self.lapsed(Lapse::Expired),
                _ => self.lapsed(Lapse::Cancelled),
            },
            Err(error) if error.is(Error::UNVERIFIED) || error.is(Error::KEY_CHANGED) => {
                print_progress(&format!("the answer does not count: {}", error.message));
                self.take_answer(Content::default());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Takes in the next item of the stream of events, which ends after an error only.
    async fn notice_next(&mut self, event: Option<Result<Event, Error>>) -> Result<bool, Error> {
        match event {
            Some(event) => self.notice(event?).await,
            None => Ok(true),
        }
    }

    /// Takes in an event of the timeline; true once the session is closed.
    async fn notice(&mut self, event: Event) -> Result<bool, Error> {
        let pending = self.pending.filter(|pending| part::<Uuid>(&event, "messageId") == Some(*pending));
        match (event.kind.as_str(), pending) {
            ("session.closed" | "session.archived", _) => return Ok(true),
            ("message.completed" | "message.expired" | "message.cancelled", Some(question)) => {
                let decision = self.client.await_response(self.session, question, None).await;
                self.settled(decision)?;
            }
            ("message.created", _) if matches!(event.actor.kind.as_str(), "Human" | "Guest") => {
                self.events.read(event.seq);
                let answers = event.message.as_ref().and_then(|message| message.in_reply_to);
                if !answers.is_some_and(|question| self.asked.contains(&question)) {
                    let content = event.message.as_ref().and_then(|message| message.content()).unwrap_or_default();
                    self.remarked(event.actor.name, content);
                }
            }
            _ => {}
        }
        Ok(false)
    }

    fn answered(&mut self, decision: Decision) {
        let name = decision.respondent.map_or_else(|| "a person".to_owned(), |person| person.name);
        let content = Content {
            text: decision.text,
            action: decision.action,
            outcome: decision.outcome,
            values: Some(decision.values),
        };
        print_progress(&format!("{name} answered: {}", content.said().as_deref().unwrap_or("(unreadable)")));
        self.take_answer(content);
    }

    fn take_answer(&mut self, content: Content) {
        self.pending = None;
        let steps = self.script.on(Input::Answer(content));
        self.steps.extend(steps);
    }

    fn lapsed(&mut self, lapse: Lapse) {
        self.pending = None;
        print_progress(if lapse == Lapse::Expired {
            "the question expired without an answer"
        } else {
            "the question was cancelled"
        });
        let steps = self.script.on(Input::Lapsed(lapse));
        self.steps.extend(steps);
    }

    fn remarked(&mut self, name: String, content: Content) {
        print_progress(&format!("{name} wrote: {}", content.said().as_deref().unwrap_or("(unreadable)")));
        let steps = self.script.on(Input::Remark { name, content, asked: self.pending.is_some() });
        for step in steps.into_iter().rev() {
            self.steps.push_front(step);
        }
    }

    /// Types for a while, then posts; returns the message's id.
    async fn send(&self, draft: &Draft, ask: bool) -> Result<Uuid, Error> {
        self.type_for(typing_time(self.pace, &draft.text)).await;
        let message = self.client.send(self.session, message(draft, ask)).await?;
        self.events.typing(false);
        print_progress(&format!("{}: {}", if ask { "asked" } else { "said" }, shortened(&draft.text, 80)));
        Ok(message.id)
    }

    async fn type_for(&self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            self.events.typing(true);
            let left = until.saturating_duration_since(Instant::now());
            sleep(left.min(TYPING_REPEAT)).await;
            if left <= TYPING_REPEAT {
                return;
            }
        }
    }

    async fn close_session(&self) -> Result<(), Error> {
        self.client.close(self.session).await.map(drop)
    }
}

/// Two thirds of the pace for a word, four thirds for a paragraph.
fn typing_time(pace: Duration, text: &str) -> Duration {
    let length = u8::try_from(text.chars().count()).unwrap_or(u8::MAX).min(120);
    pace.mul_f64((2.0 + f64::from(length) / 60.0) / 3.0)
}

/// The message of a draft.
fn message(draft: &Draft, ask: bool) -> NewMessage {
    let mut message = NewMessage::text(&draft.text).priority(draft.priority);
    if let Some(components) = &draft.components {
        message = message.components(components.clone());
    }
    if ask {
        message = message.response_required().deadline_at(Timestamp::after(DEADLINE));
    }
    message
}

/// A part of an event's data; `None` where it is absent or of a later version of the hub.
fn part<T: DeserializeOwned>(event: &Event, key: &str) -> Option<T> {
    T::deserialize(event.data.get(key)?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::lines;
    use super::*;
    use hiloop_sdk::Envelope;

    #[test]
    fn longer_texts_take_longer_to_type() {
        let pace = Duration::from_millis(1500);
        assert_eq!(typing_time(pace, ""), Duration::from_secs(1));
        assert_eq!(typing_time(pace, &"x".repeat(1000)), Duration::from_secs(2));
        assert_eq!(typing_time(Duration::ZERO, "x"), Duration::ZERO);
    }

    #[test]
    fn questions_have_a_deadline_and_statements_none() {
        let body = |draft: &Draft, ask| serde_json::to_value(message(draft, ask)).expect("JSON");
        let question = body(&lines::approval(true), true);
        assert_eq!(question["responseRequired"], true);
        assert_eq!(question["priority"], "High");
        let deadline: Timestamp = serde_json::from_value(question["deadlineAt"].clone()).expect("a time");
        assert!(deadline.as_millis() - Timestamp::now().as_millis() > 29 * 60 * 1000);
        let statement = body(&lines::thanks(), false);
        assert_eq!(statement.get("deadlineAt"), None);
        assert_eq!(statement.get("encryptedComponents"), None);
        let envelope: Envelope = serde_json::from_value(statement["encryptedContent"].clone()).expect("an envelope");
        assert!(envelope.content().and_then(|content| content.said()).is_some());
    }
}
