//! Query parameters, checked one by one so that an error names the one that is wrong.

use super::ApiError;
use crate::domain::Refusal;
use crate::protocol::page::PageRequest;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::convert::Infallible;
use uuid::Uuid;

/// The parameters of a request's URL.
pub struct Query(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

impl Query {
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A whole number from `min` to `max`.
    pub fn number(&self, name: &str, min: i64, max: i64) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse::<i64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ if max == i64::MAX => Err(bad(name, &format!("must be a whole number of at least {min}"))),
            _ => Err(bad(name, &format!("must be a whole number from {min} to {max}"))),
        }
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.word(name, |text| text.parse().ok(), &["true", "false"])
    }

    /// An id.
    pub fn id(&self, name: &str) -> Result<Option<Uuid>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        // One id, one spelling, as in paths.
        let id = (text.len() == 36).then(|| text.parse().ok()).flatten();
        id.map(Some).ok_or_else(|| bad(name, "must be a UUID"))
    }

    /// One of a set of words.
    pub fn word<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>, all: &[&str]) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| bad(name, &format!("must be one of {}", all.join(", "))))
    }

    /// `page` and `pageSize` (contract section 1).
    pub fn page(&self) -> Result<PageRequest, ApiError> {
        Ok(PageRequest {
            page: self.number("page", 1, i64::MAX)?.unwrap_or(1),
            size: self.number("pageSize", 1, PageRequest::MAX_SIZE)?.unwrap_or(PageRequest::DEFAULT_SIZE),
        })
    }
}

fn bad(name: &str, problem: &str) -> ApiError {
    ApiError(Refusal::Invalid(format!("Query parameter '{name}' {problem}")))
}
