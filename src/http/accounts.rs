//! `/v1/auth`: sign in, refresh, sign out, and the one-time setup link.

use super::App;
use super::body::Body;
use super::reply::{self, Reply};
use crate::auth::SignedIn;
use crate::domain::Refusal;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
pub struct Login {
    email: Option<String>,
    password: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshToken {
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
pub struct Setup {
    token: Option<String>,
    password: Option<String>,
}

fn signed_in(tokens: &SignedIn) -> Reply {
    reply::json(
        StatusCode::OK,
        &json!({
            "accessToken": tokens.access_token,
            "tokenType": "Bearer",
            "expiresAt": tokens.expires_at,
            "refreshToken": tokens.refresh_token.as_str(),
        }),
    )
}

pub async fn login(State(app): State<App>, body: Body<Login>) -> Reply {
    let email = body.value.email.ok_or_else(|| Refusal::required("email"))?;
    let password = body.value.password.ok_or_else(|| Refusal::required("password"))?;
    signed_in(&app.accounts.login(&email, password).await?)
}

pub async fn refresh(State(app): State<App>, body: Body<RefreshToken>) -> Reply {
    let token = body.value.refresh_token.ok_or_else(|| Refusal::required("refreshToken"))?;
    signed_in(&app.accounts.refresh(&token).await?)
}

pub async fn logout(State(app): State<App>, body: Body<RefreshToken>) -> Reply {
    let token = body.value.refresh_token.ok_or_else(|| Refusal::required("refreshToken"))?;
    app.accounts.logout(&token).await?;
    reply::no_content()
}

pub async fn setup(State(app): State<App>, body: Body<Setup>) -> Reply {
    let token = body.value.token.ok_or_else(|| Refusal::required("token"))?;
    let password = body.value.password.ok_or_else(|| Refusal::required("password"))?;
    signed_in(&app.accounts.set_up(&token, password).await?)
}
