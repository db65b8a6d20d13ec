//! The request to people for the permission of a call: all that it would run or change.

use super::agent::CodingAgent;
use super::diff;
use super::event::ToolCall;
use super::rule::Rule;
use super::shown::{first_line, visible};
use serde_json::{Map, Value, json};

/// The most that a request may show, in bytes of JSON. An envelope may have 256 KiB once it is sealed.
const MAX_SHOWN: usize = 96 * 1024;
/// The action of the button "Always for this session".
pub(super) const ALWAYS: &str = "always";

/// The components of a question about a call.
///
/// # Errors
/// The call is too large to be shown as a whole: nothing is approved that was not shown.
pub(super) fn components(agent: CodingAgent, call: &ToolCall, folder: &str, rule: &Rule) -> Result<Value, String> {
    let mut request = Request { is_anything_invisible: false };
    let mut nodes = request.call(call);
    nodes.push(json!({ "type": "kv", "data": { "entries": [
        { "key": "Agent", "value": agent.name() },
        { "key": "Folder", "value": request.shown(folder) },
        { "key": "Always for this session", "value": request.shown(&rule.words) },
    ] } }));
    if request.is_anything_invisible {
        let content = "This has characters that a screen does not show. They are written as `\\u{…}`.";
        nodes.push(json!({ "type": "alert", "data": { "level": "warning", "content": content } }));
    }
    nodes.push(json!({ "type": "approval", "data": {
        "title": title(call), "approveLabel": "Approve", "rejectLabel": "Deny",
    } }));
    nodes.push(json!({ "type": "button_group", "data": { "buttons": [
        { "label": "Always for this session", "action": ALWAYS, "variant": "secondary" },
    ] } }));
    let components = json!({ "type": "group", "data": { "title": title(call) }, "children": nodes });
    let size = components.to_string().len();
    if size > MAX_SHOWN {
        return Err(format!("the request has {size} bytes, more than can be shown ({MAX_SHOWN})"));
    }
    Ok(components)
}

/// The call in a line: what runs, not how the agent describes it.
pub(super) fn title(call: &ToolCall) -> String {
    let text = |name: &str| call.input[name].as_str();
    let what = ["command", "file_path", "notebook_path", "url"].iter().find_map(|name| text(name));
    match what {
        Some(what) => format!("{}: {}", first_line(&call.tool, 60), first_line(what, 100)),
        None => first_line(&call.tool, 60),
    }
}

/// The component of a command.
pub(super) fn execution(command: &str, status: &str) -> Value {
    json!({ "type": "execution", "data": { "command": command, "status": status } })
}

struct Request {
    is_anything_invisible: bool,
}

impl Request {
    fn shown(&mut self, text: &str) -> String {
        let (text, has_invisible) = visible(text);
        self.is_anything_invisible |= has_invisible;
        text.into_owned()
    }

    /// The call itself: its main part as a component of its own, and every other argument.
    fn call(&mut self, call: &ToolCall) -> Vec<Value> {
        let mut rest = call.input.clone();
        let main = rest.as_object_mut().and_then(|input| self.main(&call.tool, input));
        let mut nodes: Vec<Value> = main.into_iter().collect();
        match &rest {
            Value::Object(input) if input.is_empty() => {}
            Value::Object(input) => nodes.extend(self.arguments(input)),
            other => nodes.push(self.json(other)),
        }
        nodes
    }

    /// Takes the main part out of the arguments. What does not have the expected form stays there.
    fn main(&mut self, tool: &str, input: &mut Map<String, Value>) -> Option<Value> {
        let text = |input: &Map<String, Value>, name: &str| Some(input.get(name)?.as_str()?.to_owned());
        match tool {
            "Bash" => {
                let command = text(input, "command")?;
                input.remove("command");
                Some(execution(&self.shown(&command), "running"))
            }
            "apply_patch" => {
                let patch = text(input, "command")?;
                input.remove("command");
                // As it is: its hunks have no line counts, without which a removed line `-- x` reads as the head of a file.
                Some(json!({ "type": "code", "data": { "language": "diff", "content": self.shown(&patch) } }))
            }
            "Edit" => {
                let (path, old, new) =
                    (text(input, "file_path")?, text(input, "old_string")?, text(input, "new_string")?);
                take(input, &["file_path", "old_string", "new_string"]);
                Some(self.diff(&path, &diff::hunk(&old, &new)))
            }
            "MultiEdit" => {
                let path = text(input, "file_path")?;
                let edits = input.get("edits")?.as_array()?;
                let hunks: Option<String> = edits.iter().map(plain_hunk).collect();
                let hunks = hunks?;
                take(input, &["file_path", "edits"]);
                Some(self.diff(&path, &hunks))
            }
            "Write" => self.file(input, "file_path", "content"),
            "NotebookEdit" => self.file(input, "notebook_path", "new_source"),
            _ => None,
        }
    }

    fn diff(&mut self, path: &str, hunks: &str) -> Value {
        let path = self.shown(path);
        let content = format!("{}{}", diff::head(&path), self.shown(hunks));
        json!({ "type": "diff", "data": { "path": path, "content": content } })
    }

    fn file(&mut self, input: &mut Map<String, Value>, path: &str, content: &str) -> Option<Value> {
        let (shown_path, shown_content) = (input.get(path)?.as_str()?, input.get(content)?.as_str()?);
        let (shown_path, shown_content) = (self.shown(shown_path), self.shown(shown_content));
        take(input, &[path, content]);
        Some(json!({ "type": "file_content", "data": { "path": shown_path, "content": shown_content } }))
    }

    /// Arguments by name. Those that are no scalars are shown as JSON, and texts whose line ends and blanks matter as they
    /// are.
    fn arguments(&mut self, input: &Map<String, Value>) -> Vec<Value> {
        let mut entries = Vec::new();
        let mut others = Vec::new();
        for (name, value) in input {
            let name = self.shown(name);
            let value = match value {
                Value::String(text) if text.contains(['\n', '\t']) || text.contains("  ") => {
                    others.push(json!({ "type": "text", "data": { "content": format!("**{name}**") } }));
                    others.push(json!({ "type": "code", "data": { "content": self.shown(text) } }));
                    continue;
                }
                Value::String(text) => self.shown(text),
                Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
                Value::Array(_) | Value::Object(_) => {
                    others.push(json!({ "type": "text", "data": { "content": format!("**{name}**") } }));
                    others.push(self.json(value));
                    continue;
                }
            };
            entries.push(json!({ "key": name, "value": value }));
        }
        let entries = (!entries.is_empty()).then(|| json!({ "type": "kv", "data": { "entries": entries } }));
        entries.into_iter().chain(others).collect()
    }

    fn json(&mut self, value: &Value) -> Value {
        let content = format!("{value:#}");
        json!({ "type": "code", "data": { "language": "json", "content": self.shown(&content) } })
    }
}

/// Removes arguments that are shown.
fn take(input: &mut Map<String, Value>, names: &[&str]) {
    input.retain(|name, _| !names.contains(&name.as_str()));
}

/// The hunk of one of several edits, if it is nothing but a replacement.
fn plain_hunk(edit: &Value) -> Option<String> {
    let edit = edit.as_object()?;
    let is_plain = edit.iter().all(|(name, value)| match name.as_str() {
        "old_string" | "new_string" => value.is_string(),
        "replace_all" => value == false,
        _ => false,
    });
    let text = |name: &str| edit.get(name)?.as_str();
    if is_plain { Some(diff::hunk(text("old_string")?, text("new_string")?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tool: &str, input: Value) -> Value {
        let call = ToolCall { tool: tool.to_owned(), input, id: None };
        let rule = Rule::of(&call, "/shop");
        components(CodingAgent::ClaudeCode, &call, "/shop", &rule).expect("components")
    }

    fn first(tool: &str, input: Value) -> Value {
        shown(tool, input)["children"][0].clone()
    }

    #[test]
    fn a_command_is_an_execution() {
        let components = shown("Bash", json!({ "command": "npm test", "run_in_background": true }));
        assert_eq!(components["children"][0], execution("npm test", "running"));
        assert_eq!(
            components["children"][1]["data"]["entries"],
            json!([{ "key": "run_in_background", "value": "true" }])
        );
        let actions = components["children"].as_array().expect("nodes");
        assert_eq!(actions[actions.len() - 2]["type"], "approval");
        assert_eq!(actions[actions.len() - 1]["data"]["buttons"][0]["action"], "always");
    }

    #[test]
    fn edits_are_diffs_and_writes_are_files() {
        let diff = first("Edit", json!({ "file_path": "/x", "old_string": "1", "new_string": "2" }));
        assert_eq!(diff["type"], "diff");
        assert_eq!(diff["data"]["content"], "--- /x\n+++ /x\n@@ -1,1 +1,1 @@\n-1\n+2\n");
        let edits = json!([{ "old_string": "1", "new_string": "2" }, { "old_string": "3", "new_string": "4" }]);
        let diff = first("MultiEdit", json!({ "file_path": "/x", "edits": edits }));
        assert!(diff["data"]["content"].as_str().is_some_and(|text| text.ends_with("-3\n+4\n")), "{diff}");
        let file = first("Write", json!({ "file_path": "/x", "content": "all" }));
        assert_eq!(file, json!({ "type": "file_content", "data": { "path": "/x", "content": "all" } }));
        let file = first("NotebookEdit", json!({ "notebook_path": "/n", "new_source": "1" }));
        assert_eq!(file["type"], "file_content");
        let patch = "*** Begin Patch\n*** Update File: q.sql\n@@\n--- drop\n+++ keep\n*** End Patch";
        let code = first("apply_patch", json!({ "command": patch }));
        assert_eq!(code, json!({ "type": "code", "data": { "language": "diff", "content": patch } }));
    }

    #[test]
    fn a_text_keeps_its_lines_and_blanks() {
        for text in ["# tidy\nrm -rf ~", "true      ; rm -rf ~", "a\tb"] {
            let nodes = shown("mcp__shell__run", json!({ "script": text, "fast": "yes" }));
            let nodes = nodes["children"].as_array().expect("nodes");
            let place = nodes.iter().position(|node| node["data"]["content"] == "**script**").expect("its name");
            assert_eq!(nodes[place + 1], json!({ "type": "code", "data": { "content": text } }));
            assert_eq!(nodes[0]["data"]["entries"], json!([{ "key": "fast", "value": "yes" }]));
        }
    }

    #[test]
    fn input_of_another_form_is_shown_unchanged() {
        for (tool, input, hidden) in [
            ("Bash", json!({ "command": ["rm", "-rf"] }), "-rf"),
            ("Bash", json!(["rm -rf"]), "rm -rf"),
            ("Edit", json!({ "file_path": "/x", "old_string": 1, "new_string": "evil" }), "evil"),
            (
                "MultiEdit",
                json!({ "file_path": "/x", "edits": [{ "old_string": "a", "new_string": "b", "run": "evil" }] }),
                "evil",
            ),
            ("mcp__db__query", json!({ "sql": "drop table t", "deep": { "more": ["evil"] } }), "evil"),
            ("Other", json!("evil"), "evil"),
        ] {
            let shown = shown(tool, input).to_string();
            assert!(shown.contains(hidden), "{shown}");
        }
    }

    #[test]
    fn invisible_characters_are_shown_and_said() {
        let components = shown("Bash", json!({ "command": "echo a\u{202e}b" })).to_string();
        assert!(components.contains("echo a\\\\u{202e}b") && components.contains("alert"), "{components}");
        assert!(!shown("Bash", json!({ "command": "echo ab" })).to_string().contains("alert"));
    }

    #[test]
    fn what_cannot_be_shown_is_an_error() {
        let input = json!({ "file_path": "/x", "content": "x".repeat(MAX_SHOWN) });
        let call = ToolCall { tool: "Write".to_owned(), input, id: None };
        let rule = Rule::of(&call, "/");
        assert!(components(CodingAgent::Codex, &call, "/", &rule).is_err());
    }
}
