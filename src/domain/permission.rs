//! Permissions of API keys.

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// The permission of an API key: `agent` acts on the sessions in which its agent takes part, `space` on every session of the
/// space, `manage` also on its keys, agents and people, `owner` also on spaces. Each includes the ones before it.
/// `provision` is separate: it only creates agents.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Permission {
    /// Provisions agents and nothing else; below everything.
    Provision,
    Agent,
    Space,
    Manage,
    Owner,
}

impl Permission {
    pub const ALL: &[Self] = &[Self::Provision, Self::Agent, Self::Space, Self::Manage, Self::Owner];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provision => "provision",
            Self::Agent => "agent",
            Self::Space => "space",
            Self::Manage => "manage",
            Self::Owner => "owner",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|p| p.as_str() == text)
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
