//! What people write in a session while a question waits.

use crate::client::Client;
use crate::e2e::header::Kind;
use crate::error::Error;
use crate::find::Asked;
use crate::noting::is_new_remark;
use crate::question::OnRemark;
use crate::types::{Authenticity, Event, Message, Participant};
use crate::wait::Settled;
use futures::StreamExt as _;
use serde::Deserialize as _;
use std::future::Future;
use std::time::Duration;

/// A reply to the question is a remark unless the question is settled by it, of which the next event tells.
const HOLD: Duration = Duration::from_secs(1);

impl Client {
    /// Waits for `settled`, and passes on what people write meanwhile.
    pub(crate) async fn settled_with_remarks(
        &self,
        asked: &Asked,
        take: &OnRemark,
        settled: impl Future<Output = Result<Settled, Error>>,
    ) -> Result<Settled, Error> {
        let remarks = async {
            let mut events = self.events(asked.session, asked.seq);
            let mut held: Option<Message> = None;
            loop {
                let next = match &held {
                    Some(_) => tokio::time::timeout(HOLD, events.next()).await.ok(),
                    None => Some(events.next().await),
                };
                let event = match next {
                    Some(Some(Ok(event))) => Some(event),
                    // The wait for the answer tells of the error.
                    Some(_) => return,
                    None => None,
                };
                if let Some(message) = held.take()
                    && !event.as_ref().is_some_and(|event| is_settled_by(event, &message))
                {
                    take(&message);
                }
                let Some(message) = event.and_then(written) else { continue };
                match self.is_remark(&message).await {
                    Ok(true) => {}
                    Ok(false) => continue,
                    // The wait for the answer tells of the error.
                    Err(_) => return,
                }
                // An encrypted one is no answer: it says so itself.
                if !self.encrypts() && message.in_reply_to == Some(asked.message) {
                    held = Some(message);
                } else {
                    take(&message);
                }
            }
        };
        tokio::pin!(settled, remarks);
        tokio::select! {
            biased;
            settled = &mut settled => settled,
            () = &mut remarks => settled.await,
        }
    }

    /// Whether a person wrote a message of a session: of those that were opened, one that was signed as a message and
    /// is no copy of an earlier one under another id, also of one that another process has seen. Answers are none.
    /// Without encryption the hub's word counts.
    ///
    /// # Errors
    /// Of the hub, or where it can't be noted that the message was seen.
    pub async fn is_remark(&self, message: &Message) -> Result<bool, Error> {
        if !self.encrypts() {
            return Ok(message.sender_type == "Human");
        }
        let Some(opened) = &message.opened else { return Ok(false) };
        let (Authenticity::Verified, Some(Kind::Message)) = (&opened.authenticity, opened.kind) else {
            return Ok(false);
        };
        // The sender of a verified message is the one who signed it.
        let (Some(sender), Some(digest)) = (message.sender_id(), opened.digest) else { return Ok(false) };
        let identity = self.identity().await?;
        let members = self.members(&identity, message.session_id).await?;
        let is_agent = |member: &Participant| member.agent_id == Some(sender);
        if sender == self.me().await?.id || members.iter().any(is_agent) {
            return Ok(false);
        }
        is_new_remark(&identity, message.id, digest)
    }
}

/// The message of an event, if a person wrote it.
fn written(event: Event) -> Option<Message> {
    let message = event.message.map(|message| *message)?;
    (event.kind == "message.created" && message.sender_agent_id.is_none()).then_some(message)
}

fn is_settled_by(event: &Event, message: &Message) -> bool {
    let answer = uuid::Uuid::deserialize(&event.data["response"]["messageId"]).ok();
    event.kind == "message.completed" && answer == Some(message.id)
}
