//! A question to people.

use crate::drafts::{NewMessage, NewParticipant};
use crate::form;
use crate::types::{Message, Priority, Timestamp, VerifiedQuestion};
use serde_json::{Map, Value, json};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Takes what people write in a session while a question waits.
pub(crate) type OnRemark = Arc<dyn Fn(&Message) + Send + Sync>;

/// A person who may answer: by id (a human or guest) or by e-mail address (a human).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answerer {
    /// The id of a human or guest.
    Id(Uuid),
    /// The e-mail address of a human.
    Email(String),
}

impl From<Uuid> for Answerer {
    fn from(id: Uuid) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for Answerer {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Email(text.to_owned()), Self::Id)
    }
}

impl From<String> for Answerer {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Answerer> for NewParticipant {
    fn from(person: Answerer) -> Self {
        match person {
            Answerer::Id(id) => Self::human_id(id),
            Answerer::Email(email) => Self::human(email),
        }
    }
}

/// A question to people, for [`Client::ask`](crate::Client::ask). A string is the title of an approval.
#[derive(Clone, Default)]
#[must_use]
pub struct Question {
    pub(crate) message: NewMessage,
    pub(crate) session: Option<Uuid>,
    pub(crate) title: Option<String>,
    /// Who takes part in a session of its own.
    pub(crate) participants: Option<Vec<NewParticipant>>,
    /// Who is asked, and nobody else.
    pub(crate) to: Vec<Answerer>,
    pub(crate) answerers: Vec<Answerer>,
    pub(crate) key: Option<String>,
    pub(crate) deadline_in: Option<Duration>,
    pub(crate) wait: Option<Duration>,
    pub(crate) exclusive: bool,
    pub(crate) on_remark: Option<OnRemark>,
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

    /// A question to approve or reject something. The title is that of a session of its own as well.
    pub fn approval(title: impl Into<String>) -> Self {
        let title = title.into();
        Self::of_components(json!({ "type": "approval", "data": { "title": title } })).title(title)
    }

    /// Adds Markdown text.
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.message.text = Some(text.into());
        self
    }

    /// Adds components: one component node as JSON, or a list of them.
    pub fn components(mut self, components: impl Into<Value>) -> Self {
        match components.into() {
            Value::Array(nodes) if nodes.is_empty() => self,
            Value::Array(mut nodes) if nodes.len() == 1 => self.components(nodes.remove(0)),
            Value::Array(nodes) => self.components(json!({ "type": "group", "data": {}, "children": nodes })),
            node => {
                self.message = self.message.components(node);
                self
            }
        }
    }

    /// Offers choices, each a button whose action is its text.
    pub fn choices(self, choices: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let button = |choice: String| json!({ "label": choice, "action": choice, "variant": "secondary" });
        let buttons: Vec<Value> = choices.into_iter().map(|choice| button(choice.into())).collect();
        self.components(json!({ "type": "button_group", "data": { "buttons": buttons } }))
    }

    /// Asks for the values of a form: the data of a `form` component (`{"fields": […]}`), or a JSON Schema of an object
    /// with flat properties. The values of the answer are checked against it.
    pub fn form(self, form: impl Into<Value>) -> Self {
        self.components(form::component(&form.into()))
    }

    /// The session to ask in; one of its own unless given.
    pub fn session(mut self, session: Uuid) -> Self {
        self.session = Some(session);
        self
    }

    /// The title, shown with components that have none, and that of a session of its own. It is sealed unless the
    /// encryption is off.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Who takes part in a session of its own; every human of the space unless given.
    pub fn participants(mut self, participants: impl IntoIterator<Item = NewParticipant>) -> Self {
        self.participants = Some(participants.into_iter().collect());
        self
    }

    /// Who is asked, by e-mail address or id: they alone can read the question and answer it. They take part in its
    /// session. Everyone who takes part is asked unless given.
    pub fn to(mut self, people: impl IntoIterator<Item = impl Into<Answerer>>) -> Self {
        self.to = people.into_iter().map(Into::into).collect();
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

    /// Who may answer, by id or e-mail address: of those whom [`Self::to`] names, if it does. Unless given, all of
    /// those, or every human who takes part; a guest answers only where the guest is named.
    pub fn answerers(mut self, answerers: impl IntoIterator<Item = impl Into<Answerer>>) -> Self {
        self.answerers = answerers.into_iter().map(Into::into).collect();
        self
    }

    /// Called with each message that people write in the session while the question waits.
    pub fn on_remark(mut self, take: impl Fn(&Message) + Send + Sync + 'static) -> Self {
        self.on_remark = Some(Arc::new(take));
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
        let mut message = self.message.clone().response_required();
        message.components = self.titled();
        match self.deadline_in {
            Some(time) => message.deadline_at(Timestamp::after(time)),
            None => message,
        }
    }

    /// What it asks.
    pub(crate) fn view(&self) -> VerifiedQuestion {
        VerifiedQuestion::of(self.message.text.clone(), self.titled())
    }

    /// The components below the title, unless they show one: what is signed has the title.
    fn titled(&self) -> Option<Value> {
        let node = self.message.components.clone()?;
        match &self.title {
            Some(title) if !node["data"]["title"].is_string() => {
                Some(json!({ "type": "group", "data": { "title": title }, "children": [node] }))
            }
            _ => Some(node),
        }
    }

    /// Who may answer, as far as they are named.
    pub(crate) fn named(&self) -> &[Answerer] {
        if self.answerers.is_empty() { &self.to } else { &self.answerers }
    }

    /// The fields of a session of its own that the hub reads.
    pub(crate) fn own_session(&self) -> Map<String, Value> {
        let to = self.to.iter().cloned().map(NewParticipant::from);
        let people: Vec<NewParticipant> = self.participants.iter().flatten().cloned().chain(to).collect();
        let is_named = self.participants.is_some() || !self.to.is_empty();
        let participants = is_named.then(|| ("participants".to_owned(), json!(people)));
        participants.into_iter().collect()
    }
}

impl<T: Into<String>> From<T> for Question {
    fn from(title: T) -> Self {
        Self::approval(title)
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the content.
        f.debug_struct("Question").field("session", &self.session).field("key", &self.key).finish_non_exhaustive()
    }
}
