//! Links for guests, who need no account.

use super::participant::Participant;
use super::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// A link that opens one session.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[must_use]
pub struct GuestInvitation {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_seconds: Option<u64>,
}

impl GuestInvitation {
    /// A link for a day, for a guest named `Guest`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The guest's name, which no other participant may have.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How long the link is valid: a minute to 30 days.
    pub fn expires_in(mut self, time: std::time::Duration) -> Self {
        self.expires_in_seconds = Some(time.as_secs());
        self
    }
}

/// A guest's token, which the hub returns once.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GuestToken {
    /// The token's id.
    pub id: Uuid,
    /// The secret.
    pub token: String,
    /// The link, with the token in its fragment.
    pub url: String,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// The guest as a participant.
    pub participant: Participant,
}

impl fmt::Debug for GuestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the secret.
        f.debug_struct("GuestToken").field("id", &self.id).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
