//! The errors of the OpenAPI document: a reusable response for each status of the [table](ErrorCode).

use crate::protocol::error::{ErrorCode, details_schema};
use axum::http::StatusCode;
use std::collections::BTreeMap;
use utoipa::IntoResponses;
use utoipa::openapi::schema::{ObjectBuilder, Ref, Type};
use utoipa::openapi::{Components, Content, RefOr, Response, ResponseBuilder};

/// A status with the name of its response and when it occurs (contract section 1).
struct Entry(StatusCode, &'static str, &'static str);

const ENTRIES: &[Entry] = &[
    Entry(
        StatusCode::BAD_REQUEST,
        "BadRequest",
        "Malformed JSON, a missing or bad field, a bad query, a bad header, or an id that is no UUID; the message names it.",
    ),
    Entry(StatusCode::UNAUTHORIZED, "Unauthorized", "No credential, or one that is unknown, revoked or expired."),
    Entry(StatusCode::FORBIDDEN, "Forbidden", "A credential that is valid and lacks the permission."),
    Entry(StatusCode::NOT_FOUND, "NotFound", "There is no such thing, or none that this caller may see."),
    Entry(
        StatusCode::CONFLICT,
        "Conflict",
        "The state does not allow it. `ALREADY_RESPONDED` carries `details` of who answered, `LIMIT_REACHED` the limit; \
         `IDEMPOTENCY_IN_FLIGHT` means that the first request with this key is still being carried out.",
    ),
    Entry(
        StatusCode::PAYLOAD_TOO_LARGE,
        "PayloadTooLarge",
        "The body, or one of its envelopes, is larger than the hub takes: 1 MiB (a setting) where a route takes envelopes, 16 KiB under `/v1/auth`, else 64 KiB.",
    ),
    Entry(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UnsupportedMediaType",
        "The body is not `application/json`, or compressed.",
    ),
    Entry(
        StatusCode::UNPROCESSABLE_ENTITY,
        "IdempotencyMismatch",
        "The `Idempotency-Key` was used with a different request.",
    ),
    Entry(
        StatusCode::UPGRADE_REQUIRED,
        "UpgradeRequired",
        "The client speaks another version of WebSocket than the one that `Sec-WebSocket-Version` names.",
    ),
    Entry(
        StatusCode::TOO_MANY_REQUESTS,
        "RateLimited",
        "Too many requests, failed sign-ins, passwords to check, changes of a key or open connections; come back after \
         `Retry-After` seconds.",
    ),
    Entry(StatusCode::INTERNAL_SERVER_ERROR, "Internal", "A fault of the hub; `X-Request-Id` ties it to the log."),
    Entry(
        StatusCode::SERVICE_UNAVAILABLE,
        "Unavailable",
        "The store is out of reach, too many large requests are at work, or the node has no room for another socket; the caller may retry.",
    ),
];

/// The codes that a reply of this status may carry.
fn codes(status: StatusCode) -> Vec<&'static str> {
    // The one status that a code has beside its own: see `router::socket`.
    if status == StatusCode::UPGRADE_REQUIRED {
        return vec![ErrorCode::VALIDATION_ERROR.name];
    }
    ErrorCode::of_status(status).map(|code| code.name).collect()
}

/// A reference to the documented error of this status.
pub fn documented(status: StatusCode) -> BTreeMap<String, RefOr<Response>> {
    let entry = ENTRIES.iter().find(|entry| entry.0 == status);
    let reference = entry.map(|entry| Ref::from_response_name(entry.1).into());
    reference.map(|reference| (status.as_str().to_owned(), reference)).into_iter().collect()
}

/// Adds the reusable responses and schemas of every error.
pub(super) fn add(components: &mut Components) {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    for Entry(status, name, about) in ENTRIES {
        let mut error = ObjectBuilder::new()
            .property("code", text().enum_values(Some(codes(*status))))
            .property("message", text().description(Some("What is wrong, for people.")))
            .required("code")
            .required("message");
        if *status == StatusCode::CONFLICT {
            error = error.property("details", details_schema());
        }
        let schema = ObjectBuilder::new().property("error", error).required("error");
        components.schemas.insert(format!("{name}Error"), schema.into());
        let content = Content::builder().schema(Some(Ref::from_schema_name(format!("{name}Error")))).build();
        let response = ResponseBuilder::new().description(*about).content("application/json", content);
        components.responses.insert((*name).to_owned(), response.build().into());
    }
}

/// Errors that an operation has for reasons of its own, for `responses(…)` of a handler.
macro_rules! own_errors {
    ($($name:ident $status:ident),+) => {$(
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                documented(StatusCode::$status)
            }
        }
    )+};
}
own_errors!(Conflict CONFLICT, Forbidden FORBIDDEN, NotFound NOT_FOUND, Unauthorized UNAUTHORIZED, UpgradeRequired UPGRADE_REQUIRED);
