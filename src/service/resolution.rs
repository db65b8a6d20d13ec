//! Participant resolution: from the agents and humans that a request names to members of one space.

use crate::context::Context;
use crate::domain::participant::{Member, MemberRef};
use crate::domain::principal::{AgentPrincipal, HumanPrincipal};
use crate::domain::{HumanId, Participant, Refusal, SpaceId};
use crate::protocol::body::ParticipantDraft;

/// A session without `participants` gets every human of its space, unless there are more than so many.
const MAX_DEFAULT_HUMANS: i64 = 500;

/// Requests with more names than this are looked up one after the other.
const MANY: usize = 64;

/// The participants of a session from its start.
pub(super) struct FirstParticipants {
    pub(super) space: SpaceId,
    pub(super) creator: Member,
    /// The others, with their roles.
    pub(super) others: Vec<(Member, String)>,
}

/// Finds the agent or human that a draft names in a space; `field` is the path of the draft in its body.
pub(super) async fn resolve(
    app: &Context,
    space: SpaceId,
    draft: &ParticipantDraft,
    field: &str,
) -> Result<Member, Refusal> {
    let named = draft.named(field)?;
    let mut found = app.store.members_named(space, std::slice::from_ref(&named)).await?;
    found.remove(&named).ok_or_else(|| missing(&named))
}

/// The same for all that a request names, in their order and with their roles. All are checked before any is looked up.
async fn resolve_all(
    app: &Context,
    space: SpaceId,
    drafts: &[ParticipantDraft],
) -> Result<Vec<(Member, String)>, Refusal> {
    let named: Vec<MemberRef> =
        drafts.iter().enumerate().map(|(index, draft)| draft.named(&field(index))).collect::<Result<_, _>>()?;
    let _turn = if named.len() > MANY { app.body_memory.name_lookups.acquire().await.ok() } else { None };
    let found = app.store.members_named(space, &named).await?;
    let members = named.iter().zip(drafts).map(|(named, draft)| {
        let member = found.get(named).cloned().ok_or_else(|| missing(named))?;
        Ok((member, draft.role.clone().unwrap_or_else(|| Participant::MEMBER.to_owned())))
    });
    members.collect()
}

fn missing(named: &MemberRef) -> Refusal {
    Refusal::NotFound(match named {
        MemberRef::AgentId(_) | MemberRef::AgentName(_) => "Agent",
        MemberRef::HumanId(_) | MemberRef::HumanEmail(_) => "Human",
    })
}

async fn member_of_space(app: &Context, space: SpaceId, human: HumanId) -> Result<Member, Refusal> {
    let human = app.store.human_in_space(space, human).await?;
    Ok(human.ok_or(Refusal::NotFound("Human"))?.member())
}

fn field(index: usize) -> String {
    format!("participants[{index}]")
}

/// The first participants of an agent's session: the agent, and the ones it names, else every human of the space.
pub(super) async fn of_agent(
    app: &Context,
    agent: &AgentPrincipal,
    named: Option<Vec<ParticipantDraft>>,
) -> Result<FirstParticipants, Refusal> {
    let others = match named {
        None => {
            let humans = app.store.all_humans(agent.space, MAX_DEFAULT_HUMANS).await?.ok_or_else(|| {
                Refusal::invalid(
                    "participants",
                    &format!("is required in a space of more than {MAX_DEFAULT_HUMANS} humans"),
                )
            })?;
            humans.iter().map(|human| (human.member(), Participant::MEMBER.to_owned())).collect()
        }
        Some(named) => resolve_all(app, agent.space, &named).await?,
    };
    let creator = app.store.agent(agent.space, agent.agent).await?.ok_or(Refusal::NotFound("Agent"))?.member();
    Ok(FirstParticipants { space: agent.space, creator, others })
}

/// The first participants of a human's session: the human, and the ones they name, at least one agent among them.
pub(super) async fn of_human(
    app: &Context,
    human: &HumanPrincipal,
    named: &[ParticipantDraft],
) -> Result<FirstParticipants, Refusal> {
    let mut agents = 0;
    for (index, draft) in named.iter().enumerate() {
        match draft.named(&field(index))? {
            MemberRef::AgentId(_) | MemberRef::AgentName(_) => agents += 1,
            MemberRef::HumanId(_) | MemberRef::HumanEmail(_) => {}
        }
    }
    if agents == 0 {
        return Err(Refusal::invalid("participants", "must name at least one agent"));
    }
    let others = resolve_all(app, human.space, named).await?;
    let creator = member_of_space(app, human.space, human.id).await?;
    Ok(FirstParticipants { space: human.space, creator, others })
}
