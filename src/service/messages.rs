//! Messages of a session: post, cancel, acknowledge, expire.

use super::{Answer, answer, sessions};
use crate::context::Context;
use crate::domain::command::{Acknowledgement, Command};
use crate::domain::{Message, MessageId, MessageStatus, Principal, Refusal, SessionId};
use crate::protocol::body::MessageDraft;
use crate::store::{DueMessage, SavedReplyKind};
use crate::timeline::{Idempotency, Outcome};
use std::sync::Arc;

/// Posts a message; durable when this returns.
pub async fn post(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    draft: MessageDraft,
    idempotency: Option<Idempotency>,
) -> Result<Answer, Refusal> {
    let message = draft.check(principal.is_person(), app.config.max_field_bytes)?;
    match sessions::command(app, principal, session, Command::Post(message), idempotency).await? {
        Outcome::Posted { json, last_seq, reader } => {
            if let Some(reader) = reader {
                app.hub.send_receipt(session, reader, last_seq);
            }
            Ok(Answer::created(json))
        }
        Outcome::Replayed { reply: SavedReplyKind::Posted(session, id), .. } => {
            let message = app.store.message(principal.scope(), session, id).await?;
            let first = as_first_posted(message.ok_or(Refusal::NotFound("Session"))?);
            Ok(Answer::of(201, &first)?.replay())
        }
        _ => Err(Refusal::Internal),
    }
}

/// A message as it was when it was posted.
fn as_first_posted(mut message: Message) -> Message {
    if message.response_required {
        message.status = MessageStatus::Pending;
    }
    message.outcome = None;
    message.response = None;
    message.acknowledged_at = None;
    message.updated_at = message.created_at;
    message
}

/// Cancels a pending message.
pub async fn cancel(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    message: MessageId,
    idempotency: Option<Idempotency>,
) -> Result<Answer, Refusal> {
    let outcome = sessions::command(app, principal, session, Command::Cancel(message), idempotency).await?;
    answer::of_outcome(app, principal.scope(), outcome).await
}

/// Records that the asking agent has processed the outcome of a question. With `exclusive` all but the first are refused.
pub async fn acknowledge(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    message: MessageId,
    exclusive: bool,
    idempotency: Option<Idempotency>,
) -> Result<Answer, Refusal> {
    let command = Command::Acknowledge(Acknowledgement { message, exclusive, of_interaction: false });
    let outcome = sessions::command(app, principal, session, command, idempotency).await?;
    answer::of_outcome(app, principal.scope(), outcome).await
}

/// Expires a message whose deadline has passed. One that has settled meanwhile is refused.
pub async fn expire(app: &Context, due: &DueMessage) -> Result<(), Refusal> {
    sessions::system_command(app, due.space, due.session, Command::Expire(due.message)).await.map(drop)
}
