//! The bodies of participants: the one to add, typing, read marks.

use crate::domain::participant::MemberRef;
use crate::domain::text::{MAX_EMAIL, check_name, check_text};
use crate::domain::{AgentId, HumanId, ParticipantType, Refusal};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use utoipa::ToSchema;

/// Most participants in one request: more than a space may have before `participants` is required.
pub const MAX_NAMED: usize = 1000;

/// The types of participants that can be named.
#[derive(ToSchema)]
#[allow(dead_code)] // only for the schema in the OpenAPI document; `ParticipantDraft::named` refuses guests
pub enum Invited {
    Agent,
    Human,
}

/// A participant to add: an agent by `agentId` or `name`, or a human by `humanId` or `email`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(examples(json!({ "type": "Human", "email": "ada@example.org" })))]
#[serde(rename_all = "camelCase")]
pub struct ParticipantDraft {
    /// `Agent` or `Human`; guests are added by creating a guest token.
    #[serde(rename = "type")]
    #[schema(value_type = Invited)]
    pub kind: Option<ParticipantType>,
    pub agent_id: Option<AgentId>,
    pub human_id: Option<HumanId>,
    #[schema(max_length = 254, pattern = "PLAIN_TEXT")]
    pub email: Option<String>,
    #[schema(max_length = 254, pattern = "PLAIN_TEXT")]
    pub name: Option<String>,
    /// `member` unless given.
    #[schema(max_length = 64, pattern = "PLAIN_NAME")]
    pub role: Option<String>,
}

impl ParticipantDraft {
    /// The reference to the agent or human; `field` is the path of the draft in its body, for errors.
    pub fn named(&self, field: &str) -> Result<MemberRef, Refusal> {
        let path = |key: &str| if field.is_empty() { key.to_owned() } else { format!("{field}.{key}") };
        for (key, text) in [("role", &self.role), ("name", &self.name), ("email", &self.email)] {
            if let Some(text) = text {
                check_text(&path(key), text, MAX_EMAIL)?;
            }
        }
        if let Some(role) = &self.role {
            check_name(&path("role"), role)?;
        }
        match self.kind {
            None => Err(Refusal::required(&path("type"))),
            Some(ParticipantType::Agent) => match (self.agent_id, &self.name) {
                (Some(id), _) => Ok(MemberRef::AgentId(id)),
                (None, Some(name)) => Ok(MemberRef::AgentName(name.clone())),
                (None, None) => Err(Refusal::invalid(&path("agentId"), "or 'name' is required")),
            },
            Some(ParticipantType::Human) => match (self.human_id, &self.email) {
                (Some(id), _) => Ok(MemberRef::HumanId(id)),
                (None, Some(email)) => Ok(MemberRef::HumanEmail(email.to_ascii_lowercase())),
                (None, None) => Err(Refusal::invalid(&path("humanId"), "or 'email' is required")),
            },
            Some(ParticipantType::Guest) => {
                Err(Refusal::invalid(&path("type"), "must be Agent or Human; a guest comes with a guest token"))
            }
        }
    }
}

/// Reads the list of participants, and stops at the first one beyond the limit.
pub(super) fn participants<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<ParticipantDraft>>, D::Error> {
    Ok(Option::<AtMostNamed>::deserialize(deserializer)?.map(|named| named.0))
}

/// At most [`MAX_NAMED`] participants.
struct AtMostNamed(Vec<ParticipantDraft>);

impl<'de> Deserialize<'de> for AtMostNamed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = AtMostNamed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<AtMostNamed, A::Error> {
                let mut named = Vec::new();
                while let Some(draft) = array.next_element()? {
                    if named.len() == MAX_NAMED {
                        return Err(A::Error::custom(format_args!("must have at most {MAX_NAMED} entries")));
                    }
                    named.push(draft);
                }
                Ok(AtMostNamed(named))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "typing": true })))]
pub struct TypingBody {
    /// `true` unless given.
    pub typing: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "seq": 12 })))]
pub struct ReadBody {
    /// The last event that was read.
    #[schema(value_type = i64, minimum = 0)]
    pub seq: Option<i64>,
}
