//! The bodies of the caller, and of the people and agents of a space.

use crate::domain::people::{Agent, Role};
use crate::domain::{KeyEntry, ParticipantType, Permission, PrincipalId, SessionId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// The agent that a key acts as.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentSelf {
    /// Always `Agent`.
    #[serde(rename = "type")]
    pub kind: ParticipantType,
    #[serde(flatten)]
    pub agent: Agent,
    pub permission: Permission,
    /// When the key expires, if it does.
    #[schema(required = true)]
    pub expires_at: Option<Timestamp>,
}

/// A human or a guest. Keys that only the other kind has are null.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonSelf {
    #[serde(rename = "type")]
    pub kind: ParticipantType,
    pub id: PrincipalId,
    pub name: String,
    pub email: Option<String>,
    /// The role of a human in their space; null for a guest.
    pub role: Option<Role>,
    /// The session of a guest.
    pub session_id: Option<SessionId>,
    pub key: Option<Box<KeyEntry>>,
    /// When the token expires.
    pub expires_at: Timestamp,
    pub created_at: Timestamp,
}

/// A person or an agent of the space.
#[derive(Serialize, ToSchema)]
pub struct Contact {
    pub id: PrincipalId,
    pub name: String,
    /// The current entry of their public keys.
    pub key: Option<Box<KeyEntry>>,
}
