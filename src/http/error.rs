//! The one error of the edge: every refusal as the contract's status, code and text.

use super::rate_limit;
use crate::domain::Refusal;
use crate::store::StoreError;
use crate::wire::error_object;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::collections::BTreeMap;
use utoipa::IntoResponses;
use utoipa::openapi::schema::{ObjectBuilder, Ref, Type};
use utoipa::openapi::{Components, Content, RefOr, Response as Documented, ResponseBuilder};

/// When to try again where too many connections are open: nobody knows when one of them will end.
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

fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
        Refusal::Unauthorized(_) | Refusal::Expired(_) => StatusCode::UNAUTHORIZED,
        Refusal::Forbidden(_) => StatusCode::FORBIDDEN,
        Refusal::NotFound(_) => StatusCode::NOT_FOUND,
        Refusal::Conflict(_)
        | Refusal::SessionClosed
        | Refusal::AlreadyResponded(_)
        | Refusal::AlreadySettled
        | Refusal::AlreadyAcknowledged
        | Refusal::KeyExists
        | Refusal::LimitReached { .. }
        | Refusal::IdempotencyInFlight => StatusCode::CONFLICT,
        Refusal::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::RateLimited(_) | Refusal::TooOften(_) | Refusal::TooManyConnections { .. } => {
            StatusCode::TOO_MANY_REQUESTS
        }
        Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::Unavailable | Refusal::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An error as the OpenAPI document has it: status, name, codes, and when it occurs (contract section 1).
struct Entry(StatusCode, &'static str, &'static [&'static str], &'static str);

const ENTRIES: &[Entry] = &[
    Entry(
        StatusCode::BAD_REQUEST,
        "BadRequest",
        &["VALIDATION_ERROR"],
        "Malformed JSON, a missing or bad field, a bad query, a bad header, or an id that is no UUID; the message names it.",
    ),
    Entry(
        StatusCode::UNAUTHORIZED,
        "Unauthorized",
        &["UNAUTHORIZED"],
        "No credential, or one that is unknown, revoked or expired.",
    ),
    Entry(StatusCode::FORBIDDEN, "Forbidden", &["FORBIDDEN"], "A credential that is valid and lacks the permission."),
    Entry(
        StatusCode::NOT_FOUND,
        "NotFound",
        &["NOT_FOUND"],
        "There is no such thing, or none that this caller may see.",
    ),
    Entry(
        StatusCode::CONFLICT,
        "Conflict",
        &[
            "CONFLICT",
            "SESSION_CLOSED",
            "ALREADY_RESPONDED",
            "ALREADY_SETTLED",
            "ALREADY_ACKNOWLEDGED",
            "KEY_EXISTS",
            "LIMIT_REACHED",
            "IDEMPOTENCY_IN_FLIGHT",
        ],
        "The state does not allow it. `ALREADY_RESPONDED` carries `details` of who answered, `LIMIT_REACHED` the limit; \
         `IDEMPOTENCY_IN_FLIGHT` means that the first request with this key is still being carried out.",
    ),
    Entry(
        StatusCode::PAYLOAD_TOO_LARGE,
        "PayloadTooLarge",
        &["PAYLOAD_TOO_LARGE"],
        "The body, or one of its envelopes, is larger than the hub takes: 1 MiB (a setting) where a route takes envelopes, 16 KiB under `/v1/auth`, else 64 KiB.",
    ),
    Entry(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UnsupportedMediaType",
        &["UNSUPPORTED_MEDIA_TYPE"],
        "The body is not `application/json`, or compressed.",
    ),
    Entry(
        StatusCode::UNPROCESSABLE_ENTITY,
        "IdempotencyMismatch",
        &["IDEMPOTENCY_MISMATCH"],
        "The `Idempotency-Key` was used with a different request.",
    ),
    Entry(
        StatusCode::UPGRADE_REQUIRED,
        "UpgradeRequired",
        &["VALIDATION_ERROR"],
        "The client speaks another version of WebSocket than the one that `Sec-WebSocket-Version` names.",
    ),
    Entry(
        StatusCode::TOO_MANY_REQUESTS,
        "RateLimited",
        &["RATE_LIMITED"],
        "Too many requests, failed sign-ins, passwords to check, changes of a key or open connections; come back after \
         `Retry-After` seconds.",
    ),
    Entry(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Internal",
        &["INTERNAL"],
        "A fault of the hub; `X-Request-Id` ties it to the log.",
    ),
    Entry(
        StatusCode::SERVICE_UNAVAILABLE,
        "Unavailable",
        &["UNAVAILABLE"],
        "The store is out of reach, too many large requests are at work, or the node has no room for another socket; the caller may retry.",
    ),
];

/// A reference to the documented error of this status.
pub fn documented(status: StatusCode) -> BTreeMap<String, RefOr<Documented>> {
    let entry = ENTRIES.iter().find(|entry| entry.0 == status);
    let reference = entry.map(|entry| Ref::from_response_name(entry.1).into());
    reference.map(|reference| (status.as_str().to_owned(), reference)).into_iter().collect()
}

/// The reusable responses and schemas of every error.
pub fn document(components: &mut Components) {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    for Entry(status, name, codes, about) in ENTRIES {
        let mut error = ObjectBuilder::new()
            .property("code", text().enum_values(Some(codes.iter().copied())))
            .property("message", text().description(Some("What is wrong, for people.")))
            .required("code")
            .required("message");
        if *status == StatusCode::CONFLICT {
            error = error.property("details", crate::wire::details_schema());
        }
        let schema = ObjectBuilder::new().property("error", error).required("error");
        components.schemas.insert(format!("{name}Error"), schema.into());
        let content = Content::builder().schema(Some(Ref::from_schema_name(format!("{name}Error")))).build();
        let response = ResponseBuilder::new().description(*about).content("application/json", content);
        components.responses.insert((*name).to_owned(), response.build().into());
    }
}

/// Errors that an operation has for reasons of its own.
macro_rules! own_errors {
    ($($name:ident $status:ident),+) => {$(
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Documented>> {
                documented(StatusCode::$status)
            }
        }
    )+};
}
own_errors!(Conflict CONFLICT, Forbidden FORBIDDEN, NotFound NOT_FOUND, Unauthorized UNAUTHORIZED, UpgradeRequired UPGRADE_REQUIRED);

/// An error reply with a status and code that no refusal of the rules has.
pub fn reply(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "error": { "code": code, "message": message } });
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = status(&self.0);
        let body = json!({ "error": error_object(&self.0) }).to_string();
        let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        if let Refusal::RateLimited(exhausted) = &self.0 {
            let quota = rate_limit::Quota { name: "sign-in", amount: exhausted.per_minute, seconds: 60 };
            quota.show(response.headers_mut(), 0, exhausted.retry_after);
        }
        if let Refusal::TooOften(often) = &self.0 {
            let quota = rate_limit::Quota { name: often.quota, amount: often.amount, seconds: often.seconds };
            quota.show(response.headers_mut(), 0, often.retry_after);
        }
        if let Refusal::TooManyConnections { limit } = &self.0 {
            let quota = rate_limit::Quota { name: "connections", amount: *limit, seconds: 0 };
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
