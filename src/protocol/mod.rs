//! The wire protocol of HTTP and WebSocket: bodies and pages, events, frames, errors and close codes, and the published
//! documents.
//!
//! - [`body`] request bodies, [`page`] pages of lists, [`json`] reading JSON
//! - [`event`] the events of timelines, [`frame`] the frames of sockets, [`rfc6455`] frames as bytes
//! - [`error`] the table of errors, [`close`] the close codes, [`limits`] the limits of sockets
//! - [`openapi`], [`asyncapi`] the published documents

pub mod asyncapi;
pub mod body;
pub mod close;
pub mod error;
pub mod event;
pub mod frame;
pub mod json;
pub mod limits;
pub(crate) mod openapi;
pub mod page;
pub mod rfc6455;
