//! Principals: the caller that a valid credential authenticates, and its permission.

use super::people::Role;
use super::{
    Actor, ActorType, AgentId, Author, GuestId, HumanId, KeyId, Permission, PrincipalId, Scope, SessionId, SpaceId,
    Timestamp,
};
use uuid::Uuid;

/// An API key acting as one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentPrincipal {
    pub space: SpaceId,
    pub agent: AgentId,
    pub name: String,
    pub key: KeyId,
    pub permission: Permission,
    /// Whether the agent is the key's own, rather than one that `X-Hiloop` names.
    pub is_own: bool,
    pub expires_at: Option<Timestamp>,
}

impl AgentPrincipal {
    pub fn author(&self) -> Author {
        let actor = Actor { kind: ActorType::Agent, id: Some(self.agent.0), name: self.name.clone() };
        Author { actor, key_id: Some(self.key) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HumanPrincipal {
    pub id: HumanId,
    pub space: SpaceId,
    pub name: String,
    pub email: String,
    pub role: Role,
    /// The sign-in that issued the token; none for a token of an external issuer or of the command line.
    pub sign_in: Option<Uuid>,
    pub expires_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestPrincipal {
    pub id: GuestId,
    pub space: SpaceId,
    pub session: SessionId,
    pub name: String,
    pub expires_at: Timestamp,
}

/// Who is asking. A key that may only provision agents is no principal of sessions and so is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    Agent(AgentPrincipal),
    Human(HumanPrincipal),
    Guest(GuestPrincipal),
}

impl Principal {
    pub fn id(&self) -> PrincipalId {
        match self {
            Self::Agent(a) => a.agent.into(),
            Self::Human(h) => h.id.into(),
            Self::Guest(g) => g.id.into(),
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Agent(a) => &a.name,
            Self::Human(h) => &h.name,
            Self::Guest(g) => &g.name,
        }
    }

    pub fn actor(&self) -> Actor {
        let kind = match self {
            Self::Agent(_) => ActorType::Agent,
            Self::Human(_) => ActorType::Human,
            Self::Guest(_) => ActorType::Guest,
        };
        Actor { kind, id: Some(self.id().0), name: self.name().to_owned() }
    }

    /// The actor with the key of the request, as the author of what it creates.
    pub fn author(&self) -> Author {
        let key_id = match self {
            Self::Agent(agent) => Some(agent.key),
            Self::Human(_) | Self::Guest(_) => None,
        };
        Author { actor: self.actor(), key_id }
    }

    /// The sessions that this principal may see.
    pub fn scope(&self) -> Scope {
        match self {
            Self::Agent(a) if a.permission >= Permission::Space => Scope::Space(a.space),
            Self::Agent(a) => Scope::Member(a.space, a.agent.into()),
            Self::Human(h) => Scope::Member(h.space, h.id.into()),
            Self::Guest(g) => Scope::Member(g.space, g.id.into()),
        }
    }

    /// When the credential ends; none for a key without an end.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Self::Agent(a) => a.expires_at,
            Self::Human(h) => Some(h.expires_at),
            Self::Guest(g) => Some(g.expires_at),
        }
    }

    /// The one space that this principal belongs to.
    pub fn space(&self) -> SpaceId {
        match self {
            Self::Agent(a) => a.space,
            Self::Human(h) => h.space,
            Self::Guest(g) => g.space,
        }
    }

    /// Everything whose revocation ends this principal's sockets: its key or sign-in, its agent, human or guest, its
    /// space.
    pub fn revocable(&self) -> [Option<Uuid>; 3] {
        match self {
            Self::Agent(a) => [Some(a.key.0), Some(a.agent.0), Some(a.space.0)],
            Self::Human(h) => [Some(h.id.0), Some(h.space.0), Some(h.sign_in.unwrap_or(h.id.without_sign_in()))],
            Self::Guest(g) => [Some(g.id.0), Some(g.space.0), None],
        }
    }

    /// Whether this is a person (a human or guest), whose reply to a pending message settles it.
    pub fn is_person(&self) -> bool {
        !matches!(self, Self::Agent(_))
    }
}

/// A manager of a space: a key with `manage` or more, or a human who is an admin, who has just `manage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagerPrincipal {
    pub space: SpaceId,
    /// It grants no higher permission.
    pub permission: Permission,
    pub actor: Actor,
    /// The key that is used; none for a human.
    pub key: Option<KeyId>,
    /// The scope of Idempotency-Keys: the id of the key or of the human.
    pub credential: Uuid,
}

impl ManagerPrincipal {
    /// The actor with the key of the request, as the author of what it creates.
    pub fn author(&self) -> Author {
        Author { actor: self.actor.clone(), key_id: self.key }
    }

    /// The manager that a principal is, if it is one.
    pub fn of(principal: &Principal) -> Option<Self> {
        let (permission, key, credential) = match principal {
            Principal::Agent(a) if a.permission >= Permission::Manage => (a.permission, Some(a.key), a.key.0),
            Principal::Human(h) if h.role == Role::Admin => (Permission::Manage, None, h.id.0),
            _ => return None,
        };
        Some(Self { space: principal.space(), permission, actor: principal.actor(), key, credential })
    }
}
