//! A section of the document, and how its callers authenticate.

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
