//! Envelopes of the scheme `plain`: seal and open.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The content of a message.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Content {
    pub(super) text: Option<String>,
    pub(super) action: Option<String>,
    pub(super) values: Option<Map<String, Value>>,
}

impl Content {
    /// The content as text: written, the action of a button, or the values of a form.
    pub(super) fn said(&self) -> Option<String> {
        let full = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
        full(&self.text).or_else(|| full(&self.action)).or_else(|| {
            let values = self.values.as_ref().filter(|values| !values.is_empty())?;
            let lines: Vec<String> = values
                .iter()
                .map(|(name, value)| match value {
                    Value::String(text) => format!("{name}: {text}"),
                    other => format!("{name}: {other}"),
                })
                .collect();
            Some(lines.join("\n"))
        })
    }
}

/// Seals `value` for those who trust the hub.
pub(super) fn seal(value: &Value) -> Value {
    json!({ "scheme": "plain", "ciphertext": STANDARD.encode(value.to_string()), "wrappings": [] })
}

/// The content in an envelope. One that is missing, or that this agent has no key for, says nothing.
pub(super) fn open(envelope: &Value) -> Content {
    let opened = || {
        if envelope["scheme"] != "plain" {
            return None;
        }
        let bytes = STANDARD.decode(envelope["ciphertext"].as_str()?).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    opened().unwrap_or_default()
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

    #[test]
    fn what_is_sealed_can_be_opened() {
        let envelope = seal(&json!({ "text": "Grüße 👋" }));
        assert_eq!(envelope["wrappings"], json!([]));
        assert_eq!(open(&envelope).said().as_deref(), Some("Grüße 👋"));
    }

    #[test]
    fn anything_else_says_nothing() {
        let sealed = seal(&json!({ "text": "x" }))["ciphertext"].clone();
        for envelope in [
            Value::Null,
            json!({ "ciphertext": sealed, "wrappings": [] }),
            json!({ "scheme": "hpke", "ciphertext": sealed, "wrappings": [] }),
            json!({ "scheme": "plain", "ciphertext": "no base64", "wrappings": [] }),
            seal(&json!(["no", "object"])),
            seal(&json!({ "text": 1 })),
            seal(&json!({ "text": "  " })),
        ] {
            assert_eq!(open(&envelope).said(), None, "{envelope}");
        }
    }

    #[test]
    fn buttons_and_forms_say_something_too() {
        assert_eq!(open(&seal(&json!({ "action": "approve" }))).said().as_deref(), Some("approve"));
        let form = seal(&json!({ "values": { "name": "api", "count": 3 } }));
        assert_eq!(open(&form).said().as_deref(), Some("name: api\ncount: 3"));
    }

    #[test]
    fn long_texts_are_cut_by_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äö…");
    }
}
