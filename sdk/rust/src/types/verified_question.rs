//! What was asked, as a decision shows it.

use super::envelope::Content;
use super::message::Message;
use crate::e2e::encoding::Digest;
use crate::find::plain_view;
use serde_json::Value;
use std::fmt;

/// What was asked. Where a question was asked by another process without the same folder of keys, compare it before you
/// act on the answer.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct VerifiedQuestion {
    /// The title of its components.
    pub title: Option<String>,
    /// Its text.
    pub text: Option<String>,
    /// Its components.
    pub components: Option<Value>,
    /// The digest of its envelope, which names exactly this question; none where the encryption is off.
    pub digest: Option<Digest>,
}

impl VerifiedQuestion {
    /// The question in the content of an envelope.
    pub(crate) fn sealed(content: &Value, digest: Digest) -> Self {
        let text = Content::read(content["content"].clone()).and_then(|content| content.text);
        Self { digest: Some(digest), ..Self::of(text, content.get("components").cloned()) }
    }

    /// The question in a message whose encryption is off.
    pub(crate) fn plain(message: &Message) -> Self {
        plain_view(message.encrypted_content.as_ref(), message.encrypted_components.as_ref())
    }

    pub(crate) fn of(text: Option<String>, components: Option<Value>) -> Self {
        let components = components.filter(|components| !components.is_null());
        Self { title: components.as_ref().and_then(title_in).map(str::to_owned), text, components, digest: None }
    }

    /// Whether both ask the same. Members that are null or an empty list count as missing.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let canonical = |question: &Self| question.components.clone().and_then(canonical);
        self.text == other.text && canonical(self) == canonical(other)
    }
}

/// The first title in components.
fn title_in(node: &Value) -> Option<&str> {
    let nodes = node.as_array().or_else(|| node["children"].as_array());
    node["data"]["title"].as_str().or_else(|| nodes?.iter().find_map(title_in))
}

fn canonical(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(values) => {
            // A list keeps its places.
            let item = |value: Value| canonical(value.clone()).unwrap_or(value);
            (!values.is_empty()).then(|| values.into_iter().map(item).collect())
        }
        Value::Object(members) => {
            let members = members.into_iter().filter_map(|(name, value)| Some((name, canonical(value)?)));
            Some(Value::Object(members.collect()))
        }
        other => Some(other),
    }
}

impl fmt::Debug for VerifiedQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the content.
        f.debug_struct("VerifiedQuestion").field("digest", &self.digest).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn question(text: &str, components: Value) -> VerifiedQuestion {
        VerifiedQuestion::of(Some(text.to_owned()), Some(components))
    }

    #[test]
    fn the_title_is_the_first_one() {
        let approval = json!({ "type": "approval", "data": { "title": "Ship?" } });
        let nested = json!({ "type": "group", "data": {}, "children": [{ "type": "text", "data": {} }, approval] });
        assert_eq!(question("x", nested).title.as_deref(), Some("Ship?"));
        assert_eq!(question("x", Value::Null).title, None);
    }

    #[test]
    fn the_same_question_is_the_same_in_every_form() {
        let one = question("x", json!({ "type": "a", "data": { "n": 1, "list": [] }, "children": null }));
        let same = question("x", json!({ "data": { "n": 1 }, "type": "a" }));
        assert!(one.is_same(&same));
        assert!(!one.is_same(&question("y", json!({ "type": "a", "data": { "n": 1 } }))));
        assert!(!one.is_same(&question("x", json!({ "type": "a", "data": { "n": 2 } }))));
        assert!(!one.is_same(&VerifiedQuestion::of(Some("x".to_owned()), None)));
        let list = |items: Value| question("x", json!({ "items": items }));
        assert!(!list(json!([1, null])).is_same(&list(json!([1]))));
        assert!(!format!("{one:?}").contains("\"x\""));
    }
}
