//! The OpenAPI document: the descriptions of the handlers, section by section, completed with what a section shares.

pub mod errors;
mod examples;
mod patterns;
mod section;
mod shared;

pub use section::{Credential, Section};
use serde_json::Value;
use utoipa::openapi::OpenApi;

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
