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
    /// Name or id of the space of the account. Without it, the oldest account with this address and password is used.
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

/// The tokens of a sign-in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// A JWT for `Authorization: Bearer`.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// When the access token expires.
    pub expires_at: Timestamp,
    pub refresh_token: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({ "refreshToken": "the refresh token of the last sign-in or refresh" })))]
pub struct Logout {
    /// Not required if `Authorization` has an access token of the sign-in.
    #[schema(value_type = String)]
    pub refresh_token: Option<String>,
    /// End every sign-in of the human; `false` unless given.
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

/// A sign-in, to which the tokens of one login and its refreshes belong.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignIn)]
pub struct SignInEntry {
    pub id: Uuid,
    pub created_at: Timestamp,
    /// When its tokens were refreshed last.
    pub last_used_at: Timestamp,
    /// The `User-Agent` of the client.
    pub user_agent: Option<String>,
    /// Whether the token of this request belongs to it.
    pub current: bool,
}
