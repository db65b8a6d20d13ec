//! The messages of the demo agent, with their components.

use super::shortened::shortened;
use super::words::Remark;
use hiloop_sdk::Priority;
use serde_json::{Value, json};

/// A message to send.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    pub(super) text: String,
    pub(super) components: Option<Value>,
    pub(super) priority: Priority,
}

impl Draft {
    fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), components: None, priority: Priority::Medium }
    }

    fn with(self, components: Value) -> Self {
        Self { components: Some(components), ..self }
    }

    fn urgent(self) -> Self {
        Self { priority: Priority::High, ..self }
    }
}

/// The title of a conversation.
pub(super) const TITLE: &str = "Deploy api v2.4.0";

const DIFF: &str = "\
--- a/src/limits.rs
+++ b/src/limits.rs
@@ -12,4 +12,5 @@
 /// Requests that one client may make.
-pub const PER_SECOND: u32 = 50;
+pub const PER_SECOND: u32 = 100;
+pub const BURST: u32 = 200;
";

/// The stages of a deployment: percent, message, and label of the progress bar.
const STAGES: [(u32, &str, &str); 4] = [
    (25, "The image is on all three hosts.", "Image pulled"),
    (50, "The database is migrated; nothing was locked.", "Database migrated"),
    (75, "Two of three hosts serve v2.4.0.", "Rolling out"),
    (100, "All three hosts serve v2.4.0.", "Rolled out"),
];

fn node(kind: &str, data: &Value) -> Value {
    json!({ "type": kind, "data": data })
}

fn group(children: &[Value]) -> Value {
    json!({ "type": "group", "data": {}, "children": children })
}

fn buttons(buttons: &[(&str, &str, &str)]) -> Value {
    let buttons: Vec<Value> = buttons
        .iter()
        .map(|(label, action, variant)| json!({ "label": label, "action": action, "variant": variant }))
        .collect();
    node("button_group", &json!({ "buttons": buttons }))
}

pub(super) fn approval(first: bool) -> Draft {
    let text = if first {
        "Hello! **api v2.4.0** has passed its tests and is ready for production. Shall I deploy it?"
    } else {
        "Once more from the top: **api v2.4.0** is ready for production. Shall I deploy it?"
    };
    let entries: Vec<Value> = [
        ("Version", "v2.4.0 (now v2.3.1)"),
        ("Commit", "9f3c1e7"),
        ("Environment", "production"),
        ("Tests", "412 passed"),
    ]
    .iter()
    .map(|(key, value)| json!({ "key": key, "value": value }))
    .collect();
    Draft::text(text).urgent().with(group(&[
        node("text", &json!({ "content": "The rate limit doubles. This is the whole change:" })),
        node("kv", &json!({ "entries": entries })),
        node("diff", &json!({ "content": DIFF })),
        node(
            "approval",
            &json!({
                "title": "Deploy api v2.4.0 to production?",
                "description": "Three hosts, one after the other. v2.3.1 stays at hand.",
                "approveLabel": "Deploy",
                "rejectLabel": "Don't deploy",
            }),
        ),
    ]))
}

pub(super) fn approval_again() -> Draft {
    Draft::text("Sorry, I can't tell whether that is a yes or a no, and I'd rather not guess. Shall I deploy v2.4.0?")
        .urgent()
        .with(buttons(&[("Deploy", "approve", "primary"), ("Don't deploy", "reject", "danger")]))
}

pub(super) fn starting() -> Draft {
    Draft::text("Thank you. I'm deploying v2.4.0 now.")
}

pub(super) fn stages() -> impl Iterator<Item = Draft> {
    STAGES.iter().map(|(percent, text, label)| {
        Draft::text(*text).with(node("progress", &json!({ "value": percent, "max": 100, "label": label })))
    })
}

pub(super) fn success() -> Draft {
    let metrics = json!({ "metrics": [
        { "label": "Hosts", "value": "3 / 3" },
        { "label": "Errors", "value": "0.02 %", "change": "-0.01 %" },
        { "label": "p95", "value": "41 ms", "change": "-3 ms" },
    ] });
    Draft::text("The deployment is done.").with(group(&[
        node("alert", &json!({ "level": "success", "content": "**api v2.4.0** serves all of production." })),
        node("metric_grid", &metrics),
    ]))
}

pub(super) fn ask_why() -> Draft {
    Draft::text("All right, v2.3.1 stays where it is. Why should I not deploy v2.4.0? I'll pass it on to its authors.")
}

pub(super) fn reason_noted(reason: &str) -> Draft {
    Draft::text(format!("Noted. This is what the authors of v2.4.0 will read:\n\n{}", quoted(reason)))
}

pub(super) fn ask_release_note() -> Draft {
    Draft::text("What should the release note say?")
}

pub(super) fn release_note(note: &str) -> Draft {
    Draft::text(format!("Good. The release note for v2.4.0 reads:\n\n{}", quoted(note)))
}

pub(super) fn unreadable() -> Draft {
    Draft::text("Sorry, I could not read that: this demo understands plain text only. Would you write it once more?")
}

pub(super) fn closing_question(first_time: bool) -> Draft {
    let text = if first_time {
        "That was the whole demo. Shall I run it again, or are we done?"
    } else {
        "I did not get that. Shall I run it again, or are we done?"
    };
    Draft::text(text).with(buttons(&[("Run it again", "again", "primary"), ("Done", "done", "secondary")]))
}

pub(super) fn thanks() -> Draft {
    Draft::text("Thank you for your time. I'm closing this session; goodbye!")
}

pub(super) fn expired() -> Draft {
    Draft::text("There was no answer within half an hour, so I leave everything as it is and close this session.")
        .with(node("alert", &json!({ "level": "warning", "content": "The question has expired without an answer." })))
}

pub(super) fn cancelled() -> Draft {
    Draft::text("My question was cancelled, so I leave everything as it is and close this session.")
}

/// A reply to a remark. `waiting` names the answer that the agent waits for, unless it is busy.
pub(super) fn aside(remark: Remark, name: &str, waiting: Option<&str>) -> Draft {
    let reply = match remark {
        Remark::Greeting => format!("Hello, {}!", plain(name)),
        Remark::Thanks => "You're welcome.".to_owned(),
        Remark::Question => "I'm only a scripted demo, so I have no good answer to that.".to_owned(),
        Remark::Answer if waiting.is_some() => {
            "If that is your answer: give it on my question itself, so that it counts.".to_owned()
        }
        Remark::Answer | Remark::Other => "I've read that.".to_owned(),
    };
    Draft::text(format!("{reply} {}", waiting.unwrap_or("One moment please, I'm at work here.")))
}

/// A name without Markdown syntax.
fn plain(name: &str) -> String {
    let kept: String = name.chars().filter(|c| !matches!(c, '*' | '_' | '`' | '[' | ']' | '<' | '>' | '\\')).collect();
    shortened(kept.trim(), 64)
}

/// A Markdown quotation.
fn quoted(text: &str) -> String {
    let text = shortened(text, 1000);
    let lines: Vec<String> = text.lines().map(|line| format!("> {line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_keep_their_lines() {
        assert_eq!(quoted("one\ntwo"), "> one\n> two");
    }

    #[test]
    fn names_are_stripped_of_markdown() {
        assert_eq!(plain("**Ada** [x]"), "Ada x");
    }

    #[test]
    fn progress_rises_to_its_maximum() {
        let values: Vec<u64> = stages()
            .filter_map(|draft| draft.components)
            .filter_map(|progress| progress["data"]["value"].as_u64())
            .collect();
        assert_eq!(values, [25, 50, 75, 100]);
    }
}
