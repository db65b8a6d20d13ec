//! Envelopes: encrypted content that the hub carries and never reads.

use super::Refusal;
use super::json::{Unfit, on_one_line};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use std::fmt;

/// An envelope object `{"ciphertext":string,"wrappings":[object,…],…}` as one line of JSON, kept as it came:
/// further keys stay, key order stays, `ciphertext` is returned byte for byte.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Envelope(Box<RawValue>);

impl Envelope {
    /// Reads what a client sent as `field`: an envelope object, a string that is the JSON of one, or any other
    /// string, which becomes the ciphertext (contract section 3). `max_bytes` bounds what was sent: a string's own
    /// bytes (not the envelope around them, which the client does not see), an object's JSON.
    pub fn from_sent(field: &str, sent: &RawValue, max_bytes: usize) -> Result<Self, Refusal> {
        let refused = |unfit: Unfit| match unfit {
            Unfit::TooLarge => Refusal::TooLarge(format!("Field '{field}' must have at most {max_bytes} bytes")),
            other => Refusal::invalid(field, &other.problem()),
        };
        let text = if sent.get().starts_with('"') {
            let text: String = serde_json::from_str(sent.get()).map_err(|_| refused(Unfit::BadString))?;
            if text.len() > max_bytes {
                return Err(refused(Unfit::TooLarge));
            }
            envelope_in(&text).unwrap_or_else(|| format!(r#"{{"ciphertext":{},"wrappings":[]}}"#, json!(text)))
        } else {
            let text = on_one_line(sent, max_bytes).map_err(refused)?;
            match shape_error(&text) {
                Some(problem) => return Err(Refusal::invalid(field, problem)),
                None => text,
            }
        };
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

impl PartialEq for Envelope {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// The envelope whose JSON a string is, if it is one.
fn envelope_in(text: &str) -> Option<String> {
    let inner: &RawValue = serde_json::from_str(text).ok()?;
    let line = on_one_line(inner, usize::MAX).ok()?;
    shape_error(&line).is_none().then_some(line)
}

/// The keys of an envelope that the hub looks at. `&RawValue` borrows: nothing of it is copied.
#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(borrow, default, deserialize_with = "given")]
    ciphertext: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "given")]
    wrappings: Option<&'a RawValue>,
}

/// Distinguishes a key that is null from one that is absent.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The reason why JSON is not an envelope object; none if it is one.
fn shape_error(text: &str) -> Option<&'static str> {
    if !text.starts_with('{') {
        return Some("must be an envelope object or a string");
    }
    let Ok(shape) = serde_json::from_str::<Shape<'_>>(text) else {
        return Some("must not have 'ciphertext' or 'wrappings' twice");
    };
    match (shape.ciphertext, shape.wrappings) {
        (None, _) => Some("must have a 'ciphertext'"),
        (Some(ciphertext), _) if !ciphertext.get().starts_with('"') => Some("must have a string as 'ciphertext'"),
        (_, None) => Some("must have 'wrappings'"),
        (_, Some(wrappings)) if serde_json::from_str::<Objects>(wrappings.get()).is_ok() => None,
        _ => Some("must have an array of objects as 'wrappings'"),
    }
}

/// An array of objects, none of which is kept.
struct Objects;

impl<'de> Deserialize<'de> for Objects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self)
    }
}

impl<'de> Visitor<'de> for Objects {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self, A::Error> {
        while let Some(element) = array.next_element::<&RawValue>()? {
            if !element.get().starts_with('{') {
                return Err(A::Error::custom("not an object"));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn read(value: &Value) -> Result<String, Refusal> {
        read_text(&value.to_string())
    }

    fn read_text(text: &str) -> Result<String, Refusal> {
        let sent: &RawValue = serde_json::from_str(text).expect("JSON");
        Envelope::from_sent("encryptedContent", sent, 1000).map(|e| e.as_str().to_owned())
    }

    #[test]
    fn an_object_keeps_its_keys_their_order_and_its_numbers() {
        let text =
            r#"{"scheme":"plain","ciphertext":"a\u0000é","wrappings":[{"x":1.50}],"alpha":18446744073709551616}"#;
        assert_eq!(read_text(text), Ok(text.to_owned()));
        assert_eq!(read(&json!(text)), Ok(text.to_owned()), "in a string too");
    }

    #[test]
    fn a_string_is_an_envelope_or_a_ciphertext() {
        let inner = r#"{"ciphertext":"x","wrappings":[]}"#;
        assert_eq!(read(&json!(inner)), Ok(inner.to_owned()));
        assert_eq!(read(&json!("hello")), Ok(r#"{"ciphertext":"hello","wrappings":[]}"#.to_owned()));
        assert_eq!(read(&json!("{\"a\":1}")), Ok(r#"{"ciphertext":"{\"a\":1}","wrappings":[]}"#.to_owned()));
    }

    #[test]
    fn other_shapes_are_refused_by_field() {
        for bad in [
            "1",
            "[]",
            "{}",
            r#"{"ciphertext":1,"wrappings":[]}"#,
            r#"{"ciphertext":null,"wrappings":[]}"#,
            r#"{"ciphertext":"x","wrappings":[1]}"#,
            r#"{"ciphertext":"x","wrappings":null}"#,
            r#"{"ciphertext":"x","ciphertext":"y","wrappings":[]}"#,
            r#"{"ciphertext":"\ud800","wrappings":[]}"#,
            r#"{"ciphertext":"x","wrappings":[{"a":"\udc00"}]}"#,
            r#""\ud800""#,
        ] {
            let refusal = read_text(bad).expect_err("refused");
            assert!(refusal.to_string().contains("encryptedContent"), "{refusal}");
        }
        let deep = format!(r#"{{"ciphertext":"x","wrappings":[{}1{}]}}"#, r#"{"a":"#.repeat(100), "}".repeat(100));
        assert!(read_text(&deep).is_err());
    }

    #[test]
    fn what_was_sent_is_measured() {
        assert!(read(&json!("x".repeat(1000))).is_ok());
        assert!(read(&json!("\"".repeat(1000))).is_ok(), "not as it is escaped");
        assert!(matches!(read(&json!("x".repeat(1001))), Err(Refusal::TooLarge(_))));
        assert!(matches!(read(&json!("€".repeat(334))), Err(Refusal::TooLarge(_))), "bytes, not characters");
        let object = |length: usize| json!({ "ciphertext": "x".repeat(length), "wrappings": [] });
        let around = object(0).to_string().len();
        let (most, too_much) = (object(1000 - around), object(1001 - around));
        assert!(read(&most).is_ok() && read(&json!(most.to_string())).is_ok());
        assert!(matches!(read(&too_much), Err(Refusal::TooLarge(_))));
        assert!(matches!(read(&json!(too_much.to_string())), Err(Refusal::TooLarge(_))));
    }
}
