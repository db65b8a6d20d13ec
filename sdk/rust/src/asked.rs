//! Asking and waiting as two steps, for programs that do other work meanwhile.

use crate::client::{Client, is_last};
use crate::error::Error;
use crate::question::Question;
use crate::types::MessageStatus;
use tokio::time::Instant;
use uuid::Uuid;

/// A question that was asked. [`Client::await_response`] waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AskedQuestion {
    /// The session of the question.
    pub session_id: Uuid,
    /// The message that is the question.
    pub message_id: Uuid,
}

impl AskedQuestion {
    /// The question in a message of a session.
    #[must_use]
    pub fn new(session_id: Uuid, message_id: Uuid) -> Self {
        Self { session_id, message_id }
    }
}

impl Client {
    /// Asks people a question without waiting for the answer. With a [`key`](Question::key), it is the question that was
    /// asked with it before, if there is one.
    ///
    /// # Errors
    /// As [`Self::ask`], of asking.
    pub async fn post_question(&self, question: impl Into<Question>) -> Result<AskedQuestion, Error> {
        let question = question.into();
        let end = question.wait.map(|wait| Instant::now() + wait);
        let asked = Box::pin(self.put(&question, end)).await?;
        Ok(AskedQuestion { session_id: asked.session, message_id: asked.message })
    }

    /// The question that this agent has asked with a key: in a session, or in one of its own. Of an own session, for a
    /// week.
    ///
    /// # Errors
    /// Of the hub, or `UNREACHABLE` after the client's timeout.
    pub async fn find_question(&self, session: Option<Uuid>, key: &str) -> Result<Option<AskedQuestion>, Error> {
        for key in self.question_keys(session, key).await? {
            if let Some(asked) = self.find(session, &key).await?.question {
                return Ok(Some(AskedQuestion { session_id: asked.session, message_id: asked.message }));
            }
        }
        Ok(None)
    }

    /// The newest question of this agent in a session: of those that wait for an answer, else of the settled ones.
    ///
    /// # Errors
    /// Of the hub, or `UNREACHABLE` after the client's timeout.
    pub async fn last_question(&self, session: Uuid) -> Result<Option<AskedQuestion>, Error> {
        let me = self.me().await?.id;
        let mut last: Option<(AskedQuestion, bool)> = None;
        for page in 1.. {
            let messages = self.raw_messages(session, page).await?;
            let is_last = is_last(page, messages.data.len())?;
            let own =
                |message: &&crate::types::Message| message.response_required && message.sender_agent_id == Some(me);
            // One that waits for an answer counts before one that has it.
            for message in messages.data.iter().filter(own) {
                let is_pending = message.status == MessageStatus::Pending;
                if is_pending || last.is_none_or(|(_, was_pending)| !was_pending) {
                    last = Some((AskedQuestion { session_id: session, message_id: message.id }, is_pending));
                }
            }
            if is_last {
                break;
            }
        }
        Ok(last.map(|(asked, _)| asked))
    }

    /// The `seq` of this agent's last message in a session; 0 where it has written none.
    ///
    /// # Errors
    /// Of the hub, or `UNREACHABLE` after the client's timeout.
    pub async fn last_written(&self, session: Uuid) -> Result<i64, Error> {
        let me = self.me().await?.id;
        let mut last = 0;
        for page in 1.. {
            let messages = self.raw_messages(session, page).await?;
            let own = messages.data.iter().filter(|message| message.sender_agent_id == Some(me));
            last = own.map(|message| message.seq).max().unwrap_or(last);
            if is_last(page, messages.data.len())? {
                break;
            }
        }
        Ok(last)
    }
}
