//! Finding the credential of a request in its headers (contract section 2).

use crate::domain::Refusal;
use axum::http::{HeaderMap, HeaderName, header};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const ACTING_AGENT: HeaderName = HeaderName::from_static("x-hiloop");

fn unauthorized(text: &str) -> Refusal {
    Refusal::Unauthorized(text.to_owned())
}

/// A header's text; one that is no visible ASCII counts as a credential that is not valid.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    headers.get(name).map(|value| value.to_str().map_err(|_| unauthorized("The credential is not valid"))).transpose()
}

/// The API key of a request with the agent that it is to act as.
pub fn api_key_of(headers: &HeaderMap) -> Result<Option<(&str, Option<&str>)>, Refusal> {
    let Some(key) = text(headers, &API_KEY)? else { return Ok(None) };
    let agent = headers.get(&ACTING_AGENT).map(|value| value.to_str()).transpose();
    let agent = agent.map_err(|_| Refusal::Invalid("Header 'X-Hiloop' must be visible ASCII".to_owned()))?;
    Ok(Some((key, agent)))
}

/// The bearer token of a request.
pub fn bearer_of(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let Some(value) = text(headers, &header::AUTHORIZATION)? else { return Ok(None) };
    // The scheme's name has no case (RFC 9110 section 11.1).
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(unauthorized("The Authorization header must be 'Bearer TOKEN'")),
    }
}
