//! Schemas of arguments, and the hints that go with a tool.

use super::LONGEST_WAIT;
use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What a tool does to its environment.
#[derive(Clone, Copy)]
pub(super) enum Effect {
    Reads,
    /// Adds something; the same call with the same `key` adds it once.
    Adds,
    /// Ends something.
    Ends,
}

/// A tool with the schemas of its arguments and its result.
pub(super) fn tool(
    name: &'static str,
    title: &str,
    description: &'static str,
    arguments: Vec<(&'static str, Value)>,
    required: &[&str],
    result: Value,
    effect: Effect,
) -> Tool {
    let properties: Map<String, Value> =
        arguments.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    let input = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    let annotations = ToolAnnotations::with_title(title)
        .read_only(matches!(effect, Effect::Reads))
        .destructive(matches!(effect, Effect::Ends))
        .idempotent(!matches!(effect, Effect::Adds))
        .open_world(true);
    Tool::new(name, description, Arc::new(object(input)))
        .with_title(title)
        .with_raw_output_schema(Arc::new(object(result)))
        .with_annotations(annotations)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// A result of these members, each required unless its schema allows null.
pub(super) fn result(members: &[(&str, Value)]) -> Value {
    let is_optional = |schema: &Value| schema["type"].as_array().is_some_and(|kinds| kinds.contains(&json!("null")));
    let required: Vec<&str> =
        members.iter().filter(|(_, schema)| !is_optional(schema)).map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

pub(super) fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

pub(super) fn optional_text(description: &str) -> Value {
    json!({ "type": ["string", "null"], "description": description })
}

pub(super) fn number(description: &str) -> Value {
    json!({ "type": "integer", "description": description })
}

pub(super) fn flag(description: &str) -> Value {
    json!({ "type": "boolean", "description": description })
}

pub(super) fn id(description: &str) -> Value {
    json!({ "type": "string", "format": "uuid", "description": description })
}

pub(super) fn texts(description: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "minItems": 1, "description": description })
}

pub(super) fn list(items: &Value, description: &str) -> Value {
    json!({ "type": "array", "items": items, "description": description })
}

pub(super) fn priority() -> Value {
    json!({
        "type": "string", "enum": ["low", "medium", "high", "urgent"],
        "description": "How urgent it is; medium unless given",
    })
}

pub(super) fn deadline() -> Value {
    json!({
        "type": ["string", "integer"],
        "description": "When the question expires: \"30m\", \"2h\", \"1d\", seconds, or an RFC 3339 time. Never unless given",
    })
}

pub(super) fn components() -> Value {
    json!({
        "type": ["object", "array"],
        "description": "A component node {\"type\",\"data\",\"children\"?}, or a list of them: text, kv, table, code, diff, \
                        file_content, execution, alert, progress, metric_grid, chart, file_tree, group; and, to be \
                        answered, approval {title,description?}, button_group {buttons:[{label,action,variant}]}, form \
                        {fields:[…]}",
    })
}

pub(super) fn wait() -> Value {
    json!({
        "type": "integer", "minimum": 0, "maximum": LONGEST_WAIT,
        "description": "How long to wait for the answer, in seconds; 45 unless given. The question stays open afterwards",
    })
}
