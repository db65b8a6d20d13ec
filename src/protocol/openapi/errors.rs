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
        "Malformed JSON, or a missing or invalid field, query parameter, header or id; the message names it.",
    ),
    Entry(StatusCode::UNAUTHORIZED, "Unauthorized", "The credential is missing, unknown, revoked or expired."),
    Entry(StatusCode::FORBIDDEN, "Forbidden", "The credential is valid but lacks the permission."),
    Entry(StatusCode::NOT_FOUND, "NotFound", "The resource does not exist, or the caller has no access to it."),
    Entry(
        StatusCode::CONFLICT,
        "Conflict",
        "The request conflicts with the current state. `ALREADY_RESPONDED` has `details` of the response, `LIMIT_REACHED` the limit; \
         `IDEMPOTENCY_IN_FLIGHT` means that the first request with this key is still in progress.",
    ),
    Entry(
        StatusCode::PAYLOAD_TOO_LARGE,
        "PayloadTooLarge",
        "The body or one of its envelopes is too large. The limit of a body is 1 MiB (a setting) for routes with envelopes, 16 KiB under `/v1/auth`, else 64 KiB.",
    ),
    Entry(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UnsupportedMediaType",
        "The body is not `application/json`, or is compressed.",
    ),
    Entry(
        StatusCode::UNPROCESSABLE_ENTITY,
        "IdempotencyMismatch",
        "The `Idempotency-Key` was used with a different request.",
    ),
    Entry(
        StatusCode::UPGRADE_REQUIRED,
        "UpgradeRequired",
        "The WebSocket version of the client is not supported; `Sec-WebSocket-Version` has the supported one.",
    ),
    Entry(
        StatusCode::TOO_MANY_REQUESTS,
        "RateLimited",
        "Too many requests, failed sign-ins, passwords to check, changes of a key or open connections; retry after \
         `Retry-After` seconds.",
    ),
    Entry(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Internal",
        "An internal error; find its cause in the log by `X-Request-Id`.",
    ),
    Entry(
        StatusCode::SERVICE_UNAVAILABLE,
        "Unavailable",
        "The database is unavailable, too many large requests are in progress, or the node has no capacity for another socket; the client may retry.",
    ),
];

/// The codes that a reply of this status may carry.
fn codes(status: StatusCode) -> Vec<&'static str> {
    // The only code with a second status: see `router::socket`.
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
            .property("message", text().description(Some("Human-readable description of the error.")))
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

/// Errors that are specific to an operation, for `responses(…)` of a handler.
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
