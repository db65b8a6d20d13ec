//! The directory: spaces, agents, humans, keys and guests.

use super::participant::Member;
use super::words::words;
use super::{
    AgentId, Author, GuestId, HumanId, KeyEntry, KeyId, ParticipantType, Permission, SessionId, SpaceId, Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A tenant.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Space {
    pub id: SpaceId,
    pub name: String,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    pub id: AgentId,
    pub space_id: SpaceId,
    pub name: String,
    pub description: Option<String>,
    /// The current entry of their public keys.
    pub key: Option<Box<KeyEntry>>,
    pub created_at: Timestamp,
}

impl Agent {
    pub fn member(&self) -> Member {
        Member { kind: ParticipantType::Agent, id: self.id.into(), name: self.name.clone(), key: self.key.clone() }
    }
}

words! {
    /// The role of a human in their space: an admin has the permission `manage` of it.
    Role { Member, Admin }
}

/// A person, who belongs to one space.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Human {
    pub id: HumanId,
    pub space_id: SpaceId,
    pub email: String,
    /// Only present, and false, if an external issuer gave the address without having verified it: look-ups by address do
    /// not find the human, and another human may have the address.
    #[serde(skip_serializing_if = "is_verified")]
    pub email_verified: bool,
    pub name: String,
    pub role: Role,
    /// The current entry of their public keys.
    pub key: Option<Box<KeyEntry>>,
    pub created_at: Timestamp,
    /// An argon2id hash in PHC form; none until a password was chosen.
    #[serde(skip)]
    pub password_hash: Option<String>,
    /// Tokens without a sign-in that were issued before this time are void.
    #[serde(skip)]
    pub tokens_valid_from: Option<Timestamp>,
}

fn is_verified(email_verified: &bool) -> bool {
    *email_verified
}

impl Human {
    /// Whether a token without a sign-in that was issued at this time is void.
    pub fn has_voided(&self, issued: Timestamp) -> bool {
        self.tokens_valid_from.is_some_and(|from| from > issued)
    }

    /// The stored form of an address that is not verified. It is no valid address, so that no look-up by address finds it and
    /// it occupies no address.
    pub fn unverified_address(id: HumanId, email: &str) -> String {
        format!("{email}#{id}")
    }

    /// The address that such a text was made of, if it is one.
    pub fn unverified_email(id: HumanId, address: &str) -> Option<&str> {
        address.strip_suffix(&id.to_string())?.strip_suffix('#')
    }

    pub fn member(&self) -> Member {
        Member { kind: ParticipantType::Human, id: self.id.into(), name: self.name.clone(), key: self.key.clone() }
    }
}

/// A sign-in to the hub, which its tokens belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    pub id: Uuid,
    pub created_at: Timestamp,
    /// When its tokens were refreshed last.
    pub last_used_at: Timestamp,
    pub ends_at: Timestamp,
    /// The `User-Agent` of the request that signed in.
    pub user_agent: Option<String>,
}

impl SignIn {
    /// How long one lasts at most: 90 days.
    pub const LASTS_MILLIS: i64 = 90 * 24 * 60 * 60 * 1000;
}

/// An API key without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    pub id: KeyId,
    #[serde(skip)]
    pub space_id: SpaceId,
    pub permission: Permission,
    pub agent_id: Option<AgentId>,
    /// The first characters of the secret, by which people identify the key.
    pub prefix: String,
    /// Who made it; null for one of a version that did not note it.
    #[schema(required = true)]
    pub created_by: Option<Author>,
    /// To the minute; null while it has not been used.
    #[schema(required = true)]
    pub last_used_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// A guest and their token (without its secret): one session, until `expires_at`.
#[derive(Clone, Debug)]
pub struct Guest {
    pub id: GuestId,
    pub space_id: SpaceId,
    pub session_id: SessionId,
    pub name: String,
    /// The current entry of their public keys.
    pub key: Option<Box<KeyEntry>>,
    /// Who made the token; none for one of a version that did not note it.
    pub created_by: Option<Author>,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
    pub expires_at: Timestamp,
    pub created_at: Timestamp,
}
