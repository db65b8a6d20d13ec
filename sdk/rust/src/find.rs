//! Finds the question of a key that was asked before.

use crate::client::Client;
use crate::drafts::MARK;
use crate::error::Error;
use crate::held::HeldQuestion;
use crate::key::QuestionKey;
use crate::types::{Message, Opened, Session, Timestamp};
use uuid::Uuid;

/// Where a question was asked.
pub(crate) struct Asked {
    pub(crate) session: Uuid,
    pub(crate) message: Uuid,
    /// The place of the question on the timeline, or one before it.
    pub(crate) seq: i64,
    /// What was sealed; none where the encryption is off.
    pub(crate) held: Option<HeldQuestion>,
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
                    let question = Asked { session: found.id, message: found.message_id, seq: 0, held: None };
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
        if session.created_by_agent_id != Some(self.me().await?.id) {
            return Err(Error::invalid("key", format!("names session {id}, which this agent has not opened")));
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
            let is_last = messages.data.len() < messages.page_size as usize;
            for message in &messages.data {
                if !message.response_required || message.sender_agent_id != Some(me) {
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
                return Ok(Some(Asked { session, message: message.id, seq: message.seq, held }));
            }
            if is_last {
                break;
            }
        }
        Ok(None)
    }
}

/// Whether the plain content of a message has this mark.
fn is_marked(message: &Message, mark: &str) -> bool {
    match message.encrypted_content.as_ref().map(|envelope| envelope.open()) {
        Some(Opened::Json(content)) => content[MARK] == mark,
        _ => false,
    }
}
