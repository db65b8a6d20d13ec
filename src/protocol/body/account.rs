//! The bodies of accounts: sign in, refresh, sign out, passwords, sign-ins.

use crate::domain::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "email": "ada@example.org", "password": "correct horse" })))]
pub struct Login {
    #[schema(value_type = String)]
    pub email: Option<String>,
    #[schema(value_type = String, format = Password)]
    pub password: Option<String>,
    /// Name or id of the space of the account. Without one it is the first account of the address, the oldest first,
    /// whose password this is.
    pub space: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({ "refreshToken": "the refresh token of the last sign-in or refresh" })))]
pub struct RefreshToken {
    #[schema(value_type = String)]
    pub refresh_token: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "token": "the token of the setup link", "password": "correct horse" })))]
pub struct Setup {
    #[schema(value_type = String)]
    pub token: Option<String>,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 256)]
    pub password: Option<String>,
}

/// What signing in gives.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// A JWT for `Authorization: Bearer`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// When the access token ends.
    pub expires_at: Timestamp,
    pub refresh_token: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({ "refreshToken": "the refresh token of the last sign-in or refresh" })))]
pub struct Logout {
    /// Not needed where the access token of the sign-in is in `Authorization`.
    #[schema(value_type = String)]
    pub refresh_token: Option<String>,
    /// End every sign-in of the human. Not unless given.
    pub everywhere: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "current": "correct horse", "new": "a better battery" })))]
pub struct PasswordChange {
    #[schema(value_type = String, format = Password)]
    pub current: Option<String>,
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 256)]
    pub new: Option<String>,
}

/// A sign-in: what the tokens of one login came of.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignIn)]
pub struct SignInEntry {
    pub id: Uuid,
    pub created_at: Timestamp,
    /// When its tokens were refreshed last.
    pub last_used_at: Timestamp,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// Whether the token of this request came of it.
    pub current: bool,
}
