//! The hooks in the settings of a coding agent. Claude Code and Codex have the same form:
//! `{"hooks": {EVENT: [{"matcher", "hooks": [{"type", "command", "timeout"}]}]}}`.

use super::agent::CodingAgent;
use serde_json::{Map, Value, json};

/// How much longer a coding agent waits for a hook than the hook waits for people: an agent goes on without a hook that
/// takes too long.
const MARGIN: u64 = 120;

/// Which calls people are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Scope {
    /// The calls that need permission at the coding agent's terminal
    Prompts,
    /// Each command, edit, web request and call of an MCP server
    Tools,
}

/// The hooks to write.
pub(super) struct Hooks<'a> {
    pub(super) agent: CodingAgent,
    pub(super) scope: Scope,
    /// The path of this program.
    pub(super) program: &'a str,
    pub(super) timeout: u64,
    pub(super) to: &'a [String],
}

impl Hooks<'_> {
    /// Adds the hooks in place of those that an earlier installation added. All else stays.
    pub(super) fn install(&self, settings: &mut Value) -> Result<(), String> {
        uninstall(settings, self.agent)?;
        let settings = settings.as_object_mut().ok_or(NOT_AN_OBJECT)?;
        let hooks = settings.entry("hooks").or_insert_with(|| json!({}));
        let hooks = hooks.as_object_mut().ok_or(NOT_HOOKS)?;
        for (event, matcher, decides) in self.events() {
            let groups = hooks.entry(event).or_insert_with(|| json!([]));
            let groups = groups.as_array_mut().ok_or(NOT_HOOKS)?;
            let hook = json!({
                "type": "command",
                "command": self.command(decides),
                "timeout": if decides { self.timeout + MARGIN } else { 30 },
            });
            let mut group = Map::new();
            if let Some(matcher) = matcher {
                group.insert("matcher".to_owned(), json!(matcher));
            }
            group.insert("hooks".to_owned(), json!([hook]));
            groups.push(Value::Object(group));
        }
        Ok(())
    }

    /// The events, their matchers, and whether the reply decides.
    fn events(&self) -> Vec<(&'static str, Option<&'static str>, bool)> {
        let tools = Some(match self.agent {
            CodingAgent::ClaudeCode => "^(Bash|Edit|MultiEdit|Write|NotebookEdit|WebFetch|mcp__.*)$",
            CodingAgent::Codex => "^(Bash|apply_patch|mcp__.*)$",
        });
        let mut events = Vec::new();
        if self.scope == Scope::Tools {
            events.push(("PreToolUse", tools, true));
        }
        // Codex would ask a second time about what was approved before the call.
        if self.scope == Scope::Prompts || self.agent == CodingAgent::ClaudeCode {
            events.push(("PermissionRequest", Some("*"), true));
        }
        events.push(("PostToolUse", tools, false));
        if self.agent == CodingAgent::ClaudeCode {
            events.push(("PostToolUseFailure", tools, false));
            events.push(("Notification", None, false));
        }
        events.push(("Stop", None, false));
        events
    }

    /// The command. Where it decides, any failure is a denial, also that of a program which is not there.
    fn command(&self, decides: bool) -> String {
        let mut command = format!("{} hook {} --timeout {}", quoted(self.program), self.agent.command(), self.timeout);
        for person in self.to {
            command += &format!(" --to {}", quoted(person));
        }
        if decides {
            command += " || exit 2";
        }
        command
    }
}

const NOT_AN_OBJECT: &str = "the file does not hold a JSON object";
const NOT_HOOKS: &str = "'hooks' does not have the expected form";

/// Removes the hooks, and what is empty without them. Whether there were any.
pub(super) fn uninstall(settings: &mut Value, agent: CodingAgent) -> Result<bool, String> {
    let settings = settings.as_object_mut().ok_or(NOT_AN_OBJECT)?;
    let Some(hooks) = settings.get_mut("hooks") else { return Ok(false) };
    let hooks = hooks.as_object_mut().ok_or(NOT_HOOKS)?;
    let mut is_any_removed = false;
    let mut emptied = Vec::new();
    for (event, groups) in hooks.iter_mut() {
        let Some(groups) = groups.as_array_mut() else { continue };
        let mut is_removed = false;
        groups.retain_mut(|group| {
            let Some(list) = group.get_mut("hooks").and_then(Value::as_array_mut) else { return true };
            let before = list.len();
            list.retain(|hook| !is_own(hook, agent));
            let is_changed = list.len() < before;
            is_removed |= is_changed;
            !(is_changed && list.is_empty())
        });
        if is_removed && groups.is_empty() {
            emptied.push(event.clone());
        }
        is_any_removed |= is_removed;
    }
    for event in emptied {
        hooks.shift_remove(&event);
    }
    if is_any_removed && hooks.is_empty() {
        settings.shift_remove("hooks");
    }
    Ok(is_any_removed)
}

/// Whether a hook runs `hiloop hook` for this agent.
fn is_own(hook: &Value, agent: CodingAgent) -> bool {
    let command = hook["command"].as_str().unwrap_or_default();
    let Some((program, rest)) = command.split_once(&format!(" hook {}", agent.command())) else { return false };
    program.trim_end_matches('\'').ends_with("hiloop") && (rest.is_empty() || rest.starts_with(' '))
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hooks(agent: CodingAgent, scope: Scope) -> Hooks<'static> {
        Hooks { agent, scope, program: "/opt/my tools/hiloop", timeout: 600, to: &[] }
    }

    fn others() -> Value {
        json!({
            "model": "opus",
            "hooks": {
                "Stop": [{ "hooks": [{ "type": "command", "command": "say done" }] }],
                "PreToolUse": [{ "matcher": "Bash", "hooks": [{ "type": "command", "command": "lint" }] }],
            },
            "permissions": { "allow": ["Bash(git status)"] },
        })
    }

    #[test]
    fn what_else_the_file_has_stays_and_twice_is_once() {
        for agent in [CodingAgent::ClaudeCode, CodingAgent::Codex] {
            for scope in [Scope::Prompts, Scope::Tools] {
                let mut settings = others();
                hooks(agent, scope).install(&mut settings).expect("installed");
                assert_eq!(settings["hooks"]["Stop"][0], others()["hooks"]["Stop"][0]);
                assert_eq!(settings["permissions"], others()["permissions"]);
                let once = settings.clone();
                hooks(agent, scope).install(&mut settings).expect("installed");
                assert_eq!(settings, once);
                assert_eq!(uninstall(&mut settings, agent), Ok(true));
                assert_eq!(settings.to_string(), others().to_string(), "also in the order of its members");
                assert_eq!(uninstall(&mut settings, agent), Ok(false));
            }
        }
        let mut empty = json!({});
        hooks(CodingAgent::Codex, Scope::Prompts).install(&mut empty).expect("installed");
        assert_eq!(uninstall(&mut empty, CodingAgent::Codex), Ok(true));
        assert_eq!(empty, json!({}));
    }

    #[test]
    fn a_decision_that_fails_is_a_denial() {
        let mut settings = json!({});
        let hooks = hooks(CodingAgent::ClaudeCode, Scope::Tools);
        hooks.install(&mut settings).expect("installed");
        let hook = &settings["hooks"]["PreToolUse"][0]["hooks"][0];
        assert_eq!(hook["command"], "'/opt/my tools/hiloop' hook claude-code --timeout 600 || exit 2");
        assert_eq!(hook["timeout"], 720);
        assert_eq!(settings["hooks"]["PermissionRequest"][0]["hooks"][0], *hook);
        let stop = &settings["hooks"]["Stop"][0]["hooks"][0]["command"];
        assert_eq!(stop, "'/opt/my tools/hiloop' hook claude-code --timeout 600");
    }

    #[test]
    fn hooks_of_others_are_not_taken_for_own_ones() {
        let own = |command: &str| is_own(&json!({ "type": "command", "command": command }), CodingAgent::ClaudeCode);
        assert!(own("hiloop hook claude-code") && own("'/a b/hiloop' hook claude-code --timeout 5 || exit 2"));
        for other in ["hiloop hook codex", "lint hook claude-code", "hiloop hook claude-codex", "hiloop demo", ""] {
            assert!(!own(other), "{other}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_touched() {
        for mut settings in [json!([]), json!("x"), json!({ "hooks": [] }), json!({ "hooks": { "Stop": {} } })] {
            assert!(hooks(CodingAgent::ClaudeCode, Scope::Prompts).install(&mut settings).is_err(), "{settings}");
        }
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("/usr/bin/hiloop"), "/usr/bin/hiloop");
        assert_eq!(quoted("it's; rm"), r"'it'\''s; rm'");
    }
}
