//! The HTTP side: a handler extracts its input from the request, calls one use case of [`crate::service`], and replies.
//!
//! The signature of a handler is its policy: its first argument is an extractor of [`auth`] that authenticates the caller.
//! Handlers that agents and people share are generic over it.

mod accounts;
mod agents;
mod asyncapi;
mod audit;
mod auth;
mod body;
mod buckets;
mod chat_page;
mod docs;
mod error;
mod guests;
mod humans;
mod idempotency;
mod interactions;
mod keys;
mod lingering_close;
mod live;
mod long_lived;
mod long_poll;
mod me;
mod messages;
mod openapi;
mod ops;
mod paged_stream;
mod participants;
mod path;
mod public_keys;
mod query;
mod quota;
mod rate_limit;
mod refresh_cookie;
mod reply;
mod request_id;
mod router;
mod security_headers;
mod sessions;
mod sign_ins;
mod socket;
mod spaces;
mod sse;
mod timeline;

pub use error::ApiError;
pub use openapi::text as openapi_text;
pub use router::{ops_router, router};

use crate::context::App;
