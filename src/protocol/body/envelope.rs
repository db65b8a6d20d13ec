//! Envelopes in bodies: their schema, and reading one.

use crate::domain::{Envelope, Refusal};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

impl PartialSchema for Envelope {
    fn schema() -> RefOr<Schema> {
        let object = ObjectBuilder::new().schema_type(Type::Object);
        let wrappings = ArrayBuilder::new().items(object).description(Some("A wrapped key for each recipient."));
        ObjectBuilder::new()
            .description(Some("Encrypted content, opaque to the hub. Additional keys are stored unchanged."))
            .property("ciphertext", ObjectBuilder::new().schema_type(Type::String))
            .property("wrappings", wrappings)
            .required("ciphertext")
            .required("wrappings")
            .additional_properties(Some(ObjectBuilder::new().schema_type(SchemaType::AnyValue)))
            .examples([json!({ "scheme": "plain", "ciphertext": "eyJ0ZXh0IjoiSGVsbG8ifQ==", "wrappings": [] })])
            .into()
    }
}

impl ToSchema for Envelope {}

/// An envelope in a request: the object, or a string. A string that is the JSON of an envelope is taken
/// as that envelope; any other string becomes the `ciphertext`. At most 256 KiB (a setting): the bytes of a string, the JSON of an
/// object.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)] // only for the schema in the OpenAPI document; `Envelope::from_sent` parses requests
pub enum EnvelopeInput {
    Object(Envelope),
    Text(String),
}

/// Reads the envelope of a field, where one was sent.
pub(super) fn envelope(field: &str, sent: Option<Box<RawValue>>, max: usize) -> Result<Option<Envelope>, Refusal> {
    sent.map(|sent| Envelope::from_sent(field, &sent, max)).transpose()
}
