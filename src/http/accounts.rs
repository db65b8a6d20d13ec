//! `/v1/auth`: sign in, refresh, sign out, and the one-time setup link.

use super::App;
use super::auth::HumanOnly;
use super::body::Body;
use super::refresh_cookie::CookieToken;
use super::reply::{self, HandlerResult};
use crate::auth::credential::bearer_of;
use crate::auth::{SignedIn, Visit};
use crate::domain::{Principal, Refusal};
use crate::protocol::body::account::{Login, Logout, RefreshToken, Setup, Tokens};
use crate::protocol::openapi::errors::Unauthorized;
use axum::extract::State;
use axum::http::HeaderMap;

fn signed_in(tokens: SignedIn) -> HandlerResult {
    reply::ok(&Tokens {
        access_token: tokens.access_token,
        token_type: "Bearer",
        expires_at: tokens.expires_at,
        refresh_token: tokens.refresh_token.as_str().to_owned(),
    })
}

/// Sign in
///
/// With the header `Hiloop-Refresh: cookie`, the refresh token is set as an `HttpOnly` cookie and `refreshToken` is null;
/// `refresh` and `logout` with that header read it from the cookie. Only the hub's own page may send the header.
#[utoipa::path(
    post, path = "/login", operation_id = "login",
    request_body = Login,
    responses((status = 200, description = "The tokens", body = Tokens), Unauthorized),
)]
pub async fn login(State(app): State<App>, visit: Visit, body: Body<Login>) -> HandlerResult {
    let email = body.value.email.ok_or_else(|| Refusal::required("email"))?;
    let password = body.value.password.ok_or_else(|| Refusal::required("password"))?;
    signed_in(app.accounts.login(&email, password, body.value.space.as_deref(), &visit).await?)
}

/// Get new tokens for a refresh token
///
/// A refresh token can be used once; a second use ends the sign-in and revokes all its tokens immediately. A sign-in ends
/// after 90 days.
#[utoipa::path(
    post, path = "/refresh", operation_id = "refresh",
    request_body = RefreshToken,
    responses((status = 200, description = "The tokens", body = Tokens), Unauthorized),
)]
pub async fn refresh(
    State(app): State<App>,
    visit: Visit,
    kept: CookieToken,
    body: Body<RefreshToken>,
) -> HandlerResult {
    let token = body.value.refresh_token.or(kept.0).ok_or_else(|| Refusal::required("refreshToken"))?;
    signed_in(app.accounts.refresh(&token, &visit).await?)
}

/// Sign out
///
/// Ends the sign-in of the refresh token or, without one, of the access token in `Authorization`: all its tokens are
/// revoked and its live connections are closed. An unknown refresh token is not an error.
#[utoipa::path(
    post, path = "/logout", operation_id = "logout",
    request_body = Logout,
    responses((status = 204, description = "Signed out"), Unauthorized, HumanOnly),
)]
pub async fn logout(
    State(app): State<App>,
    visit: Visit,
    kept: CookieToken,
    headers: HeaderMap,
    body: Body<Logout>,
) -> HandlerResult {
    let everywhere = body.value.everywhere.unwrap_or(false);
    match (body.value.refresh_token.or(kept.0), bearer_of(&headers)?) {
        (Some(token), _) => app.accounts.logout(&token, everywhere, &visit).await?,
        (None, Some(token)) => {
            let principal = app.authenticator.bearer(token, visit.from).await?;
            let Principal::Human(human) = &*principal else {
                return Err(Refusal::Forbidden("A guest may not do this".to_owned()).into());
            };
            match human.sign_in {
                _ if everywhere => app.accounts.end_all_sign_ins(human, &visit.source).await?,
                Some(id) => app.accounts.end_sign_in(human, id, &visit.source).await?,
                None => return Err(Refusal::required("refreshToken").into()),
            }
        }
        (None, None) => return Err(Refusal::required("refreshToken").into()),
    }
    reply::no_content()
}

/// Choose a password
///
/// Requires the token of a one-time setup link. Ends every other sign-in of the human, and signs in.
#[utoipa::path(
    post, path = "/setup", operation_id = "setUp",
    request_body = Setup,
    responses((status = 200, description = "The tokens", body = Tokens), Unauthorized),
)]
pub async fn setup(State(app): State<App>, visit: Visit, body: Body<Setup>) -> HandlerResult {
    let token = body.value.token.ok_or_else(|| Refusal::required("token"))?;
    let password = body.value.password.ok_or_else(|| Refusal::required("password"))?;
    signed_in(app.accounts.set_up(&token, password, &visit).await?)
}
