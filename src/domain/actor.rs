//! Actors: the `{type, id, name}` on events and responses.

use super::{KeyId, PrincipalId, SpaceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub enum ActorType {
    Agent,
    Human,
    Guest,
    /// The hub itself, for example when a deadline passes.
    System,
}

/// The agent, human, guest or hub that did something; a `System` has no id.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Actor {
    #[serde(rename = "type")]
    pub kind: ActorType,
    pub id: Option<Uuid>,
    pub name: String,
}

impl Actor {
    pub fn system() -> Self {
        Self { kind: ActorType::System, id: None, name: "System".to_owned() }
    }
}

/// The author of a change of the directory: an actor, and the API key that was used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Author {
    #[serde(flatten)]
    pub actor: Actor,
    /// Null where it was done without a key.
    #[serde(default)]
    pub key_id: Option<KeyId>,
}

impl Author {
    /// The command line, which acts for the operator of the hub.
    pub fn command_line() -> Self {
        Self::without_key(Actor { kind: ActorType::System, id: None, name: "Command line".to_owned() })
    }

    /// A key with `owner`, towards another space than its own.
    pub fn hub_owner() -> Self {
        Self::without_key(Actor { kind: ActorType::System, id: None, name: "Owner of the hub".to_owned() })
    }

    /// A key that provisions agents, which acts as none itself.
    pub fn provisioner(key: KeyId) -> Self {
        let actor = Actor { kind: ActorType::System, id: None, name: "Provisioner".to_owned() };
        Self { actor, key_id: Some(key) }
    }

    pub fn without_key(actor: Actor) -> Self {
        Self { actor, key_id: None }
    }
}

/// The sessions that a principal sees. Every look-up of the store takes one, so that scoping happens in the query.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Scope {
    /// Every session of one space (a key with `space` or more).
    Space(SpaceId),
    /// The sessions of one space in which this principal takes part (an agent, a human, a guest).
    Member(SpaceId, PrincipalId),
}

impl Scope {
    /// The principal on whose participation this scope rests; none for a whole space.
    pub fn participant(self) -> Option<PrincipalId> {
        match self {
            Self::Space(_) => None,
            Self::Member(_, id) => Some(id),
        }
    }

    /// The one space that it lies in.
    pub fn space(self) -> SpaceId {
        match self {
            Self::Space(space) | Self::Member(space, _) => space,
        }
    }
}
