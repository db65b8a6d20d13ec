//! A reply as the coding agents read it: JSON on standard output, a line on standard error, an exit code.

use super::agent::CodingAgent;
use super::event::{Event, Kind};
use super::outcome::Verdict;
use crate::cli::print;
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::process::ExitCode;

/// The exit code that stops a coding agent, with the reason on standard error.
const BLOCKED: u8 = 2;
/// Maximum length of people's text that is passed on.
const MAX_TEXT: usize = 10_000;

/// The reply of the hook to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The decision on a call.
    Decided(Verdict),
    /// The rule of the call was approved for the rest of the session.
    Remembered,
    /// The agent continues with the messages of people.
    GoOn(String),
    /// No output.
    Nothing,
}

/// The output and the exit code of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Output {
    stdout: Option<String>,
    stderr: Option<String>,
    code: u8,
}

impl Reply {
    pub(super) fn output(&self, agent: CodingAgent, event: &Event) -> Output {
        let stdout = match (self, &event.kind) {
            (Self::Nothing, _) => None,
            (Self::GoOn(text), _) => Some(json!({ "decision": "block", "reason": limited(text) })),
            (Self::Remembered, _) => {
                let verdict =
                    Verdict::Approved { by: "the rule for this session".to_owned(), text: None, always: true };
                decision(agent, &event.kind, &verdict)
            }
            (Self::Decided(verdict), kind) => decision(agent, kind, verdict),
        };
        Output { stdout: stdout.map(|value| value.to_string()), stderr: None, code: 0 }
    }
}

/// A decision in the form of its event.
fn decision(agent: CodingAgent, kind: &Kind, verdict: &Verdict) -> Option<Value> {
    let specific = match (kind, verdict) {
        (Kind::PermissionRequest(_), Verdict::Approved { .. }) => {
            json!({ "hookEventName": "PermissionRequest", "decision": { "behavior": "allow" } })
        }
        (Kind::PermissionRequest(_), Verdict::Denied(reason)) => json!({
            "hookEventName": "PermissionRequest",
            "decision": { "behavior": "deny", "message": limited(reason) },
        }),
        (_, Verdict::Denied(reason)) => json!({
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": limited(reason),
        }),
        (_, Verdict::Approved { by, text, .. }) => {
            let mut specific = Map::from_iter([("hookEventName".to_owned(), json!("PreToolUse"))]);
            // Codex rejects this field: it continues by default.
            if agent == CodingAgent::ClaudeCode {
                specific.insert("permissionDecision".to_owned(), json!("allow"));
                specific.insert("permissionDecisionReason".to_owned(), json!(format!("Approved by {by}.")));
            }
            if let Some(text) = text {
                let context = format!("{by} approved this and wrote: {}", limited(text));
                specific.insert("additionalContext".to_owned(), json!(context));
            }
            if specific.len() == 1 {
                return None;
            }
            Value::Object(specific)
        }
    };
    Some(json!({ "hookSpecificOutput": specific }))
}

fn limited(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

impl Output {
    /// A denial of something that is no event, or before it is known which one.
    pub(super) fn refused(problem: &str) -> Self {
        Self { stdout: None, stderr: Some(format!("Denied: {problem}.")), code: BLOCKED }
    }

    /// A failure: a denial where the event asks for a decision, an error that stops nothing otherwise.
    pub(super) fn failed(agent: CodingAgent, event: &Event, problem: &str) -> Self {
        if event.asks().is_some() {
            let reason = format!("Denied: {}.", problem.trim_end_matches('.'));
            return Reply::Decided(Verdict::Denied(reason)).output(agent, event);
        }
        Self { stdout: None, stderr: Some(format!("hiloop: {problem}")), code: 1 }
    }

    /// Prints it. What cannot be printed is a denial.
    pub(super) fn print(self) -> ExitCode {
        if let Some(text) = &self.stdout {
            let mut out = std::io::stdout().lock();
            if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
                print::problem("Denied: the decision cannot be printed.");
                return ExitCode::from(BLOCKED);
            }
        }
        if let Some(text) = &self.stderr {
            print::problem(text);
        }
        ExitCode::from(self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRE: &str = include_str!("events/claude-code/pre_tool_use.json");
    const PERMISSION: &str = include_str!("events/claude-code/permission_request.json");
    const STOP: &str = include_str!("events/claude-code/stop.json");

    fn event(text: &str) -> Event {
        Event::parse(text.as_bytes()).expect("an event")
    }

    fn printed(agent: CodingAgent, text: &str, reply: &Reply) -> Value {
        let output = reply.output(agent, &event(text));
        assert_eq!((output.code, output.stderr), (0, None));
        output.stdout.map_or(Value::Null, |text| serde_json::from_str(&text).expect("JSON"))
    }

    fn approved(text: Option<&str>) -> Reply {
        Reply::Decided(Verdict::Approved { by: "Ada".to_owned(), text: text.map(str::to_owned), always: false })
    }

    #[test]
    fn decisions_before_a_tool() {
        let reply = approved(Some("Only once"));
        assert_eq!(
            printed(CodingAgent::ClaudeCode, PRE, &reply),
            json!({ "hookSpecificOutput": {
                "hookEventName": "PreToolUse", "permissionDecision": "allow",
                "permissionDecisionReason": "Approved by Ada.",
                "additionalContext": "Ada approved this and wrote: Only once",
            } })
        );
        assert_eq!(
            printed(CodingAgent::Codex, PRE, &reply),
            json!({ "hookSpecificOutput": {
                "hookEventName": "PreToolUse", "additionalContext": "Ada approved this and wrote: Only once",
            } })
        );
        assert_eq!(printed(CodingAgent::Codex, PRE, &approved(None)), Value::Null);
        for agent in [CodingAgent::ClaudeCode, CodingAgent::Codex] {
            assert_eq!(
                printed(agent, PRE, &Reply::Decided(Verdict::Denied("No.".to_owned()))),
                json!({ "hookSpecificOutput": {
                    "hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": "No.",
                } })
            );
        }
    }

    #[test]
    fn decisions_on_a_request_for_permission() {
        for agent in [CodingAgent::ClaudeCode, CodingAgent::Codex] {
            for (reply, decision) in [
                (approved(Some("x")), json!({ "behavior": "allow" })),
                (Reply::Remembered, json!({ "behavior": "allow" })),
                (Reply::Decided(Verdict::Denied("No.".to_owned())), json!({ "behavior": "deny", "message": "No." })),
            ] {
                assert_eq!(
                    printed(agent, PERMISSION, &reply),
                    json!({ "hookSpecificOutput": { "hookEventName": "PermissionRequest", "decision": decision } })
                );
            }
        }
    }

    #[test]
    fn what_people_wrote_keeps_the_agent_going() {
        let reply = Reply::GoOn("Ada wrote: more".to_owned());
        let block = json!({ "decision": "block", "reason": "Ada wrote: more" });
        assert_eq!(printed(CodingAgent::ClaudeCode, STOP, &reply), block);
    }

    #[test]
    fn a_failure_denies_what_asks_and_stops_nothing_else() {
        let denied = Output::failed(CodingAgent::ClaudeCode, &event(PRE), "the hub is away");
        assert_eq!(denied.code, 0);
        assert!(denied.stdout.is_some_and(|text| text.contains(r#""deny""#) && text.contains("the hub is away")));
        let failed = Output::failed(CodingAgent::ClaudeCode, &event(STOP), "the hub is away");
        assert_eq!((failed.stdout, failed.code), (None, 1));
        let refused = Output::refused("the event is malformed");
        assert_eq!((refused.stdout, refused.code), (None, 2));
        assert!(refused.stderr.is_some_and(|text| text.contains("malformed")));
    }
}
