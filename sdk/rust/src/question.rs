//! A question to people.

use crate::drafts::{NewMessage, NewParticipant};
use crate::types::{Priority, Timestamp};
use serde_json::{Map, Value, json};
use std::time::Duration;
use uuid::Uuid;

/// A question to people, for [`Client::ask`](crate::Client::ask). A string is its text.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Question {
    pub(crate) message: NewMessage,
    pub(crate) session: Option<Uuid>,
    /// The fields of a session of its own.
    pub(crate) own_session: Map<String, Value>,
    pub(crate) key: Option<String>,
    pub(crate) deadline_in: Option<Duration>,
    pub(crate) wait: Option<Duration>,
    pub(crate) exclusive: bool,
}

impl Question {
    /// A question of Markdown text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { message: NewMessage::text(text), ..Self::default() }
    }

    /// A question of components: one component node as JSON, such as an `approval` or a `form`.
    pub fn of_components(components: impl Into<Value>) -> Self {
        Self::default().components(components)
    }

    /// A question to approve or reject something.
    pub fn approval(title: impl Into<String>) -> Self {
        Self::of_components(json!({ "type": "approval", "data": { "title": title.into() } }))
    }

    /// Adds components: one component node as JSON.
    pub fn components(mut self, components: impl Into<Value>) -> Self {
        self.message = self.message.components(components);
        self
    }

    /// The session to ask in; one of its own unless given.
    pub fn session(mut self, session: Uuid) -> Self {
        self.session = Some(session);
        self
    }

    /// The title of a session of its own, which the hub can read.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.own_session.insert("title".to_owned(), title.into().into());
        self
    }

    /// Who takes part in a session of its own; every human of the space unless given.
    pub fn participants(mut self, participants: impl IntoIterator<Item = NewParticipant>) -> Self {
        let participants: Vec<NewParticipant> = participants.into_iter().collect();
        self.own_session.insert("participants".to_owned(), json!(participants));
        self
    }

    /// Names the question. The same key asked again, in the same session or both times in one of its own, is the same
    /// question, also in another process and after a restart: for a week in a session of its own, for as long as the
    /// session exists otherwise.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// How urgent it is; `Medium` unless given.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.message = self.message.priority(priority);
        self
    }

    /// When the question expires; in the future.
    pub fn deadline_at(mut self, deadline: impl Into<Timestamp>) -> Self {
        self.message = self.message.deadline_at(deadline);
        self
    }

    /// How long after it was asked the question expires.
    pub fn deadline_in(mut self, time: Duration) -> Self {
        self.deadline_in = Some(time);
        self
    }

    /// The ids of the humans and guests who may answer; every human who takes part unless given.
    pub fn answerers(mut self, answerers: impl IntoIterator<Item = Uuid>) -> Self {
        self.message = self.message.answerers(answerers);
        self
    }

    /// How long to wait for the answer, after which the call fails with `TIMEOUT` and the question stays pending;
    /// without a limit unless given.
    pub fn wait_at_most(mut self, time: Duration) -> Self {
        self.wait = Some(time);
        self
    }

    /// Of several processes that ask with the same key, one gets the decision; the others fail with
    /// `ALREADY_ACKNOWLEDGED`.
    pub fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// The message to send.
    pub(crate) fn to_message(&self) -> NewMessage {
        match self.deadline_in {
            Some(time) => self.message.clone().deadline_at(Timestamp::after(time)),
            None => self.message.clone(),
        }
    }
}

impl<T: Into<String>> From<T> for Question {
    fn from(text: T) -> Self {
        Self::text(text)
    }
}
