//! The HTTP side: thin handlers that read a request, ask the rooms behind, and write the reply.
//!
//! Handlers that agents and people share are generic over their [`audience`], which says in a route's signature
//! who may call it.

mod accounts;
mod asyncapi;
mod audience;
mod audit;
mod awaiting;
mod body;
mod buckets;
mod creation;
mod docs;
mod entrants;
mod error;
mod guests;
mod idempotency;
mod inbound;
mod interactions;
mod live;
mod long_lived;
mod manage;
mod me;
mod messages;
mod openapi;
mod ops;
mod page;
mod page_headers;
mod participants;
mod path;
mod pieces;
mod public_keys;
mod query;
mod rate_limit;
mod refresh_cookie;
mod reply;
mod request_id;
mod router;
mod sessions;
mod setup_links;
mod sign_ins;
mod sse;
mod timeline;

pub use creation::DEFAULT_AGENT;
pub use error::ApiError;
pub use openapi::text as openapi_text;
pub use router::{ops_router, router};

use crate::context::App;
