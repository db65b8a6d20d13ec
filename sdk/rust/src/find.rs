//! Finds the question of a key that was asked before.

use crate::client::{Client, is_last};
use crate::drafts::MARK;
use crate::e2e::identity::Identity;
use crate::error::Error;
use crate::held::HeldQuestion;
use crate::key::QuestionKey;
use crate::noting::{not_noted, note_question};
use crate::question::{Answerer, Question};
use crate::types::{Envelope, Message, Opened, Session, Timestamp, VerifiedQuestion};
use serde_json::json;
use uuid::Uuid;

/// Where a question was asked.
pub(crate) struct Asked {
    pub(crate) session: Uuid,
    pub(crate) message: Uuid,
    /// The place of the question on the timeline, or one before it.
    pub(crate) seq: i64,
    /// What was sealed; none where the encryption is off.
    pub(crate) held: Option<HeldQuestion>,
    /// What it asks.
    pub(crate) view: VerifiedQuestion,
}

/// What was found of a key.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) question: Option<Asked>,
    /// A session of its own that was opened for it.
    pub(crate) session: Option<Uuid>,
}

impl Client {
    /// The question of this key, where it was asked before.
    pub(crate) async fn find(&self, session: Option<Uuid>, key: &QuestionKey) -> Result<Found, Error> {
        if let Some(session) = session {
            return Ok(Found { question: self.find_in(session, key).await?, session: None });
        }
        for id in key.sessions(Timestamp::now().as_millis()) {
            let found = if self.encrypts() {
                match self.own_session(id).await {
                    Ok(_) => Ok(Found { question: self.find_in(id, key).await?, session: Some(id) }),
                    Err(error) => Err(error),
                }
            } else {
                self.interaction(id).await.map(|found| {
                    let question = Asked {
                        session: found.id,
                        message: found.message_id,
                        seq: 0,
                        held: None,
                        view: plain_view(found.encrypted_content.as_ref(), found.encrypted_components.as_ref()),
                    };
                    Found { question: Some(question), session: None }
                })
            };
            match found {
                Ok(found) => return Ok(found),
                Err(error) if error.status == 404 => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Found::default())
    }

    /// A session that this agent has opened.
    pub(crate) async fn own_session(&self, id: Uuid) -> Result<Session, Error> {
        let session = self.session(id).await?;
        if session.id != id || session.created_by_agent_id != Some(self.me().await?.id) {
            let problem = format!("the session of this key ({id}) belongs to another agent: use another key");
            return Err(Error::local("the question", Error::FOREIGN_SESSION, problem));
        }
        Ok(session)
    }

    /// The question of this key among the messages of a session.
    async fn find_in(&self, session: Uuid, key: &QuestionKey) -> Result<Option<Asked>, Error> {
        let me = self.me().await?.id;
        let identity = if self.encrypts() { Some(self.identity().await?) } else { None };
        let mark = key.mark();
        for page in 1.. {
            let messages = self.raw_messages(session, page).await?;
            let is_last = is_last(page, messages.data.len())?;
            for message in &messages.data {
                let is_own = message.response_required && message.sender_agent_id == Some(me);
                if !is_own || message.session_id != session {
                    continue;
                }
                let held = match &identity {
                    Some(identity) => match HeldQuestion::found(identity, me, message) {
                        Ok(held) if held.has_mark(&mark) => Some(held),
                        _ => continue,
                    },
                    None if is_marked(message, &mark) => None,
                    None => continue,
                };
                if let (Some(identity), Some(held)) = (&identity, &held) {
                    note_question(identity, message.id, session, held.asked.digest)?;
                }
                let view = held.as_ref().map_or_else(|| VerifiedQuestion::plain(message), HeldQuestion::question);
                return Ok(Some(Asked { session, message: message.id, seq: message.seq, held, view }));
            }
            if is_last {
                break;
            }
        }
        Ok(None)
    }
}

impl Asked {
    /// Fails where this is another question than the one that is asked now with the same key: an old approval is not
    /// for another question.
    pub(crate) fn same_as(self, question: &Question, identity: Option<&Identity>) -> Result<Self, Error> {
        let mut is_same = self.view.is_same(&question.view());
        if let (Some(held), Some(identity)) = (&self.held, identity) {
            let id = |person: &Answerer| match person {
                Answerer::Id(id) => Ok(Some(*id)),
                Answerer::Email(email) => identity.notes().known_person(email).map_err(|error| not_noted(&error)),
            };
            let named: Option<Vec<Uuid>> = question.named().iter().map(id).collect::<Result<_, _>>()?;
            // Of those who are named some may have had no key.
            if let Some(named) = named.filter(|named| !named.is_empty()) {
                is_same &= held.asked.answerers.iter().all(|id| named.contains(id));
            }
        }
        if is_same {
            return Ok(self);
        }
        let problem = "another question was asked with this key: its text, its components or who may answer it \
                       differ. Use a key for each question";
        let mut error = Error::local("the question", Error::QUESTION_DIFFERS, problem);
        *error.details = json!({ "messageId": self.message, "sessionId": self.session });
        Err(error)
    }
}

/// What a question asks whose encryption is off.
pub(crate) fn plain_view(content: Option<&Envelope>, components: Option<&Envelope>) -> VerifiedQuestion {
    let text = content.and_then(Envelope::content).and_then(|content| content.text);
    let components = match components.map(Envelope::open) {
        Some(Opened::Json(components)) => Some(components),
        _ => None,
    };
    VerifiedQuestion::of(text, components)
}

/// Whether the plain content of a message has this mark.
fn is_marked(message: &Message, mark: &str) -> bool {
    match message.encrypted_content.as_ref().map(|envelope| envelope.open()) {
        Some(Opened::Json(content)) => content[MARK] == mark,
        _ => false,
    }
}
