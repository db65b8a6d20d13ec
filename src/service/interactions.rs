//! Interactions: the older names for a session with one message that requires a response.
//!
//! An interaction's id is that of its session, which stays open when it has settled. Every use case here is a command on
//! that session. A session that was not made as an interaction is not found.

use super::{Answer, messages, resolution, sessions};
use crate::context::Context;
use crate::domain::command::{Acknowledgement, Command};
use crate::domain::principal::AgentPrincipal;
use crate::domain::{Interaction, MessageId, Principal, Refusal, Scope, SessionId};
use crate::protocol::body::{AnswerDraft, BlocksDraft, InteractionDraft};
use crate::store::{Moment, SavedReplyKind};
use crate::timeline::{Idempotency, Outcome};
use std::sync::Arc;

const MISSING: Refusal = Refusal::NotFound("Interaction");

/// Opens an interaction: a session and its question, in one transaction.
pub async fn open(
    app: &Context,
    principal: &Arc<Principal>,
    agent: &AgentPrincipal,
    draft: InteractionDraft,
    idempotency: Option<Idempotency>,
) -> Result<Answer, Refusal> {
    let (mut draft, interaction) = draft.check(app.config.max_field_bytes)?;
    let participants = resolution::of_agent(app, agent, draft.participants.take()).await;
    let interaction = Some(Box::new(interaction));
    let outcome = sessions::open(app, principal, participants, draft, interaction, idempotency).await?;
    as_left(app, principal.scope(), 201, outcome).await
}

/// Cancels a pending interaction.
pub async fn cancel(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    idempotency: Option<Idempotency>,
) -> Result<Answer, Refusal> {
    let command = Command::Cancel(message_of(app, principal, session).await?);
    let outcome = sessions::command(app, principal, session, command, idempotency).await?;
    as_left(app, principal.scope(), 200, outcome).await
}

/// Records that the asking agent has processed the outcome.
pub async fn acknowledge(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    idempotency: Option<Idempotency>,
) -> Result<Answer, Refusal> {
    let message = message_of(app, principal, session).await?;
    let command = Command::Acknowledge(Acknowledgement { message, exclusive: false, of_interaction: true });
    let outcome = sessions::command(app, principal, session, command, idempotency).await?;
    as_left(app, principal.scope(), 200, outcome).await
}

/// Appends a block to an interaction.
pub async fn push_blocks(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    draft: BlocksDraft,
    idempotency: Option<Idempotency>,
) -> Result<Answer, Refusal> {
    let command = Command::PushBlocks(draft.check(app.config.max_field_bytes)?);
    message_of(app, principal, session).await?;
    let outcome = sessions::command(app, principal, session, command, idempotency).await?;
    as_left(app, principal.scope(), 201, outcome).await
}

/// Answers an interaction, which settles it.
pub async fn respond(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    draft: AnswerDraft,
    idempotency: Option<Idempotency>,
) -> Result<Answer, Refusal> {
    let asked = message_of(app, principal, session).await?;
    let posted = messages::post(app, principal, session, draft.to(asked), idempotency).await?;
    let settled = at(app, principal.scope(), session, Moment::Settled).await?;
    Ok(Answer { replayed: posted.replayed, ..Answer::of(200, &settled)? })
}

/// The interaction as it is now.
pub async fn get(app: &Context, principal: &Principal, session: SessionId) -> Result<Interaction, Refusal> {
    at(app, principal.scope(), session, Moment::Now).await
}

/// The message that an interaction asks, where this principal sees it.
pub async fn message_of(app: &Context, principal: &Principal, session: SessionId) -> Result<MessageId, Refusal> {
    app.store.interaction_message(principal.scope(), session).await?.ok_or(MISSING)
}

async fn at(app: &Context, scope: Scope, session: SessionId, moment: Moment) -> Result<Interaction, Refusal> {
    app.store.interaction(scope, session, moment).await?.ok_or(MISSING)
}

/// The interaction as the command left it: the same for every retry with the same `Idempotency-Key`.
async fn as_left(app: &Context, scope: Scope, status: u16, outcome: Outcome) -> Result<Answer, Refusal> {
    let (session, moment, replayed) = match outcome {
        Outcome::Interaction { session, seq } => (session, Moment::Seq(seq), false),
        Outcome::Settled(session, _) => (session, Moment::Settled, false),
        Outcome::Replayed { reply: SavedReplyKind::Interaction(session, seq), .. } => (session, Moment::Seq(seq), true),
        Outcome::Replayed { reply: SavedReplyKind::Settled(session, _), .. } => (session, Moment::Settled, true),
        _ => return Err(Refusal::Internal),
    };
    Ok(Answer { replayed, ..Answer::of(status, &at(app, scope, session, moment).await?)? })
}
