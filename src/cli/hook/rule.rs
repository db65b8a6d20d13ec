//! The rule that "Always for this session" allows: one tool with exact arguments.

use super::event::ToolCall;
use crate::cli::digest::digest;
use serde_json::{Value, json};

/// A rule that people may allow for the rest of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// The digest of a call that the rule covers.
    pub(super) digest: String,
    /// The rule in words, for people.
    pub(super) words: String,
}

impl Rule {
    /// The rule that covers calls like this one: the same command in the same folder, edits of the same file, or a call
    /// with the same arguments.
    pub(super) fn of(call: &ToolCall, folder: &str) -> Self {
        let tool = &call.tool;
        let rule = |what: &Value, words: String| Self { digest: digest(&json!([tool, what])), words };
        match tool.as_str() {
            "Bash" => {
                let mut input = call.input.clone();
                // Neither changes what runs.
                if let Some(input) = input.as_object_mut() {
                    input.remove("description");
                    input.remove("timeout");
                }
                rule(&json!([folder, input]), format!("exactly this command in `{folder}`"))
            }
            "Edit" | "MultiEdit" | "Write" | "NotebookEdit" => {
                let path = ["file_path", "notebook_path"].iter().find_map(|name| call.input[*name].as_str());
                match path {
                    Some(path) => rule(&json!([folder, path]), format!("every {tool} of `{path}`")),
                    None => rule(&json!([folder, call.input]), format!("{tool} with exactly these arguments")),
                }
            }
            _ => rule(&json!([folder, call.input]), format!("{tool} with exactly these arguments in `{folder}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(tool: &str, input: Value, folder: &str) -> String {
        Rule::of(&ToolCall { tool: tool.to_owned(), input, id: None }, folder).digest
    }

    #[test]
    fn only_the_exact_command_is_covered() {
        let allowed = rule("Bash", json!({ "command": "npm test", "description": "Run the tests" }), "/a");
        assert_eq!(rule("Bash", json!({ "description": "Once more", "command": "npm test" }), "/a"), allowed);
        for (input, folder) in [
            (json!({ "command": "npm test && rm -rf ." }), "/a"),
            (json!({ "command": "npm test " }), "/a"),
            (json!({ "command": "npm test" }), "/b"),
            (json!({ "command": "npm test", "dangerouslyDisableSandbox": true }), "/a"),
            (json!({ "command": "npm test", "run_in_background": true }), "/a"),
        ] {
            assert_ne!(rule("Bash", input.clone(), folder), allowed, "{input}");
        }
    }

    #[test]
    fn edits_are_covered_by_file_and_tool() {
        let allowed = rule("Edit", json!({ "file_path": "/a/x", "old_string": "1", "new_string": "2" }), "/a");
        assert_eq!(rule("Edit", json!({ "file_path": "/a/x", "old_string": "3", "new_string": "4" }), "/a"), allowed);
        assert_ne!(rule("Edit", json!({ "file_path": "/a/y" }), "/a"), allowed);
        assert_ne!(rule("Write", json!({ "file_path": "/a/x" }), "/a"), allowed);
    }

    #[test]
    fn other_tools_are_covered_with_their_arguments() {
        let allowed = rule("mcp__db__query", json!({ "sql": "select 1" }), "/a");
        assert_eq!(rule("mcp__db__query", json!({ "sql": "select 1" }), "/a"), allowed);
        assert_ne!(rule("mcp__db__query", json!({ "sql": "drop table t" }), "/a"), allowed);
        assert_ne!(rule("mcp__db__exec", json!({ "sql": "select 1" }), "/a"), allowed);
    }
}
