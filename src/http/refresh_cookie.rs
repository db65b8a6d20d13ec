//! The refresh token of the hub's own page, in a cookie that scripts can't read, so that an injected script can't steal a
//! sign-in. The page requests it with `Hiloop-Refresh: cookie` on `/v1/auth`; every other client gets the token in the
//! body.
//!
//! Another site's page can't make use of the cookie: browsers don't send it from there (`SameSite=Strict`), the header
//! needs a preflight that is never granted, and the `Origin` must be the hub's own.

use super::{ApiError, App};
use crate::domain::Refusal;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::convert::Infallible;

const ASKS: &str = "hiloop-refresh";
const NAME: &str = "hiloop_refresh";
/// The lifetime of an unused refresh token.
const MAX_AGE_SECONDS: u32 = 30 * 24 * 60 * 60;
/// Far more than a reply of `/v1/auth` has.
const MAX_REPLY: usize = 64 * 1024;

/// The token of the cookie, where the page asked for it.
pub struct CookieToken(pub Option<String>);

impl<S: Sync> FromRequestParts<S> for CookieToken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.remove::<Self>().unwrap_or(Self(None)))
    }
}

impl Clone for CookieToken {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Puts the refresh token of a reply into the cookie, and the one of the cookie where `refresh` and `logout` find it.
pub async fn middleware(State(app): State<App>, mut request: Request, next: Next) -> Response {
    if request.headers().get(ASKS).is_none_or(|value| value != "cookie") {
        return next.run(request).await;
    }
    if !is_own_page(&app, &request) {
        let refusal = "The refresh token cookie is available only to the hub's own page, at HILOOP_PUBLIC_URL";
        return ApiError(Refusal::Forbidden(refusal.to_owned())).into_response();
    }
    let is_secure = app.config.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    let is_refresh = request.uri().path().ends_with("/refresh");
    let token = token_of(request.headers());
    request.extensions_mut().insert(CookieToken(token));
    let mut reply = next.run(request).await;
    match reply.status() {
        StatusCode::OK => keep(reply, is_secure).await,
        StatusCode::NO_CONTENT => {
            set(&mut reply, "", 0, is_secure);
            reply
        }
        StatusCode::UNAUTHORIZED if is_refresh => {
            set(&mut reply, "", 0, is_secure);
            reply
        }
        _ => reply,
    }
}

/// Whether the page's origin is the hub's own, by `Host` or, behind a proxy that changes it, by the public URL. `Host` can
/// be forged, but a browser sends the cookie only to the host that set it, so a page under another name has none.
fn is_own_page(app: &App, request: &Request) -> bool {
    let headers = request.headers();
    // Browsers send it on pages over HTTPS and on loopback.
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return false;
    }
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return false };
    let Some((_, authority)) = origin.split_once("://") else { return false };
    let is_public = app.config.public_url.as_deref().is_some_and(|url| {
        let rest = url.get(origin.len()..);
        url.get(..origin.len()).is_some_and(|start| start.eq_ignore_ascii_case(origin))
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    is_public || text(header::HOST).is_some_and(|host| host.eq_ignore_ascii_case(authority))
}

/// The value of the cookie among those of the request (RFC 6265 section 5.4).
fn token_of(headers: &HeaderMap) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, value)| *name == NAME && !value.is_empty()).map(|(_, value)| value.to_owned())
}

/// Moves the refresh token of a reply from its body into the cookie.
async fn keep(reply: Response, is_secure: bool) -> Response {
    let (mut parts, body) = reply.into_parts();
    let text = to_bytes(body, MAX_REPLY).await.unwrap_or_default();
    let Ok(mut tokens) = serde_json::from_slice::<Value>(&text) else {
        return ApiError(Refusal::Internal).into_response();
    };
    let token = tokens.get_mut("refreshToken").map(Value::take);
    parts.headers.remove(header::CONTENT_LENGTH);
    let mut reply = Response::from_parts(parts, Body::from(tokens.to_string()));
    if let Some(token) = token.as_ref().and_then(Value::as_str) {
        set(&mut reply, token, MAX_AGE_SECONDS, is_secure);
    }
    reply
}

fn set(reply: &mut Response, token: &str, max_age: u32, is_secure: bool) {
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie = format!("{NAME}={token}; Path=/v1/auth; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(mut value) = HeaderValue::from_str(&cookie) {
        value.set_sensitive(true);
        reply.headers_mut().append(header::SET_COOKIE, value);
    }
}
