//! An event, as a coding agent writes it to the standard input of its hooks.

use serde::Deserialize;
use serde_json::Value;

/// An event of a coding agent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    /// The session of the coding agent.
    pub(super) session: String,
    /// The folder that it works in.
    pub(super) folder: String,
    /// The turn of the conversation, where the agent names it.
    pub(super) turn: Option<String>,
    pub(super) kind: Kind,
}

/// The kind of an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A tool is about to run.
    PreToolUse(ToolCall),
    /// The agent would ask at its terminal.
    PermissionRequest(ToolCall),
    /// A tool has run.
    PostToolUse(ToolCall, ToolResult),
    /// The agent has a message for its user.
    Notification { message: String, is_permission_prompt: bool },
    /// The agent has finished its turn.
    Stop { last_message: Option<String> },
}

/// A tool and its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ToolCall {
    pub(super) tool: String,
    pub(super) input: Value,
    /// The id of the call; a request for permission has none.
    pub(super) id: Option<String>,
}

/// The result of a tool.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ToolResult {
    pub(super) response: Value,
    pub(super) is_failure: bool,
    pub(super) duration_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Raw {
    hook_event_name: String,
    session_id: String,
    cwd: String,
    turn_id: Option<String>,
    prompt_id: Option<String>,
    tool_name: Option<String>,
    tool_input: Option<Value>,
    tool_use_id: Option<String>,
    tool_response: Option<Value>,
    error: Option<String>,
    duration_ms: Option<f64>,
    message: Option<String>,
    notification_type: Option<String>,
    last_assistant_message: Option<String>,
}

impl Event {
    /// Reads an event; the error says what is wrong with it.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let raw: Raw = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if raw.session_id.is_empty() {
            return Err("'session_id' is empty".to_owned());
        }
        let missing = |field: &str| format!("'{field}' is missing");
        let call = || {
            let tool = raw.tool_name.clone().filter(|tool| !tool.is_empty()).ok_or_else(|| missing("tool_name"))?;
            let input = raw.tool_input.clone().ok_or_else(|| missing("tool_input"))?;
            Ok::<_, String>(ToolCall { tool, input, id: raw.tool_use_id.clone().filter(|id| !id.is_empty()) })
        };
        let result = |response, is_failure| ToolResult {
            response,
            is_failure,
            duration_ms: raw.duration_ms.filter(|time| (0.0..1e12).contains(time)).map(|time| time as u64),
        };
        let kind = match raw.hook_event_name.as_str() {
            "PreToolUse" => {
                let call = call()?;
                if call.id.is_none() {
                    return Err(missing("tool_use_id"));
                }
                Kind::PreToolUse(call)
            }
            "PermissionRequest" => Kind::PermissionRequest(call()?),
            "PostToolUse" => Kind::PostToolUse(call()?, result(raw.tool_response.clone().unwrap_or_default(), false)),
            "PostToolUseFailure" => {
                Kind::PostToolUse(call()?, result(raw.error.clone().unwrap_or_default().into(), true))
            }
            "Notification" => Kind::Notification {
                message: raw.message.clone().ok_or_else(|| missing("message"))?,
                is_permission_prompt: raw.notification_type.as_deref() == Some("permission_prompt"),
            },
            "Stop" => {
                Kind::Stop { last_message: raw.last_assistant_message.clone().filter(|text| !text.trim().is_empty()) }
            }
            other => return Err(format!("'{other}' is not an event that this hook handles")),
        };
        Ok(Self { session: raw.session_id, folder: raw.cwd, turn: raw.turn_id.or(raw.prompt_id), kind })
    }

    /// The call that needs a decision, if the event is about one.
    pub(super) fn asks(&self) -> Option<&ToolCall> {
        match &self.kind {
            Kind::PreToolUse(call) | Kind::PermissionRequest(call) => Some(call),
            Kind::PostToolUse(..) | Kind::Notification { .. } | Kind::Stop { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(text: &str) -> Event {
        Event::parse(text.as_bytes()).expect("an event")
    }

    #[test]
    fn events_of_claude_code() {
        let event = parsed(include_str!("events/claude-code/pre_tool_use.json"));
        assert_eq!(event.session, "6809093c-ecdf-4775-9759-63c9a0be7540");
        assert_eq!(event.folder, "/home/ada/shop");
        let Kind::PreToolUse(call) = &event.kind else { panic!("{event:?}") };
        assert_eq!((call.tool.as_str(), call.id.as_deref()), ("Bash", Some("toolu_01")));
        assert_eq!(call.input["command"], "npm test");

        let event = parsed(include_str!("events/claude-code/permission_request.json"));
        assert_eq!(event.turn.as_deref(), Some("77d8aacb-3ddd-484b-b454-095e05cad693"));
        assert!(matches!(&event.kind, Kind::PermissionRequest(call) if call.tool == "Edit" && call.id.is_none()));

        let event = parsed(include_str!("events/claude-code/post_tool_use.json"));
        let Kind::PostToolUse(_, result) = &event.kind else { panic!("{event:?}") };
        assert_eq!((result.is_failure, result.duration_ms), (false, Some(132)));
        let event = parsed(include_str!("events/claude-code/post_tool_use_failure.json"));
        assert!(
            matches!(&event.kind, Kind::PostToolUse(_, result) if result.is_failure && result.response == "Exit code 1\nboom")
        );

        let event = parsed(include_str!("events/claude-code/notification.json"));
        assert!(matches!(&event.kind, Kind::Notification { is_permission_prompt: false, .. }));
        let event = parsed(include_str!("events/claude-code/stop.json"));
        assert_eq!(event.kind, Kind::Stop { last_message: Some("All done.".to_owned()) });
    }

    #[test]
    fn events_of_codex() {
        let event = parsed(include_str!("events/codex/pre_tool_use.json"));
        assert!(matches!(&event.kind, Kind::PreToolUse(call) if call.id.as_deref() == Some("call_1")));
        let event = parsed(include_str!("events/codex/permission_request.json"));
        assert_eq!(event.turn.as_deref(), Some("turn-7"));
        assert!(event.asks().is_some_and(|call| call.tool == "Bash"));
        let event = parsed(include_str!("events/codex/post_tool_use.json"));
        assert!(matches!(&event.kind, Kind::PostToolUse(_, result) if !result.is_failure));
        let event = parsed(include_str!("events/codex/stop.json"));
        assert_eq!(event.kind, Kind::Stop { last_message: None });
    }

    #[test]
    fn what_is_no_event_is_an_error() {
        let event = json!({
            "hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/", "tool_name": "Bash",
            "tool_input": { "command": "ls" }, "tool_use_id": "t",
        });
        assert!(Event::parse(event.to_string().as_bytes()).is_ok());
        for (field, bad) in [
            ("hook_event_name", json!("PreToolUses")),
            ("hook_event_name", Value::Null),
            ("session_id", json!("")),
            ("session_id", json!(7)),
            ("cwd", Value::Null),
            ("tool_name", json!("")),
            ("tool_name", json!(["Bash"])),
            ("tool_input", Value::Null),
            ("tool_use_id", Value::Null),
        ] {
            let mut event = event.clone();
            event[field] = bad;
            assert!(Event::parse(event.to_string().as_bytes()).is_err(), "{event}");
        }
        let nested = "[".repeat(100_000);
        for text in ["", "{}", "null", "{\"hook_event_name\":\"PreToolUse\"", "\u{0}", nested.as_str()] {
            assert!(Event::parse(text.as_bytes()).is_err(), "{}", &text[..text.len().min(40)]);
        }
        assert!(Event::parse(b"\xff\xfe").is_err());
    }
}
