//! Envelopes: encrypted content that the hub carries and never reads.

use super::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// An envelope object `{"ciphertext":string,"wrappings":[object,…],…}` as one line of JSON, kept as it came:
/// further keys stay, key order stays, `ciphertext` is returned byte for byte.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Envelope(Box<RawValue>);

impl Envelope {
    /// Reads what a client sent as `field`: an envelope object, a string that is the JSON of one, or any other
    /// string, which becomes the ciphertext (contract section 3). `max_bytes` bounds what was sent: a string's own
    /// bytes (not the envelope around them, of which the client knows nothing), an object's JSON.
    pub fn from_value(field: &str, value: Value, max_bytes: usize) -> Result<Self, Refusal> {
        let mut sent = None;
        let object = match value {
            Value::String(text) => {
                sent = Some(text.len());
                match serde_json::from_str::<Value>(&text) {
                    Ok(inner) if shape_error(&inner).is_none() => inner,
                    _ => json!({ "ciphertext": text, "wrappings": [] }),
                }
            }
            other => other,
        };
        if let Some(problem) = shape_error(&object) {
            return Err(Refusal::invalid(field, problem));
        }
        let text = object.to_string();
        if sent.unwrap_or(text.len()) > max_bytes {
            return Err(Refusal::TooLarge(format!("Field '{field}' must have at most {max_bytes} bytes")));
        }
        Self::from_stored(text).ok_or(Refusal::Internal)
    }

    /// Takes an envelope's JSON back from the store; `None` if it is no JSON.
    pub fn from_stored(text: String) -> Option<Self> {
        RawValue::from_string(text).ok().map(Self)
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl PartialSchema for Envelope {
    fn schema() -> RefOr<Schema> {
        let object = ObjectBuilder::new().schema_type(Type::Object);
        let wrappings = ArrayBuilder::new().items(object).description(Some("A wrapped key for each recipient."));
        ObjectBuilder::new()
            .description(Some(
                "Encrypted content. The hub carries it and never reads it; further keys are kept as they came.",
            ))
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

/// What a client may send as an envelope: the object, or a string. A string that is the JSON of an envelope is taken
/// as one; any other string becomes the `ciphertext`. 256 KiB (a setting) at most: the bytes of a string, the JSON of an
/// object.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code)] // it is the form in the OpenAPI document; `Envelope::from_value` reads what is sent
pub enum EnvelopeInput {
    Object(Envelope),
    Text(String),
}

impl PartialEq for Envelope {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// What keeps `value` from being an envelope object, if anything.
fn shape_error(value: &Value) -> Option<&'static str> {
    let Some(object) = value.as_object() else {
        return Some("must be an envelope object or a string");
    };
    match (object.get("ciphertext"), object.get("wrappings")) {
        (None, _) => Some("must have a 'ciphertext'"),
        (Some(ciphertext), _) if !ciphertext.is_string() => Some("must have a string as 'ciphertext'"),
        (_, None) => Some("must have 'wrappings'"),
        (_, Some(Value::Array(wrappings))) if wrappings.iter().all(Value::is_object) => None,
        _ => Some("must have an array of objects as 'wrappings'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<String, Refusal> {
        Envelope::from_value("encryptedContent", value, 1000).map(|e| e.as_str().to_owned())
    }

    #[test]
    fn an_object_keeps_its_keys_and_their_order() {
        let text = r#"{"scheme":"plain","ciphertext":"a\u0000é","wrappings":[{"x":1}],"alpha":2}"#;
        assert_eq!(read(serde_json::from_str(text).expect("json")), Ok(text.to_owned()));
    }

    #[test]
    fn a_string_is_an_envelope_or_a_ciphertext() {
        let inner = r#"{"ciphertext":"x","wrappings":[]}"#;
        assert_eq!(read(json!(inner)), Ok(inner.to_owned()));
        assert_eq!(read(json!("hello")), Ok(r#"{"ciphertext":"hello","wrappings":[]}"#.to_owned()));
        assert_eq!(read(json!("{\"a\":1}")), Ok(r#"{"ciphertext":"{\"a\":1}","wrappings":[]}"#.to_owned()));
    }

    #[test]
    fn other_shapes_are_refused_by_field() {
        for bad in [
            json!(1),
            json!([]),
            json!({}),
            json!({"ciphertext":1,"wrappings":[]}),
            json!({"ciphertext":"x","wrappings":[1]}),
        ] {
            let refusal = read(bad).expect_err("refused");
            assert!(refusal.to_string().contains("encryptedContent"), "{refusal}");
        }
    }

    #[test]
    fn what_was_sent_is_measured() {
        assert!(read(json!("x".repeat(1000))).is_ok());
        assert!(read(json!("\"".repeat(1000))).is_ok(), "not as it is escaped");
        assert!(matches!(read(json!("x".repeat(1001))), Err(Refusal::TooLarge(_))));
        assert!(matches!(read(json!("€".repeat(334))), Err(Refusal::TooLarge(_))), "bytes, not characters");
        let object = |length: usize| json!({ "ciphertext": "x".repeat(length), "wrappings": [] });
        let around = object(0).to_string().len();
        let (most, too_much) = (object(1000 - around), object(1001 - around));
        assert!(read(most.clone()).is_ok() && read(json!(most.to_string())).is_ok());
        assert!(matches!(read(too_much.clone()), Err(Refusal::TooLarge(_))));
        assert!(matches!(read(json!(too_much.to_string())), Err(Refusal::TooLarge(_))));
    }
}
