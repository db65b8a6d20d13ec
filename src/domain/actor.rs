//! Who did something: the `{type, id, name}` on events and responses.

use super::{PrincipalId, SpaceId};
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

/// Who did something; a `System` has no id.
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

/// How far a principal sees. Every look-up of the store takes one, so that scoping happens in the query.
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
