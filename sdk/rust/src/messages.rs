//! Calls on messages: send, cancel, acknowledge, and the answers that were not taken yet.

use crate::call::Call;
use crate::client::{Client, PAGE_SIZE, page_of};
use crate::drafts::NewMessage;
use crate::error::Error;
use crate::sessions::at;
use crate::types::{Message, Page};
use serde_json::{Value, json};
use uuid::Uuid;

/// # Messages
///
/// Each call fails with an error of the hub, or with `UNREACHABLE` after the client's timeout.
impl Client {
    /// Sends a message, once, however often the network or a restart of the hub interrupts it.
    pub async fn send(&self, session: Uuid, message: impl Into<NewMessage>) -> Result<Message, Error> {
        let message = message.into();
        if !self.encrypts() {
            let body = message.body(None).into();
            return self.call(Call::post(at(session, "/messages"), body, message.idempotency_key)).await;
        }
        let identity = self.identity().await?;
        let members = self.members(&identity, session).await?;
        let body = self.seal_body(&identity, session, &members, &message, None).await?;
        let call = Call::post(at(session, "/messages"), Value::Object(body.body), message.idempotency_key);
        let sent: Message = self.call(call).await?;
        self.note_sent(&identity, &body.sealed, session, &sent).await?;
        Ok(sent)
    }

    /// A message, opened as far as it can be.
    pub async fn message(&self, session: Uuid, message: Uuid) -> Result<Message, Error> {
        let id = message;
        let mut message: Message = self.call(Call::get(at_message(session, id, ""))).await?;
        self.check_reply(&message, session, Some(id))?;
        self.open_all(session, std::slice::from_mut(&mut message)).await?;
        Ok(message)
    }

    /// A page of the messages of a session, oldest first, 100 on each, opened as far as they can be. Pages count from
    /// 1.
    pub async fn messages(&self, session: Uuid, page: u32) -> Result<Page<Message>, Error> {
        let mut messages = self.raw_messages(session, page).await?;
        self.open_all(session, &mut messages.data).await?;
        Ok(messages)
    }

    /// All messages of a session, oldest first, opened as far as they can be.
    ///
    /// # Errors
    /// Of the hub, `UNREACHABLE` after the client's timeout, or that of a list that does not end.
    pub async fn all_messages(&self, session: Uuid) -> Result<Vec<Message>, Error> {
        let mut messages: Vec<Message> = self.all(&at(session, "/messages")).await?;
        self.open_all(session, &mut messages).await?;
        Ok(messages)
    }

    pub(crate) async fn raw_messages(&self, session: Uuid, page: u32) -> Result<Page<Message>, Error> {
        self.call(Call::get(page_of(&at(session, "/messages"), page, PAGE_SIZE))).await
    }

    /// Takes back a pending question; `ALREADY_SETTLED` if it is not pending.
    pub async fn cancel(&self, session: Uuid, message: Uuid) -> Result<Message, Error> {
        self.call(Call::post(at_message(session, message, "/cancel"), json!({}), None)).await
    }

    /// Takes the outcome of a settled question. With `exclusive`, of several processes only the first one succeeds; the
    /// others fail with `ALREADY_ACKNOWLEDGED`. [`Client::ask`] does this itself.
    pub async fn acknowledge(&self, session: Uuid, message: Uuid, exclusive: bool) -> Result<Message, Error> {
        let body = json!({ "exclusive": exclusive });
        self.call(Call::post(at_message(session, message, "/acknowledge"), body, None)).await
    }
}

/// A path below a message.
pub(crate) fn at_message(session: Uuid, message: Uuid, path: &str) -> String {
    at(session, &format!("/messages/{message}{path}"))
}
