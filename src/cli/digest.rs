//! Digests of JSON values: what names a question, a rule and a file of state.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// The SHA-256 of a value in lower-case hex, whatever the order of its members.
pub(super) fn digest(value: &Value) -> String {
    Sha256::digest(sorted(value).to_string()).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let members: Map<String, Value> =
                members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            Value::Object(members)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_members_does_not_count() {
        let (one, two): (Value, Value) = (
            serde_json::from_str(r#"{"a":[{"x":1,"y":2}],"b":"c"}"#).expect("JSON"),
            serde_json::from_str(r#"{"b":"c","a":[{"y":2,"x":1}]}"#).expect("JSON"),
        );
        assert_eq!(digest(&one), digest(&two));
        assert_ne!(digest(&json!(["a", "b"])), digest(&json!(["b", "a"])));
        assert_ne!(digest(&json!(["ab", "c"])), digest(&json!(["a", "bc"])));
        assert_eq!(digest(&json!({})).len(), 64);
    }
}
