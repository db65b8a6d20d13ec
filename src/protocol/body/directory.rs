//! The bodies of a space's directory: keys, agents, humans, spaces and setup links.

use crate::domain::people::{Agent, ApiKey, Human, Role, Space};
use crate::domain::text::{check_name, check_text, is_agent_name};
use crate::domain::{Permission, Refusal, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const MAX_DESCRIPTION: usize = 500;
const MAX_KEY_SECONDS: i64 = 10 * 365 * 24 * 60 * 60;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({ "permission": "agent", "agent": "deployer" })))]
pub struct KeyDraft {
    #[schema(value_type = Permission)]
    permission: Option<String>,
    /// Name or id of the agent that the key acts as; an agent with a new name is created. `default` unless given.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    pub agent: Option<String>,
    /// The key does not expire unless given.
    #[schema(minimum = 1, maximum = 315360000)]
    expires_in_seconds: Option<i64>,
}

impl KeyDraft {
    pub fn permission(&self) -> Result<Permission, Refusal> {
        let text = self.permission.as_deref().ok_or_else(|| Refusal::required("permission"))?;
        Permission::parse(text)
            .ok_or_else(|| Refusal::invalid("permission", "must be one of provision, agent, space, manage, owner"))
    }

    /// How long the key is valid, in seconds; none if it does not expire.
    pub fn lifetime(&self) -> Result<Option<i64>, Refusal> {
        if self.expires_in_seconds.is_some_and(|seconds| !(1..=MAX_KEY_SECONDS).contains(&seconds)) {
            return Err(Refusal::invalid("expiresInSeconds", &format!("must be from 1 to {MAX_KEY_SECONDS}")));
        }
        Ok(self.expires_in_seconds)
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "name": "deployer" })))]
pub struct AgentDraft {
    #[schema(value_type = String, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    name: Option<String>,
    #[schema(max_length = 500, pattern = "PLAIN_TEXT")]
    description: Option<String>,
}

/// An agent to create, checked.
pub struct NewAgent {
    pub name: String,
    pub description: Option<String>,
}

impl AgentDraft {
    pub fn check(self) -> Result<NewAgent, Refusal> {
        let name = self.name.ok_or_else(|| Refusal::required("name"))?;
        check_agent_name("name", &name)?;
        if let Some(description) = &self.description {
            check_text("description", description, MAX_DESCRIPTION)?;
        }
        Ok(NewAgent { name, description: self.description })
    }
}

/// Checks the name of an agent (contract section 2).
pub fn check_agent_name(field: &str, name: &str) -> Result<(), Refusal> {
    if is_agent_name(name) {
        return Ok(());
    }
    Err(Refusal::invalid(field, "must be 1 to 64 of letters, digits, '.', '_' and '-'"))
}

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "email": "ada@example.org", "name": "Ada" })))]
pub struct HumanDraft {
    #[schema(value_type = String, format = Email, max_length = 254)]
    pub email: Option<String>,
    #[schema(value_type = String, max_length = 64, pattern = "PLAIN_NAME")]
    pub name: Option<String>,
    /// `Member` unless given.
    pub role: Option<Role>,
    #[schema(format = Password, min_length = 8, max_length = 256)]
    pub password: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "name": "Research" })))]
pub struct SpaceDraft {
    #[schema(value_type = String, max_length = 64, pattern = "PLAIN_NAME")]
    name: Option<String>,
}

impl SpaceDraft {
    /// The name of the space.
    pub fn check(self) -> Result<String, Refusal> {
        let name = self.name.ok_or_else(|| Refusal::required("name"))?;
        check_name("name", &name)?;
        Ok(name)
    }
}

/// A new key; `apiKey` is returned only once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeKey {
    /// `hlp_` (or `hlp_prov_`) and 64 hex digits.
    pub api_key: String,
    #[serde(flatten)]
    pub key: ApiKey,
}

/// A new human.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeHuman {
    #[serde(flatten)]
    pub human: Human,
    /// One-time link with which a human without a password chooses one.
    #[schema(required = true)]
    pub setup_url: Option<String>,
}

/// A new space; `apiKey` is a key with `manage`, returned only once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeSpace {
    #[serde(flatten)]
    pub space: Space,
    /// Null if the space existed before.
    #[schema(required = true)]
    pub api_key: Option<String>,
}

/// A new agent; `apiKey` is returned only once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Provisioned {
    pub agent: Agent,
    pub api_key: String,
}

/// A one-time link, returned only once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetupLink {
    /// The URL has the token in its fragment.
    pub setup_url: String,
    pub expires_at: Timestamp,
}
