//! The parameters of a run as a flat list.

use serde_json::Value;

/// Names and values as a person writes them, such as `load.duration` and `10 s`.
pub(super) fn flat(parameters: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    add(&mut all, "", parameters);
    all
}

fn add(all: &mut Vec<(String, String)>, name: &str, value: &Value) {
    match value {
        Value::Object(parts) => match (parts.get("secs"), parts.get("nanos")) {
            // A `Duration`, as serde writes it.
            (Some(seconds), Some(nanos)) if parts.len() == 2 => {
                let seconds = seconds.as_f64().unwrap_or_default() + nanos.as_f64().unwrap_or_default() / 1e9;
                all.push((name.to_owned(), format!("{seconds} s")));
            }
            _ => {
                for (key, value) in parts {
                    let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                    add(all, &name, value);
                }
            }
        },
        Value::String(text) => all.push((name.to_owned(), text.clone())),
        other => all.push((name.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn nested_parameters_have_dotted_names_and_durations_are_in_seconds() {
        let load = json!({"duration": Duration::from_millis(2500), "size": 400});
        let all = flat(&json!({"sockets": 3, "load": load, "session": null, "note": "a"}));
        let expected =
            [("load.duration", "2.5 s"), ("load.size", "400"), ("note", "a"), ("session", "null"), ("sockets", "3")];
        let mut all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.sort_unstable();
        assert_eq!(all, expected);
    }
}
