//! The answer of a use case that may be retried: JSON with its status.

use crate::context::Context;
use crate::domain::{Message, MessageId, Participant, Refusal, Scope, SessionId};
use crate::store::SavedReplyKind;
use crate::timeline::Outcome;
use serde::Serialize;

/// The answer to a request that may carry an `Idempotency-Key`.
pub struct Answer {
    /// The HTTP status, which is kept with the first reply.
    pub status: u16,
    pub json: String,
    /// Whether it is the first reply to an earlier request with the same key.
    pub replayed: bool,
}

impl Answer {
    pub fn ok(json: String) -> Self {
        Self { status: 200, json, replayed: false }
    }

    pub fn created(json: String) -> Self {
        Self { status: 201, json, replayed: false }
    }

    /// The same answer to a retry.
    #[must_use]
    pub fn replay(self) -> Self {
        Self { replayed: true, ..self }
    }

    /// An answer with the JSON of a value.
    pub fn of<T: Serialize + ?Sized>(status: u16, value: &T) -> Result<Self, Refusal> {
        let json = serde_json::to_string(value).map_err(|_| Refusal::Internal)?;
        Ok(Self { status, json, replayed: false })
    }
}

/// The answer to a command on a session, which the timeline's writer carried out.
pub(super) async fn of_outcome(app: &Context, scope: Scope, outcome: Outcome) -> Result<Answer, Refusal> {
    match outcome {
        Outcome::Session(session) => Answer::of(200, &session),
        Outcome::Settled(session, message) | Outcome::Acknowledged(session, message) => {
            Answer::of(200, &message_of(app, scope, session, message).await?)
        }
        Outcome::Participant { participant, created } => {
            let online = app.hub.online(participant.session_id).await.contains(&participant.principal());
            Answer::of(if created { 201 } else { 200 }, &Participant { online, ..*participant })
        }
        Outcome::Posted { json, .. } => Ok(Answer::created(json)),
        Outcome::Replayed { status, reply } => {
            let answer = match reply {
                SavedReplyKind::Body(json) => Answer { status, json, replayed: true },
                SavedReplyKind::Settled(session, message) => {
                    let message = message_of(app, scope, session, message).await?;
                    // As it was then: its outcome may have been acknowledged since.
                    Answer::of(status, &Message { acknowledged_at: None, ..message })?
                }
                SavedReplyKind::Acknowledged(session, message) => {
                    Answer::of(status, &message_of(app, scope, session, message).await?)?
                }
                SavedReplyKind::Posted(..) | SavedReplyKind::Interaction(..) => return Err(Refusal::Internal),
            };
            Ok(answer.replay())
        }
        Outcome::Removed(_) | Outcome::Interaction { .. } => Err(Refusal::Internal),
    }
}

async fn message_of(app: &Context, scope: Scope, session: SessionId, id: MessageId) -> Result<Message, Refusal> {
    app.store.message(scope, session, id).await?.ok_or(Refusal::NotFound("Message"))
}
