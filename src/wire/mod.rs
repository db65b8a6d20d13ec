//! What HTTP and sockets share of the wire: connections, reading JSON so that an error names the field, the error
//! object, and where a request comes from.

mod arrivals;
mod origin;
mod refused;
mod stall;
mod stream;

pub use arrivals::Arrivals;
pub use origin::origin;
pub use stall::Cutoff;
pub use stream::Watched;

pub mod event;
pub mod frame;

use crate::domain::{MessageId, Refusal, Responder, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Ref, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The contract's code of a refusal (section 1).
fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Invalid(_) => "VALIDATION_ERROR",
        Refusal::Unauthorized(_) | Refusal::Expired(_) => "UNAUTHORIZED",
        Refusal::Forbidden(_) => "FORBIDDEN",
        Refusal::NotFound(_) => "NOT_FOUND",
        Refusal::Conflict(_) => "CONFLICT",
        Refusal::SessionClosed => "SESSION_CLOSED",
        Refusal::AlreadyResponded(_) => "ALREADY_RESPONDED",
        Refusal::AlreadySettled => "ALREADY_SETTLED",
        Refusal::AlreadyAcknowledged => "ALREADY_ACKNOWLEDGED",
        Refusal::KeyExists => "KEY_EXISTS",
        Refusal::LimitReached { .. } => "LIMIT_REACHED",
        Refusal::IdempotencyInFlight => "IDEMPOTENCY_IN_FLIGHT",
        Refusal::IdempotencyMismatch => "IDEMPOTENCY_MISMATCH",
        Refusal::RateLimited(_) | Refusal::TooOften(_) | Refusal::TooManyConnections { .. } => "RATE_LIMITED",
        Refusal::TooLarge(_) => "PAYLOAD_TOO_LARGE",
        Refusal::Unavailable | Refusal::NoRoom => "UNAVAILABLE",
        Refusal::Internal => "INTERNAL",
    }
}

/// Every [`code`].
const CODES: &[&str] = &[
    "VALIDATION_ERROR",
    "UNAUTHORIZED",
    "FORBIDDEN",
    "NOT_FOUND",
    "CONFLICT",
    "SESSION_CLOSED",
    "ALREADY_RESPONDED",
    "ALREADY_SETTLED",
    "ALREADY_ACKNOWLEDGED",
    "KEY_EXISTS",
    "LIMIT_REACHED",
    "IDEMPOTENCY_IN_FLIGHT",
    "IDEMPOTENCY_MISMATCH",
    "RATE_LIMITED",
    "PAYLOAD_TOO_LARGE",
    "UNAVAILABLE",
    "INTERNAL",
];

/// The `details` of `ALREADY_RESPONDED`: who answered first.
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
    /// What the space or the session may hold.
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

/// `{"code","message","details"?}`, as it stands in an HTTP error and in a socket's `error` frame.
pub fn error_object(refusal: &Refusal) -> Value {
    let mut object = json!({ "code": code(refusal), "message": refusal.to_string() });
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

/// The schema of an [`error_object`].
fn error_schema() -> ObjectBuilder {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    ObjectBuilder::new()
        .property("code", text().enum_values(Some(CODES.iter().copied())))
        .property("message", text().description(Some("What is wrong, for people.")))
        .property(
            "details",
            Schema::from(OneOfBuilder::new().item(AlreadyResponded::schema()).item(LimitReached::schema()).build()),
        )
        .required("code")
        .required("message")
        .description(Some("`details` stands with `ALREADY_RESPONDED` and `LIMIT_REACHED` alone."))
}

/// Reads the JSON of an object into a type.
pub fn parse_object<T: DeserializeOwned>(text: &[u8]) -> Result<T, Refusal> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if path != "." {
            let problem = without_place(&inner);
            let problem = if inner.is_data() { problem } else { format!("is not valid JSON: {problem}") };
            Refusal::Invalid(format!("Field '{path}': {problem}"))
        } else {
            Refusal::Invalid(format!("The body is not valid JSON: {inner}"))
        }
    })?;
    deserializer.end().map_err(|error| Refusal::Invalid(format!("The body is not valid JSON: {error}")))?;
    Ok(value)
}

/// serde's text without " at line 1 column 2", which means little in a body of one line.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Actor;
    use crate::domain::refusal::{Exhausted, Responded};

    #[test]
    fn every_code_is_published() {
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
        assert_eq!(refusals.iter().map(code).collect::<Vec<_>>(), CODES);
    }
}
