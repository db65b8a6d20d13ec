//! Replies: JSON with its status, and `Idempotent-Replayed` where it is the first reply to an earlier request.

use super::ApiError;
use crate::domain::Refusal;
use crate::service::Answer;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

pub type HandlerResult = Result<Response, ApiError>;

/// A reply whose JSON is at hand.
pub fn raw_json(status: StatusCode, json: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json).into_response()
}

pub fn json<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> HandlerResult {
    let text = serde_json::to_string(value).map_err(|_| ApiError(Refusal::Internal))?;
    Ok(raw_json(status, text))
}

pub fn ok<T: Serialize + ?Sized>(value: &T) -> HandlerResult {
    json(StatusCode::OK, value)
}

pub fn no_content() -> HandlerResult {
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The reply to a request that may carry an `Idempotency-Key`.
pub fn answer(answer: Answer) -> HandlerResult {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = raw_json(status, answer.json);
    if answer.replayed {
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    Ok(response)
}
