//! The one table of errors (contract section 1): each code with its HTTP status, and with the close code for a socket
//! that cannot be authenticated because of it. The text of an error comes with the [`Refusal`].

use super::close::CloseCode;
use crate::domain::{MessageId, Refusal, Responder, Timestamp};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Ref, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorCode {
    /// The value of `error.code`.
    pub name: &'static str,
    pub status: StatusCode,
    /// Closes a socket that cannot be authenticated because of this error.
    pub close: CloseCode,
    /// Whether an `error` frame may have this code. The others belong to HTTP requests without a corresponding frame.
    in_frames: bool,
}

impl ErrorCode {
    const fn new(name: &'static str, status: StatusCode, close: CloseCode) -> Self {
        Self { name, status, close, in_frames: true }
    }

    /// A code that is used only over HTTP.
    const fn of_http(name: &'static str, status: StatusCode) -> Self {
        Self { name, status, close: CloseCode::NOT_AUTHENTICATED, in_frames: false }
    }

    /// The code of a conflict with the state.
    const fn conflict(name: &'static str) -> Self {
        Self::new(name, StatusCode::CONFLICT, CloseCode::NOT_AUTHENTICATED)
    }

    pub const VALIDATION_ERROR: Self =
        Self::new("VALIDATION_ERROR", StatusCode::BAD_REQUEST, CloseCode::NOT_AUTHENTICATED);
    pub const UNAUTHORIZED: Self = Self::new("UNAUTHORIZED", StatusCode::UNAUTHORIZED, CloseCode::NOT_AUTHENTICATED);
    pub const FORBIDDEN: Self = Self::new("FORBIDDEN", StatusCode::FORBIDDEN, CloseCode::NOT_AUTHENTICATED);
    pub const NOT_FOUND: Self = Self::new("NOT_FOUND", StatusCode::NOT_FOUND, CloseCode::NOT_AUTHENTICATED);
    pub const METHOD_NOT_ALLOWED: Self = Self::of_http("METHOD_NOT_ALLOWED", StatusCode::METHOD_NOT_ALLOWED);
    pub const CONFLICT: Self = Self::conflict("CONFLICT");
    pub const SESSION_CLOSED: Self = Self::conflict("SESSION_CLOSED");
    pub const ALREADY_RESPONDED: Self = Self::conflict("ALREADY_RESPONDED");
    pub const ALREADY_SETTLED: Self = Self::conflict("ALREADY_SETTLED");
    pub const ALREADY_ACKNOWLEDGED: Self = Self::conflict("ALREADY_ACKNOWLEDGED");
    pub const KEY_EXISTS: Self = Self::conflict("KEY_EXISTS");
    pub const LIMIT_REACHED: Self = Self::conflict("LIMIT_REACHED");
    pub const IDEMPOTENCY_IN_FLIGHT: Self = Self::conflict("IDEMPOTENCY_IN_FLIGHT");
    pub const IDEMPOTENCY_MISMATCH: Self =
        Self::new("IDEMPOTENCY_MISMATCH", StatusCode::UNPROCESSABLE_ENTITY, CloseCode::NOT_AUTHENTICATED);
    pub const RATE_LIMITED: Self =
        Self::new("RATE_LIMITED", StatusCode::TOO_MANY_REQUESTS, CloseCode::TOO_MANY_FAILURES);
    pub const PAYLOAD_TOO_LARGE: Self =
        Self::new("PAYLOAD_TOO_LARGE", StatusCode::PAYLOAD_TOO_LARGE, CloseCode::NOT_AUTHENTICATED);
    pub const UNSUPPORTED_MEDIA_TYPE: Self =
        Self::of_http("UNSUPPORTED_MEDIA_TYPE", StatusCode::UNSUPPORTED_MEDIA_TYPE);
    pub const UNAVAILABLE: Self = Self::new("UNAVAILABLE", StatusCode::SERVICE_UNAVAILABLE, CloseCode::INTERNAL);
    pub const INTERNAL: Self = Self::new("INTERNAL", StatusCode::INTERNAL_SERVER_ERROR, CloseCode::INTERNAL);

    /// Every code, in the order of the contract.
    pub const ALL: &[Self] = &[
        Self::VALIDATION_ERROR,
        Self::UNAUTHORIZED,
        Self::FORBIDDEN,
        Self::NOT_FOUND,
        Self::METHOD_NOT_ALLOWED,
        Self::CONFLICT,
        Self::SESSION_CLOSED,
        Self::ALREADY_RESPONDED,
        Self::ALREADY_SETTLED,
        Self::ALREADY_ACKNOWLEDGED,
        Self::KEY_EXISTS,
        Self::LIMIT_REACHED,
        Self::IDEMPOTENCY_IN_FLIGHT,
        Self::IDEMPOTENCY_MISMATCH,
        Self::RATE_LIMITED,
        Self::PAYLOAD_TOO_LARGE,
        Self::UNSUPPORTED_MEDIA_TYPE,
        Self::UNAVAILABLE,
        Self::INTERNAL,
    ];

    /// The codes of one status.
    pub fn of_status(status: StatusCode) -> impl Iterator<Item = &'static Self> {
        Self::ALL.iter().filter(move |code| code.status == status)
    }
}

impl From<&Refusal> for ErrorCode {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Invalid(_) => Self::VALIDATION_ERROR,
            Refusal::Unauthorized(_) | Refusal::Expired(_) => Self::UNAUTHORIZED,
            Refusal::Forbidden(_) => Self::FORBIDDEN,
            Refusal::NotFound(_) => Self::NOT_FOUND,
            Refusal::Conflict(_) => Self::CONFLICT,
            Refusal::SessionClosed => Self::SESSION_CLOSED,
            Refusal::AlreadyResponded(_) => Self::ALREADY_RESPONDED,
            Refusal::AlreadySettled => Self::ALREADY_SETTLED,
            Refusal::AlreadyAcknowledged => Self::ALREADY_ACKNOWLEDGED,
            Refusal::KeyExists => Self::KEY_EXISTS,
            Refusal::LimitReached { .. } => Self::LIMIT_REACHED,
            Refusal::IdempotencyInFlight => Self::IDEMPOTENCY_IN_FLIGHT,
            Refusal::IdempotencyMismatch => Self::IDEMPOTENCY_MISMATCH,
            Refusal::RateLimited(_) | Refusal::TooOften(_) | Refusal::TooManyConnections { .. } => Self::RATE_LIMITED,
            Refusal::TooLarge(_) => Self::PAYLOAD_TOO_LARGE,
            Refusal::Unavailable | Refusal::NoRoom => Self::UNAVAILABLE,
            Refusal::Internal => Self::INTERNAL,
        }
    }
}

/// The `details` of `ALREADY_RESPONDED`: the first response.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlreadyResponded {
    #[schema(required = true)]
    pub response_message_id: Option<MessageId>,
    pub responded_by: Responder,
    pub responded_at: Timestamp,
}

/// The `details` of `LIMIT_REACHED`.
#[derive(Serialize, ToSchema)]
pub struct LimitReached {
    /// The quota of the space or session.
    pub limit: u64,
}

/// The schema of `details`.
pub fn details_schema() -> Schema {
    OneOfBuilder::new()
        .item(Ref::from_schema_name("AlreadyResponded"))
        .item(Ref::from_schema_name("LimitReached"))
        .build()
        .into()
}

/// `{"code","message","details"?}`, the error object of HTTP replies and of `error` frames.
pub fn error_object(refusal: &Refusal) -> Value {
    let mut object = json!({ "code": ErrorCode::from(refusal).name, "message": refusal.to_string() });
    match refusal {
        Refusal::AlreadyResponded(responded) => {
            object["details"] = json!(AlreadyResponded {
                response_message_id: responded.response_message_id,
                responded_by: responded.responded_by.clone(),
                responded_at: responded.responded_at,
            });
        }
        Refusal::LimitReached { limit, .. } => object["details"] = json!(LimitReached { limit: *limit }),
        _ => {}
    }
    object
}

/// The schema of an [`error_object`] in a frame.
pub(super) fn error_schema() -> ObjectBuilder {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let codes = ErrorCode::ALL.iter().filter(|code| code.in_frames).map(|code| code.name);
    ObjectBuilder::new()
        .property("code", text().enum_values(Some(codes)))
        .property("message", text().description(Some("Human-readable description of the error.")))
        .property(
            "details",
            Schema::from(OneOfBuilder::new().item(AlreadyResponded::schema()).item(LimitReached::schema()).build()),
        )
        .required("code")
        .required("message")
        .description(Some("Only `ALREADY_RESPONDED` and `LIMIT_REACHED` have `details`."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Actor;
    use crate::domain::refusal::{Exhausted, Responded};

    #[test]
    fn every_refusal_has_a_code_of_the_table() {
        let responded = Responded {
            response_message_id: None,
            responded_by: (&Actor::system()).into(),
            responded_at: Timestamp(0),
        };
        let refusals = [
            Refusal::Invalid(String::new()),
            Refusal::Unauthorized(String::new()),
            Refusal::Forbidden(String::new()),
            Refusal::NotFound(""),
            Refusal::Conflict(String::new()),
            Refusal::SessionClosed,
            Refusal::AlreadyResponded(Box::new(responded)),
            Refusal::AlreadySettled,
            Refusal::AlreadyAcknowledged,
            Refusal::KeyExists,
            Refusal::LimitReached { what: "", limit: 0 },
            Refusal::IdempotencyInFlight,
            Refusal::IdempotencyMismatch,
            Refusal::RateLimited(Exhausted { per_minute: 1, retry_after: 1 }),
            Refusal::TooLarge(String::new()),
            Refusal::Unavailable,
            Refusal::Internal,
        ];
        let published = ErrorCode::ALL.iter().copied().filter(|code| code.in_frames);
        assert_eq!(refusals.iter().map(ErrorCode::from).collect::<Vec<_>>(), published.collect::<Vec<_>>());
    }
}
