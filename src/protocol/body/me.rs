//! The bodies of who the caller is, and of the people and agents of a space.

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
    /// When the key ends, if it does.
    #[schema(required = true)]
    pub expires_at: Option<Timestamp>,
}

/// A human or a guest; who is one has no value for what only the other has.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonSelf {
    #[serde(rename = "type")]
    pub kind: ParticipantType,
    pub id: PrincipalId,
    pub name: String,
    pub email: Option<String>,
    /// What a human may do in their space; none for a guest.
    pub role: Option<Role>,
    /// The one session of a guest.
    pub session_id: Option<SessionId>,
    pub key: Option<Box<KeyEntry>>,
    /// When the token ends.
    pub expires_at: Timestamp,
    pub created_at: Timestamp,
}

/// One of the people or agents of the space.
#[derive(Serialize, ToSchema)]
pub struct Contact {
    pub id: PrincipalId,
    pub name: String,
    /// The current entry of their public keys.
    pub key: Option<Box<KeyEntry>>,
}
