//! The OpenAPI document: the descriptions of the handlers, section by section, completed with what a section shares.

pub mod errors;
mod examples;
mod patterns;
mod shared;

use serde_json::Value;
use utoipa::openapi::OpenApi;

/// How a caller authenticates.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    None,
    /// In the body.
    Body,
    Key,
    /// A key, or the token of a human who is an admin.
    Manager,
    /// A key that acts as no agent.
    Provisioner,
    Bearer,
    /// A key, a token, or neither: a socket may authenticate by its first frame.
    Any,
}

/// A part of the API under one prefix, for one kind of caller.
pub struct Section {
    pub tag: &'static str,
    pub about: &'static str,
    pub prefix: &'static str,
    pub credential: Credential,
    pub api: fn() -> OpenApi,
}

/// Adds the sections to a document that has no operations yet, and completes it.
pub fn complete(mut document: OpenApi, sections: &[Section]) -> Value {
    for section in sections {
        shared::add(&mut document, section);
    }
    shared::finish(&mut document);
    let mut document = serde_json::to_value(document).unwrap_or_default();
    patterns::fill_in(&mut document);
    document
}
