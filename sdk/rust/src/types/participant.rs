//! Participants of a session, and the people and agents of a space.

use super::actor::Actor;
use super::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// A participant of a session. Of the three ids, the one that `kind` names is set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Participant {
    /// The id of the participation.
    pub id: Uuid,
    /// The session's id.
    pub session_id: Uuid,
    /// `Agent`, `Human` or `Guest`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The agent's id.
    pub agent_id: Option<Uuid>,
    /// The human's id.
    pub human_id: Option<Uuid>,
    /// The guest's id.
    pub guest_id: Option<Uuid>,
    /// The name.
    pub name: String,
    /// `owner`, `member`, or a role of the application.
    pub role: String,
    /// The public keys, as the hub's encryption page describes them; null where there are none.
    #[serde(default)]
    pub key: Value,
    /// Who added the participant; none for the one who opened the session.
    pub invited_by: Option<Actor>,
    /// The `seq` up to which the participant has read.
    pub last_read_seq: i64,
    /// Whether a live connection of the participant is subscribed to the session.
    pub online: bool,
    /// When the participant was added.
    pub added_at: Timestamp,
}

impl Participant {
    /// The id of the agent, human or guest.
    #[must_use]
    pub fn principal_id(&self) -> Option<Uuid> {
        self.agent_id.or(self.human_id).or(self.guest_id)
    }
}

/// One of the people or agents of a space.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Contact {
    /// The id.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// The public keys; null where there are none.
    #[serde(default)]
    pub key: Value,
}

/// The agent that a client acts as, and its key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Myself {
    /// The agent's id.
    pub id: Uuid,
    /// The space of the key.
    pub space_id: Uuid,
    /// The agent's name.
    pub name: String,
    /// `agent`, `space`, `manage` or `owner`.
    pub permission: String,
    /// The public keys of the agent; null where there are none.
    #[serde(default)]
    pub key: Value,
    /// When the key ends, if it does.
    pub expires_at: Option<Timestamp>,
}
