//! The report to people on a tool that has run.

use super::diff;
use super::event::{ToolCall, ToolResult};
use super::request::{execution, title};
use super::shown::{shortened, visible};
use serde_json::{Value, json};

/// The most that is shown of an output.
const MAX_OUTPUT: usize = 16 * 1024;

/// The component of a tool's result.
pub(super) fn component(call: &ToolCall, result: &ToolResult) -> Value {
    let shown = |text: &str| shortened(&visible(text).0, MAX_OUTPUT).into_owned();
    let text = |name: &str| call.input[name].as_str();
    let heading = |word: &str| json!({ "type": "text", "data": { "content": format!("{word} {}", title(call)) } });
    match (call.tool.as_str(), text("command"), text("file_path")) {
        ("Bash", Some(command), _) => {
            let (output, exit_code) = output(&result.response);
            let has_failed =
                result.is_failure || exit_code.is_some_and(|code| code != 0) || result.response["interrupted"] == true;
            let mut execution = execution(&shown(command), if has_failed { "failed" } else { "succeeded" });
            execution["data"]["output"] = json!(shown(&output));
            if let Some(code) = exit_code {
                execution["data"]["exitCode"] = json!(code);
            }
            if let Some(time) = result.duration_ms {
                execution["data"]["durationMs"] = json!(time);
            }
            execution
        }
        (_, _, _) if result.is_failure => {
            let content = format!("{} failed: {}", title(call), shown(&output(&result.response).0));
            json!({ "type": "alert", "data": { "level": "warning", "content": content } })
        }
        ("Edit", _, Some(path)) => {
            let hunk = diff::hunk(text("old_string").unwrap_or_default(), text("new_string").unwrap_or_default());
            let content = format!("{}{}", diff::head(path), hunk);
            json!({ "type": "diff", "data": { "path": path, "content": shown(&content) } })
        }
        ("MultiEdit" | "Write" | "NotebookEdit" | "apply_patch", _, _) => heading("Done:"),
        _ => {
            let (output, _) = output(&result.response);
            let code = json!({ "type": "code", "data": { "content": shown(&output) } });
            json!({ "type": "group", "data": { "title": title(call) }, "children": [code] })
        }
    }
}

/// The output of a command, and its exit code where the agent says it.
fn output(response: &Value) -> (String, Option<i64>) {
    let exit_code = ["exit_code", "exitCode", "code"].iter().find_map(|name| response[*name].as_i64());
    let text = |name: &str| response[name].as_str().unwrap_or_default();
    let output = match response {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        _ if response["stdout"].is_string() || response["stderr"].is_string() => {
            let (out, err) = (text("stdout"), text("stderr"));
            let between = if out.is_empty() || err.is_empty() || out.ends_with('\n') { "" } else { "\n" };
            format!("{out}{between}{err}")
        }
        _ if response["output"].is_string() => text("output").to_owned(),
        other => format!("{other:#}"),
    };
    (output, exit_code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::hook::event::{Event, Kind};

    fn reported(event: &str) -> Value {
        match Event::parse(event.as_bytes()).expect("an event").kind {
            Kind::PostToolUse(call, result) => component(&call, &result),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_command_has_its_output() {
        let succeeded = reported(include_str!("events/claude-code/post_tool_use.json"));
        assert_eq!(
            succeeded["data"],
            json!({ "command": "npm test", "status": "succeeded", "output": "412 passed", "durationMs": 132 })
        );
        let failed = reported(include_str!("events/claude-code/post_tool_use_failure.json"));
        assert_eq!(
            (&failed["data"]["status"], &failed["data"]["output"]),
            (&json!("failed"), &json!("Exit code 1\nboom"))
        );
        let codex = reported(include_str!("events/codex/post_tool_use.json"));
        assert_eq!(codex["data"]["output"], "test result: ok. 12 passed");
    }

    #[test]
    fn outputs_of_each_form() {
        assert_eq!(output(&json!({ "stdout": "a", "stderr": "b" })), ("a\nb".to_owned(), None));
        assert_eq!(output(&json!({ "output": "a", "exit_code": 3 })), ("a".to_owned(), Some(3)));
        assert_eq!(output(&Value::Null), (String::new(), None));
    }

    #[test]
    fn long_output_is_shortened() {
        let call = ToolCall { tool: "Bash".to_owned(), input: json!({ "command": "yes" }), id: None };
        let result = ToolResult { response: json!("y\n".repeat(1 << 20)), is_failure: false, duration_ms: None };
        assert!(component(&call, &result).to_string().len() < 2 * MAX_OUTPUT);
    }
}
