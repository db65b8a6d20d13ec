//! Participants: who can see a session.

use super::words::words;
use super::{Actor, ActorType, AgentId, GuestId, HumanId, KeyEntry, ParticipantId, PrincipalId, SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

words! {
    ParticipantType { Agent, Human, Guest }
}

impl ParticipantType {
    fn actor(self) -> ActorType {
        match self {
            Self::Agent => ActorType::Agent,
            Self::Human => ActorType::Human,
            Self::Guest => ActorType::Guest,
        }
    }
}

/// An agent or human as a request names one, to be found in a space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MemberRef {
    AgentId(AgentId),
    AgentName(String),
    HumanId(HumanId),
    HumanEmail(String),
}

/// Who takes part in a session; of the three ids the one that its type names is set.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    pub id: ParticipantId,
    pub session_id: SessionId,
    #[serde(rename = "type")]
    pub kind: ParticipantType,
    pub agent_id: Option<AgentId>,
    pub human_id: Option<HumanId>,
    pub guest_id: Option<GuestId>,
    pub name: String,
    pub role: String,
    /// The current entry of their public keys.
    #[serde(default)]
    pub key: Option<Box<KeyEntry>>,
    /// Who made it a participant; null for the participant that opened the session.
    pub invited_by: Option<Actor>,
    /// How far it has read.
    #[schema(minimum = 0)]
    pub last_read_seq: i64,
    /// Whether a socket of theirs is subscribed to the session at this moment.
    pub online: bool,
    pub added_at: Timestamp,
}

impl Participant {
    /// The role of the participant who opened the session, and the default role of the others.
    pub const OWNER: &str = "owner";
    pub const MEMBER: &str = "member";

    pub fn new(session: SessionId, member: &Member, role: &str, invited_by: Option<Actor>, at: Timestamp) -> Self {
        let id = |kind| (member.kind == kind).then_some(member.id.0);
        Self {
            id: ParticipantId::new(),
            session_id: session,
            kind: member.kind,
            agent_id: id(ParticipantType::Agent).map(AgentId),
            human_id: id(ParticipantType::Human).map(HumanId),
            guest_id: id(ParticipantType::Guest).map(GuestId),
            name: member.name.clone(),
            role: role.to_owned(),
            key: member.key.clone(),
            invited_by,
            last_read_seq: 0,
            online: false,
            added_at: at,
        }
    }

    pub fn actor(&self) -> Actor {
        Actor { kind: self.kind.actor(), id: Some(self.principal().0), name: self.name.clone() }
    }

    /// The agent, human or guest that takes part.
    pub fn principal(&self) -> PrincipalId {
        let ids: [Option<Uuid>; 3] =
            [self.agent_id.map(Into::into), self.human_id.map(Into::into), self.guest_id.map(Into::into)];
        PrincipalId(ids.into_iter().flatten().next().unwrap_or_default())
    }
}

/// The facts about a participation that rules need.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Participation {
    pub id: ParticipantId,
    pub invited_by: Option<Actor>,
    /// Of a guest: the agent whose questions they may answer; none for those of every agent.
    pub answers_agent: Option<AgentId>,
}

/// A name that a participant of the session has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakenName {
    pub kind: ParticipantType,
    pub name: String,
    pub invited_by: Option<Actor>,
}

impl TakenName {
    /// Whether this is a guest that `actor` has invited.
    fn is_guest_of(&self, actor: &Actor) -> bool {
        let inviter = self.invited_by.as_ref().filter(|_| self.kind == ParticipantType::Guest);
        inviter.is_some_and(|inviter| (inviter.kind, inviter.id) == (actor.kind, actor.id))
    }

    /// Whether `member`, added by `actor`, must have another name. People and agents bring their names with them, which
    /// may be alike; a guest is known by the one that their inviter gave them. An inviter may give it twice: a second
    /// link for the same guest.
    pub fn excludes(&self, member: &Member, actor: &Actor) -> bool {
        match member.kind {
            ParticipantType::Guest => !self.is_guest_of(actor),
            _ => self.kind == ParticipantType::Guest,
        }
    }
}

/// Someone who may be made a participant: an agent, human or guest of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub kind: ParticipantType,
    pub id: PrincipalId,
    pub name: String,
    pub key: Option<Box<KeyEntry>>,
}

impl Member {
    pub fn actor(&self) -> Actor {
        Actor { kind: self.kind.actor(), id: Some(self.id.0), name: self.name.clone() }
    }
}
