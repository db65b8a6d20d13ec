//! Envelopes, which the hub carries without reading them, and the content that clients put into them.

use super::outcome::Outcome;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The scheme of those who trust the hub.
const PLAIN: &str = "plain";

/// A sealed value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Envelope {
    /// How `ciphertext` was made: `plain`, `hiloop/v2`, or none for a bare string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// The sealed value.
    pub ciphertext: String,
    /// The content key, wrapped for each recipient.
    #[serde(default)]
    pub wrappings: Vec<Value>,
    /// Everything else, such as a header and a signature.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The result of opening an envelope.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Opened {
    /// The JSON of an envelope of the scheme `plain`.
    Json(Value),
    /// A bare string, which another client sent without a scheme.
    Text(String),
    /// A value that this client has no key for, or that is malformed.
    Sealed,
}

impl Envelope {
    /// An envelope of the scheme `plain`, which the operator of the hub can read.
    #[must_use]
    pub fn plain(value: &Value) -> Self {
        Self {
            scheme: Some(PLAIN.to_owned()),
            ciphertext: STANDARD.encode(value.to_string()),
            wrappings: Vec::new(),
            rest: Map::new(),
        }
    }

    /// Whether the scheme is `plain`.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.scheme.as_deref() == Some(PLAIN)
    }

    /// Opens the envelope.
    #[must_use]
    pub fn open(&self) -> Opened {
        if self.is_plain() {
            let bytes = STANDARD.decode(&self.ciphertext).ok();
            let value = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            return value.map_or(Opened::Sealed, Opened::Json);
        }
        if self.scheme.is_none() && self.wrappings.is_empty() {
            return Opened::Text(self.ciphertext.clone());
        }
        Opened::Sealed
    }

    /// The content of a message; `None` where it can't be read.
    #[must_use]
    pub fn content(&self) -> Option<Content> {
        match self.open() {
            Opened::Json(value) => Content::read(value),
            Opened::Text(text) => Some(Content { text: Some(text), ..Content::default() }),
            Opened::Sealed => None,
        }
    }
}

/// The content of a message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The action of the button that was pressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What an answer decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The values of a form, by field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Map<String, Value>>,
}

impl Content {
    /// The content in an object. A value of a wrong type is left out.
    pub(crate) fn read(value: Value) -> Option<Self> {
        let Value::Object(mut object) = value else { return None };
        let text = |value| if let Some(Value::String(text)) = value { Some(text) } else { None };
        Some(Self {
            text: text(object.remove("text")),
            action: text(object.remove("action")),
            outcome: object.remove("outcome").and_then(|outcome| serde_json::from_value(outcome).ok()),
            values: if let Some(Value::Object(values)) = object.remove("values") { Some(values) } else { None },
        })
    }

    /// The content as text: written, the action of a button, or the values of a form.
    #[must_use]
    pub fn said(&self) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plain_envelope_opens_to_its_value() {
        let envelope = Envelope::plain(&json!({ "text": "Grüße 👋" }));
        assert_eq!(serde_json::to_value(&envelope).expect("JSON")["wrappings"], json!([]));
        assert_eq!(envelope.content().and_then(|content| content.said()).as_deref(), Some("Grüße 👋"));
    }

    #[test]
    fn envelopes_of_other_schemes_stay_sealed() {
        for envelope in [
            json!({ "scheme": "hiloop/v2", "ciphertext": "e30=", "wrappings": [], "header": "{}" }),
            json!({ "ciphertext": "x", "wrappings": [{}] }),
            json!({ "scheme": "plain", "ciphertext": "no base64", "wrappings": [] }),
        ] {
            let envelope: Envelope = serde_json::from_value(envelope).expect("an envelope");
            assert_eq!(envelope.content(), None, "{envelope:?}");
        }
    }

    #[test]
    fn unknown_members_are_kept() {
        let sent = json!({ "scheme": "hiloop/v2", "ciphertext": "x", "wrappings": [], "header": "h" });
        let envelope: Envelope = serde_json::from_value(sent.clone()).expect("an envelope");
        assert_eq!(serde_json::to_value(&envelope).expect("JSON"), sent);
    }

    #[test]
    fn values_of_wrong_types_are_left_out() {
        let said = |value: &Value| Envelope::plain(value).content().and_then(|content| content.said());
        for value in [json!(["no", "object"]), json!({ "text": 1 }), json!({ "text": "  " })] {
            assert_eq!(said(&value), None, "{value}");
        }
        assert_eq!(said(&json!({ "text": 1, "action": "approve" })).as_deref(), Some("approve"));
        assert_eq!(said(&json!({ "values": { "name": "api", "count": 3 } })).as_deref(), Some("name: api\ncount: 3"));
    }
}
