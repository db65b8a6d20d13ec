//! What people write in a session while a question waits.

use crate::client::Client;
use crate::error::Error;
use crate::find::Asked;
use crate::question::OnRemark;
use crate::types::{Event, Message};
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
        settled: impl Future<Output = Result<Message, Error>>,
    ) -> Result<Message, Error> {
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
                if message.in_reply_to == Some(asked.message) {
                    held = Some(message);
                } else {
                    take(&message);
                }
            }
        };
        tokio::pin!(settled, remarks);
        tokio::select! {
            biased;
            message = &mut settled => message,
            () = &mut remarks => settled.await,
        }
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
