//! Sessions: open, change, close, archive; and any command on one.

use super::idempotency::recall;
use super::resolution::{self, FirstParticipants};
use super::{Answer, answer};
use crate::context::Context;
use crate::domain::command::Command;
use crate::domain::interaction::NewInteraction;
use crate::domain::principal::{AgentPrincipal, HumanPrincipal};
use crate::domain::{
    AgentId, HumanId, Participant, ParticipantType, Principal, Priority, Refusal, Session, SessionId, SessionStatus,
    SpaceId,
};
use crate::protocol::body::{SessionChange, SessionDraft};
use crate::store::SavedReplyKind;
use crate::timeline::{Action, By, Idempotency, Outcome, Request};
use std::sync::Arc;

/// Carries out a command of a principal on a session.
pub(super) async fn command(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    command: Command,
    idempotency: Option<Idempotency>,
) -> Result<Outcome, Refusal> {
    let space = principal.space();
    let by = By::Principal(Arc::clone(principal));
    let action = app.space_bytes.within(space, Action::Command(command));
    app.timeline.submit(Request { space, session, by, action, idempotency }).await
}

/// Carries out a command of the hub itself, which no quota bounds.
pub(super) async fn system_command(
    app: &Context,
    space: SpaceId,
    session: SessionId,
    command: Command,
) -> Result<Outcome, Refusal> {
    let action = Action::Command(command);
    app.timeline.submit(Request { space, session, by: By::System, action, idempotency: None }).await
}

/// Opens a session of an agent.
pub async fn open_by_agent(
    app: &Context,
    principal: &Arc<Principal>,
    agent: &AgentPrincipal,
    mut draft: SessionDraft,
    idempotency: Option<Idempotency>,
) -> Result<Answer, Refusal> {
    draft.check_plain_fields(app.config.max_field_bytes)?;
    let participants = resolution::of_agent(app, agent, draft.participants.take()).await;
    opened(open(app, principal, participants, draft, None, idempotency).await?)
}

/// Opens a session of a human.
pub async fn open_by_human(
    app: &Context,
    principal: &Arc<Principal>,
    human: &HumanPrincipal,
    mut draft: SessionDraft,
    idempotency: Option<Idempotency>,
) -> Result<Answer, Refusal> {
    draft.check_plain_fields(app.config.max_field_bytes)?;
    let named = draft.participants.take().ok_or_else(|| Refusal::required("participants"))?;
    let participants = resolution::of_human(app, human, &named).await;
    opened(open(app, principal, participants, draft, None, idempotency).await?)
}

/// Opens a session with its first participants, if they could be resolved, and with its question if it is an interaction.
pub(super) async fn open(
    app: &Context,
    principal: &Arc<Principal>,
    participants: Result<FirstParticipants, Refusal>,
    draft: SessionDraft,
    interaction: Option<Box<NewInteraction>>,
    idempotency: Option<Idempotency>,
) -> Result<Outcome, Refusal> {
    match participants.and_then(|participants| NewSession::new(app, participants, draft)) {
        Ok(new) => new.submit(app, principal, interaction, idempotency).await,
        Err(refusal) => recall(app, principal, idempotency, refusal).await,
    }
}

/// A session that is to be created, with its first participants; the creator is one of them.
struct NewSession {
    session: Box<Session>,
    has_chosen_id: bool,
    participants: Vec<Participant>,
}

impl NewSession {
    fn new(app: &Context, participants: FirstParticipants, draft: SessionDraft) -> Result<Self, Refusal> {
        let FirstParticipants { space, creator, others } = participants;
        let now = app.clock.now();
        let chosen = draft.id.map(|id| id.check_chosen(now)).transpose()?;
        let patch = draft.check(app.config.max_field_bytes)?;
        let id = chosen.unwrap_or_default();
        let by_agent = creator.kind == ParticipantType::Agent;
        let mut participants = vec![Participant::new(id, &creator, Participant::OWNER, None, now)];
        for (member, role) in others {
            if participants.iter().all(|present| present.principal() != member.id) {
                participants.push(Participant::new(id, &member, &role, Some(creator.actor()), now));
            }
        }
        let session = Box::new(Session {
            id,
            space_id: space,
            created_by_agent_id: by_agent.then_some(AgentId(creator.id.0)),
            created_by_human_id: (!by_agent).then_some(HumanId(creator.id.0)),
            title: patch.title.flatten(),
            encrypted_title: patch.encrypted_title.flatten(),
            status: SessionStatus::Active,
            priority: patch.priority.unwrap_or(Priority::Medium),
            metadata: patch.metadata.flatten(),
            last_seq: 0,
            pending_count: 0,
            created_at: now,
            updated_at: now,
            closed_at: None,
            archived_at: None,
            first_seq: 1,
            message_count: 0,
        });
        Ok(Self { session, has_chosen_id: chosen.is_some(), participants })
    }

    async fn submit(
        self,
        app: &Context,
        principal: &Arc<Principal>,
        interaction: Option<Box<NewInteraction>>,
        idempotency: Option<Idempotency>,
    ) -> Result<Outcome, Refusal> {
        let (space, session) = (self.session.space_id, self.session.id);
        let action = Action::Create {
            session: self.session,
            has_chosen_id: self.has_chosen_id,
            participants: self.participants,
            interaction,
        };
        let by = By::Principal(Arc::clone(principal));
        let action = app.space_bytes.within(space, action);
        app.timeline.submit(Request { space, session, by, action, idempotency }).await
    }
}

/// The answer to a session that was opened.
fn opened(outcome: Outcome) -> Result<Answer, Refusal> {
    match outcome {
        Outcome::Session(session) => Answer::of(201, &session),
        Outcome::Replayed { reply: SavedReplyKind::Body(body), .. } => Ok(Answer::created(body).replay()),
        _ => Err(Refusal::Internal),
    }
}

/// Changes a session.
pub async fn update(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    change: SessionChange,
) -> Result<Answer, Refusal> {
    let patch = change.check(app.config.max_field_bytes)?;
    let outcome = command(app, principal, session, Command::Update(patch), None).await?;
    answer::of_outcome(app, principal.scope(), outcome).await
}

/// Closes a session, which cancels its pending messages.
pub async fn close(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    idempotency: Option<Idempotency>,
) -> Result<Answer, Refusal> {
    let outcome = command(app, principal, session, Command::Close, idempotency).await?;
    answer::of_outcome(app, principal.scope(), outcome).await
}

/// Archives a session, which closes it first.
pub async fn archive(
    app: &Context,
    principal: &Arc<Principal>,
    session: SessionId,
    idempotency: Option<Idempotency>,
) -> Result<Answer, Refusal> {
    let outcome = command(app, principal, session, Command::Archive, idempotency).await?;
    answer::of_outcome(app, principal.scope(), outcome).await
}
