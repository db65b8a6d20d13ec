//! The bodies of guest tokens.

use crate::domain::people::Guest;
use crate::domain::text::check_name;
use crate::domain::{Author, GuestId, Participant, Refusal, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const DEFAULT_NAME: &str = "Guest";
const DEFAULT_SECONDS: i64 = 86_400;
const MIN_SECONDS: i64 = 60;
const MAX_SECONDS: i64 = 2_592_000;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({ "name": "Priya", "expiresInSeconds": 3600 })))]
pub struct GuestDraft {
    /// Unique in the session, ignoring case. Unless given, `Guest`, with a number if that name is in use.
    #[schema(max_length = 64, pattern = "PLAIN_NAME")]
    name: Option<String>,
    /// One day unless given.
    #[schema(minimum = 60, maximum = 2592000)]
    expires_in_seconds: Option<i64>,
}

/// A guest to invite, checked.
pub struct GuestInvitation {
    pub name: String,
    /// Whether the name was not given, so that a number may be added to make it unique.
    pub has_default_name: bool,
    /// How long the token is valid, in seconds.
    pub lifetime: i64,
}

impl GuestDraft {
    pub fn check(self) -> Result<GuestInvitation, Refusal> {
        let has_default_name = self.name.is_none();
        let name = self.name.unwrap_or_else(|| DEFAULT_NAME.to_owned());
        check_name("name", &name)?;
        let lifetime = self.expires_in_seconds.unwrap_or(DEFAULT_SECONDS);
        if !(MIN_SECONDS..=MAX_SECONDS).contains(&lifetime) {
            let problem = format!("must be from {MIN_SECONDS} to {MAX_SECONDS}");
            return Err(Refusal::invalid("expiresInSeconds", &problem));
        }
        Ok(GuestInvitation { name, has_default_name, lifetime })
    }
}

/// A guest token, returned only once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuestToken {
    pub id: GuestId,
    /// `hlg_` and 64 hex digits.
    pub token: String,
    /// Link to the chat, with the token in its fragment.
    pub url: String,
    pub expires_at: Timestamp,
    pub participant: Participant,
}

/// A guest token without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuestTokenEntry {
    id: GuestId,
    name: String,
    /// The creator; null for a token of an earlier release that did not record it.
    #[schema(required = true)]
    created_by: Option<Author>,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// Time of the last use, to the minute; null if it was not used.
    #[schema(required = true)]
    last_used_at: Option<Timestamp>,
}

impl From<Guest> for GuestTokenEntry {
    fn from(guest: Guest) -> Self {
        Self {
            id: guest.id,
            name: guest.name,
            created_by: guest.created_by,
            created_at: guest.created_at,
            expires_at: guest.expires_at,
            last_used_at: guest.last_used_at,
        }
    }
}
