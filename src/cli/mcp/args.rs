//! Reads the arguments of a tool. Each error names the argument.

use hiloop_sdk::{NewParticipant, Priority, Timestamp};
use serde_json::{Map, Value};
use std::time::Duration;
use uuid::Uuid;

/// The longest text of a title, a key or a name, in characters.
const MAX_LINE: usize = 500;
/// The most entries of a list.
const MAX_ENTRIES: usize = 100;

/// When a question expires.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Deadline {
    In(Duration),
    At(Timestamp),
}

/// The arguments that were not read yet.
#[derive(Debug, Default)]
pub(super) struct Args(Map<String, Value>);

impl Args {
    pub(super) fn new(arguments: Option<Map<String, Value>>) -> Self {
        let mut arguments = arguments.unwrap_or_default();
        // Models give null for what they leave out.
        arguments.retain(|_, value| !value.is_null());
        Self(arguments)
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name)
    }

    /// Fails if an argument is left over: a misspelt one must not be ignored.
    pub(super) fn finish(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("'{name}' is not an argument of this tool")),
        }
    }

    pub(super) fn required<T>(name: &str, value: Option<T>) -> Result<T, String> {
        value.ok_or_else(|| format!("'{name}' is required"))
    }

    /// A text of any length that is not blank.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
            Some(Value::String(_)) => Err(format!("'{name}' must not be empty")),
            Some(_) => Err(format!("'{name}' must be a string")),
        }
    }

    /// A short text.
    pub(super) fn line(&mut self, name: &str) -> Result<Option<String>, String> {
        let text = self.text(name)?;
        match &text {
            Some(text) if text.chars().count() > MAX_LINE => {
                Err(format!("'{name}' must have at most {MAX_LINE} characters"))
            }
            _ => Ok(text),
        }
    }

    /// A key for a header of the hub.
    pub(super) fn key(&mut self, name: &str) -> Result<Option<String>, String> {
        let key = self.text(name)?;
        let fits = |key: &String| key.len() <= 255 && key.bytes().all(|byte| byte.is_ascii_graphic());
        match key.as_ref().is_none_or(fits) {
            true => Ok(key),
            false => Err(format!("'{name}' must be 1 to 255 visible ASCII characters without blanks")),
        }
    }

    pub(super) fn id(&mut self, name: &str) -> Result<Option<Uuid>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let id =
            text.trim().parse().map_err(|_| format!("'{name}' must be an id (a UUID) (got '{}')", shown(&text)))?;
        Ok(Some(id))
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<bool, String> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(format!("'{name}' must be true or false")),
        }
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, name: &str, least: u64, most: u64) -> Result<Option<u64>, String> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (least..=most).contains(number));
        number.map(Some).ok_or_else(|| format!("'{name}' must be a whole number from {least} to {most}"))
    }

    /// A list of texts. One text stands for a list of one.
    pub(super) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, String> {
        let values = match self.take(name) {
            None => return Ok(None),
            Some(Value::Array(values)) => values,
            Some(text @ Value::String(_)) => vec![text],
            Some(_) => return Err(format!("'{name}' must be a list of strings")),
        };
        if values.is_empty() || values.len() > MAX_ENTRIES {
            return Err(format!("'{name}' must have 1 to {MAX_ENTRIES} entries"));
        }
        let texts = values.into_iter().map(|value| match value {
            Value::String(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            _ => Err(format!("'{name}' must be a list of strings that are not empty")),
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// People, each by e-mail address or id.
    pub(super) fn people(&mut self, name: &str) -> Result<Option<Vec<String>>, String> {
        let people = self.texts(name)?;
        match people.iter().flatten().find(|text| !is_person(text)) {
            None => Ok(people),
            Some(text) => Err(format!("'{name}' must be e-mail addresses or ids of people (got '{}')", shown(text))),
        }
    }

    /// An object, or one in JSON text.
    pub(super) fn object(&mut self, name: &str) -> Result<Option<Value>, String> {
        match self.structure(name, "an object")? {
            Some(value) if !value.is_object() => Err(format!("'{name}' must be an object")),
            value => Ok(value),
        }
    }

    /// A component node, or a list of them as a group.
    pub(super) fn components(&mut self, name: &str) -> Result<Option<Value>, String> {
        let Some(value) = self.structure(name, "a component or a list of components")? else { return Ok(None) };
        let (nodes, is_list) = match value {
            Value::Array(nodes) => (nodes, true),
            node => (vec![node], false),
        };
        if nodes.is_empty() || nodes.len() > MAX_ENTRIES {
            return Err(format!("'{name}' must have 1 to {MAX_ENTRIES} components"));
        }
        if nodes.iter().any(|node| !node["type"].is_string()) {
            return Err(format!("'{name}': each component must be an object with a 'type' and 'data'"));
        }
        let mut nodes = nodes;
        match nodes.pop() {
            Some(node) if !is_list || nodes.is_empty() => Ok(Some(node)),
            last => {
                nodes.extend(last);
                Ok(Some(serde_json::json!({ "type": "group", "data": {}, "children": nodes })))
            }
        }
    }

    /// An object or a list. Some models send them as JSON text.
    fn structure(&mut self, name: &str, what: &str) -> Result<Option<Value>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(value @ (Value::Object(_) | Value::Array(_))) => Ok(Some(value)),
            Some(Value::String(text)) => match serde_json::from_str(&text) {
                Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(Some(value)),
                _ => Err(format!("'{name}' must be {what}")),
            },
            Some(_) => Err(format!("'{name}' must be {what}")),
        }
    }

    pub(super) fn priority(&mut self, name: &str) -> Result<Option<Priority>, String> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        Ok(Some(match text.trim().to_ascii_lowercase().as_str() {
            "low" => Priority::Low,
            "medium" => Priority::Medium,
            "high" => Priority::High,
            "urgent" => Priority::Urgent,
            _ => return Err(format!("'{name}' must be low, medium, high or urgent (got '{}')", shown(&text))),
        }))
    }

    /// A time such as `30m`, a number of seconds, or a time of day with its date.
    pub(super) fn deadline(&mut self, name: &str) -> Result<Option<Deadline>, String> {
        let problem =
            format!("'{name}' must be a time such as \"30m\", \"2h\" or \"1d\", seconds, or an RFC 3339 time");
        let text = match self.take(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => format!("{number}s"),
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(_) => return Err(problem),
        };
        if let Some(time) = duration(&text) {
            return Ok(Some(Deadline::In(time)));
        }
        let at: Timestamp = text.parse().map_err(|_| problem)?;
        if at <= Timestamp::now() {
            return Err(format!("'{name}' must be in the future (got '{}')", shown(&text)));
        }
        Ok(Some(Deadline::At(at)))
    }
}

/// Whether a text is an e-mail address or an id.
pub(super) fn is_person(text: &str) -> bool {
    text.contains('@') || text.parse::<Uuid>().is_ok()
}

/// People as participants of a session.
pub(super) fn participants(people: &[String]) -> impl Iterator<Item = NewParticipant> + '_ {
    people.iter().map(|person| person.parse().map_or_else(|_| NewParticipant::human(person), NewParticipant::human_id))
}

/// A time of at least a second and at most a year: a number with `s`, `m`, `h` or `d`, or a number of seconds.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (1..=365 * 24 * 60 * 60).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// The beginning of a text, for an error.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn args(value: &Value) -> Args {
        Args::new(value.as_object().cloned())
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let mut bad = args(&json!({ "title": 1, "id": "x", "wait": 51, "to": ["ada"], "priority": "now", "list": [] }));
        assert_eq!(bad.line("title"), Err("'title' must be a string".to_owned()));
        assert!(bad.id("id").expect_err("no id").starts_with("'id' must be an id"));
        assert!(bad.number("wait", 0, 50).expect_err("too large").starts_with("'wait' must be"));
        assert!(bad.people("to").expect_err("no address").starts_with("'to' must be"));
        assert!(bad.priority("priority").expect_err("no priority").contains("'now'"));
        assert!(bad.texts("list").expect_err("empty").starts_with("'list' must have"));
        assert!(bad.finish().is_ok());
        let left = args(&json!({ "dead_line": "30m", "text": null }));
        assert_eq!(left.finish(), Err("'dead_line' is not an argument of this tool".to_owned()));
    }

    #[test]
    fn deadlines_are_durations_or_times() {
        let read = |value: Value| args(&json!({ "deadline": value })).deadline("deadline");
        assert_eq!(read(json!("30m")), Ok(Some(Deadline::In(Duration::from_secs(1800)))));
        assert_eq!(read(json!(90)), Ok(Some(Deadline::In(Duration::from_secs(90)))));
        assert!(matches!(read(json!("2999-01-01T00:00:00Z")), Ok(Some(Deadline::At(_)))));
        for bad in [json!("0s"), json!("m"), json!("1w"), json!(1.5), json!("-5m"), json!("2001-01-01T00:00:00Z")] {
            assert!(read(bad.clone()).expect_err("no deadline").starts_with("'deadline' must be"), "{bad}");
        }
    }

    #[test]
    fn components_may_be_a_list_or_text() {
        let read = |value: Value| args(&json!({ "c": value })).components("c");
        let node = json!({ "type": "text", "data": { "content": "x" } });
        assert_eq!(read(node.clone()), Ok(Some(node.clone())));
        assert_eq!(read(json!(node.to_string())), Ok(Some(node.clone())));
        assert_eq!(read(json!([node])), Ok(Some(node.clone())));
        let group = read(json!([node, node])).expect("components").expect("a group");
        assert_eq!((&group["type"], group["children"].as_array().map(Vec::len)), (&json!("group"), Some(2)));
        assert!(read(json!([{ "data": {} }])).is_err() && read(json!("x")).is_err() && read(json!([])).is_err());
    }
}
