//! Reads envelopes, and shortens texts.

use hiloop_sdk::{Content, Envelope};

/// The content of an envelope; empty if it is missing, of another scheme than `plain`, or malformed.
pub(super) fn open(envelope: Option<&Envelope>) -> Content {
    envelope.filter(|envelope| envelope.is_plain()).and_then(Envelope::content).unwrap_or_default()
}

/// At most `most` characters of `text`, with an ellipsis where some are left out.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn said(envelope: Value) -> Option<String> {
        let envelope: Option<Envelope> = serde_json::from_value(envelope).expect("an envelope");
        open(envelope.as_ref()).said()
    }

    #[test]
    fn a_plain_envelope_is_decoded() {
        assert_eq!(said(json!(Envelope::plain(&json!({ "text": "Grüße 👋" })))).as_deref(), Some("Grüße 👋"));
    }

    #[test]
    fn any_other_envelope_has_no_text() {
        let sealed = json!(Envelope::plain(&json!({ "text": "x" })))["ciphertext"].clone();
        for envelope in [
            Value::Null,
            json!({ "ciphertext": sealed, "wrappings": [] }),
            json!({ "scheme": "hpke", "ciphertext": sealed, "wrappings": [] }),
            json!({ "scheme": "plain", "ciphertext": "no base64", "wrappings": [] }),
            json!(Envelope::plain(&json!(["no", "object"]))),
            json!(Envelope::plain(&json!({ "text": 1 }))),
            json!(Envelope::plain(&json!({ "text": "  " }))),
        ] {
            assert_eq!(said(envelope.clone()), None, "{envelope}");
        }
    }

    #[test]
    fn long_texts_are_truncated_at_a_character() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äö…");
    }
}
