//! The HTTP side: thin handlers that read a request, ask the rooms behind, and write the reply.
//!
//! Handlers that agents and people share are generic over their [`audience`], which says in a route's signature
//! who may call it.

mod accounts;
mod audience;
mod awaiting;
mod body;
mod error;
mod guests;
mod idempotency;
mod live;
mod manage;
mod me;
mod messages;
mod ops;
mod page;
mod participants;
mod path;
mod query;
mod reply;
mod request_id;
mod router;
mod sessions;
mod sse;
mod timeline;

pub(crate) use audience::{api_key_of, bearer_of};
pub(crate) use body::parse_object;
pub use error::ApiError;
pub use manage::DEFAULT_AGENT;
pub(crate) use error::error_object;
pub(crate) use idempotency::{checked as checked_idempotency_key, credential_id};
pub use router::router;

use crate::context::Context;
use std::sync::Arc;

/// The state of every handler.
pub type App = Arc<Context>;
