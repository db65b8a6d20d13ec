//! A refusal as an HTTP reply: status, error object and the headers that go with it.

use super::quota::Quota;
use crate::domain::Refusal;
use crate::protocol::error::{ErrorCode, error_object};
use crate::store::StoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// `Retry-After` where too many connections are open: when one of them ends is unknown.
const CONNECTION_RETRY_SECONDS: u64 = 5;

/// A refusal on its way to a client.
#[derive(Debug, Clone)]
pub struct ApiError(pub Refusal);

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self(error.into())
    }
}

/// An error reply with a code that has no [`Refusal`], or with another message than that of the refusal.
pub fn reply(code: ErrorCode, message: &str) -> Response {
    let body = json!({ "error": { "code": code.name, "message": message } });
    (code.status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// The reply to a method that the path does not have.
pub(super) async fn method_not_allowed() -> Response {
    reply(ErrorCode::METHOD_NOT_ALLOWED, "Method not allowed")
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = ErrorCode::from(&self.0).status;
        let body = json!({ "error": error_object(&self.0) }).to_string();
        let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        if let Refusal::RateLimited(exhausted) = &self.0 {
            let quota = Quota { name: "sign-in", amount: exhausted.per_minute, seconds: 60 };
            quota.show(response.headers_mut(), 0, exhausted.retry_after);
        }
        if let Refusal::TooOften(often) = &self.0 {
            let quota = Quota { name: often.quota, amount: often.amount, seconds: often.seconds };
            quota.show(response.headers_mut(), 0, often.retry_after);
        }
        if let Refusal::TooManyConnections { limit } = &self.0 {
            let quota = Quota { name: "connections", amount: *limit, seconds: 0 };
            quota.show(response.headers_mut(), 0, CONNECTION_RETRY_SECONDS);
        }
        match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::UNAUTHORIZED => {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}
