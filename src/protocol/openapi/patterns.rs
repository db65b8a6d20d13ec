//! The patterns of plain text. The types name them, since `#[schema(pattern = …)]` accepts only a literal.

use crate::domain::hidden::{name_pattern, text_pattern};
use serde_json::Value;

/// Replaces `PLAIN_TEXT` and `PLAIN_NAME` by their regular expressions.
pub(super) fn fill_in(document: &mut Value) {
    match document {
        Value::Object(object) => {
            for (key, value) in object {
                match value.as_str() {
                    Some("PLAIN_TEXT") if key == "pattern" => *value = text_pattern().into(),
                    Some("PLAIN_NAME") if key == "pattern" => *value = name_pattern().into(),
                    _ => fill_in(value),
                }
            }
        }
        Value::Array(array) => array.iter_mut().for_each(fill_in),
        _ => {}
    }
}
