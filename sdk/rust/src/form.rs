//! Forms: their fields, from a JSON Schema of flat properties if need be, and the values that come back.

use crate::types::Timestamp;
use serde_json::{Map, Number, Value, json};

/// A text longer than this gets a box of several lines.
const LINE: u64 = 200;

/// The `form` component for `{"fields": […]}`, a list of fields, or a JSON Schema of an object with flat properties.
pub(crate) fn component(form: &Value) -> Value {
    if form["type"] == "form" {
        return form.clone();
    }
    if form["properties"].is_object() {
        return json!({ "type": "form", "data": { "fields": fields_of(form) } });
    }
    let mut data = form.as_object().cloned().unwrap_or_default();
    let fields = data.shift_remove("fields").or_else(|| form.as_array().map(|fields| json!(fields)));
    let fields = fields.as_ref().and_then(Value::as_array).into_iter().flatten().map(completed);
    let fields: Vec<Value> = fields.collect();
    data.insert("fields".to_owned(), json!(fields));
    json!({ "type": "form", "data": data })
}

/// A field with a label and a type.
fn completed(field: &Value) -> Value {
    let mut field = field.clone();
    let name = field["name"].clone();
    if let Value::Object(field) = &mut field {
        field.entry("label").or_insert(name);
        field.entry("type").or_insert_with(|| json!("text"));
    }
    field
}

fn fields_of(schema: &Value) -> Vec<Value> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.map(|(name, property)| field_of(name, property, required.contains(&json!(name)))).collect()
}

fn field_of(name: &str, property: &Value, is_required: bool) -> Value {
    let options = |values: &Value| {
        let values = values.as_array().into_iter().flatten();
        json!(values.map(|value| json!({ "value": text_of(value), "label": text_of(value) })).collect::<Vec<_>>())
    };
    let label = property["title"].as_str().unwrap_or(name);
    let (mut choices, mut is_integer) = (Value::Null, false);
    let kind = match property["type"].as_str() {
        Some("array") => {
            choices = options(&property["items"]["enum"]);
            "multiselect"
        }
        _ if property["enum"].is_array() => {
            choices = options(&property["enum"]);
            "select"
        }
        Some("boolean") => "checkbox",
        Some("integer") => {
            is_integer = true;
            "number"
        }
        Some("number") => "number",
        _ => match property["format"].as_str() {
            Some("date") => "date",
            Some("date-time") => "datetime",
            Some("email") => "email",
            Some("uri" | "url") => "url",
            _ if property["maxLength"].as_u64().is_some_and(|most| most > LINE) => "textarea",
            _ => "text",
        },
    };
    // The members in the order of the other languages.
    let mut field = json!({ "name": name, "label": label, "type": kind });
    for (name, value) in [("required", json!(is_required)), ("options", choices), ("integer", json!(is_integer))] {
        if !value.is_null() && value != false {
            field[name] = value;
        }
    }
    for (from, to) in [
        ("minimum", "min"),
        ("maximum", "max"),
        ("minLength", "minLength"),
        ("maxLength", "maxLength"),
        ("description", "help"),
        ("default", "value"),
    ] {
        if let Some(value) = property.get(from) {
            field[to] = value.clone();
        }
    }
    field
}

/// The text of an option.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The fields of every form among components.
pub(crate) fn fields(node: &Value) -> Vec<&Value> {
    let own = node["data"]["fields"].as_array().filter(|_| node["type"] == "form");
    let nodes = node.as_array().or_else(|| node["children"].as_array());
    own.into_iter().flatten().chain(nodes.into_iter().flatten().flat_map(fields)).collect()
}

/// The values of an answer, each of the type of its field; the problem where one does not fit.
pub(crate) fn checked(fields: &[&Value], values: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut checked = Map::new();
    for field in fields {
        let Some(name) = field["name"].as_str() else { continue };
        let value =
            values.get(name).filter(|value| !matches!(value, Value::Null) && *value != "" && *value != &json!([]));
        match value {
            Some(value) => {
                let value = typed(field, value).map_err(|problem| format!("'{name}' {problem}"))?;
                if field["required"] == true && value == false {
                    return Err(format!("'{name}' is required"));
                }
                checked.insert(name.to_owned(), value);
            }
            None if field["required"] == true => return Err(format!("'{name}' is required")),
            None => {}
        }
    }
    Ok(checked)
}

fn typed(field: &Value, value: &Value) -> Result<Value, String> {
    let kind = field["type"].as_str().unwrap_or("text");
    match kind {
        "number" => number(field, value),
        "checkbox" => match value {
            Value::Bool(_) => Ok(value.clone()),
            _ => Err("must be true or false".to_owned()),
        },
        "multiselect" => {
            let values = value.as_array().ok_or("must be a list")?;
            let chosen: Result<Vec<Value>, String> = values.iter().map(|value| option(field, value)).collect();
            chosen.map(Value::Array)
        }
        "select" => option(field, value),
        "date" => matching(field, value, is_date, "must be a date"),
        "datetime" => matching(field, value, is_time, "must be a time"),
        "email" => matching(field, value, is_email, "must be an e-mail address"),
        "url" => matching(field, value, is_url, "must be a URL"),
        _ => text(field, value),
    }
}

fn number(field: &Value, value: &Value) -> Result<Value, String> {
    let is_integer = field["integer"] == true;
    let number = match value {
        Value::Number(number) => Some(number.clone()),
        // Of an input field.
        Value::String(text) if is_number(text, is_integer) => serde_json::from_str::<Number>(&plain_digits(text)).ok(),
        _ => None,
    };
    let number = number.ok_or("must be a number")?;
    let size = number.as_f64().filter(|size| size.is_finite()).ok_or("must be a number")?;
    if is_integer && size.fract() != 0.0 {
        return Err("must be a whole number".to_owned());
    }
    if field["min"].as_f64().is_some_and(|least| size < least) {
        return Err(format!("must be at least {}", field["min"]));
    }
    if field["max"].as_f64().is_some_and(|most| size > most) {
        return Err(format!("must be at most {}", field["max"]));
    }
    Ok(Value::Number(number))
}

/// `-?[0-9]+`, and for numbers that need not be whole a fraction and an exponent.
fn is_number(text: &str, is_integer: bool) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    if is_integer {
        return digits(text);
    }
    let (size, exponent) = match text.split_once(['e', 'E']) {
        Some((size, exponent)) => (size, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match size.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (size, None),
    };
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    digits(whole) && fraction.is_none_or(digits) && exponent.is_none_or(digits)
}

/// The number without leading zeros, which JSON does not have.
fn plain_digits(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let rest = digits.trim_start_matches('0');
    let zero = if rest.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "0" };
    format!("{sign}{zero}{rest}")
}

/// The option with this value.
fn option(field: &Value, value: &Value) -> Result<Value, String> {
    let mut options = field["options"].as_array().into_iter().flatten();
    let is_offered = |text: &str| options.any(|option| text_of(option.get("value").unwrap_or(option)) == text);
    let is_one = value.as_str().is_some_and(is_offered);
    if is_one { Ok(value.clone()) } else { Err("must be one of the options".to_owned()) }
}

fn matching(field: &Value, value: &Value, holds: fn(&str) -> bool, problem: &str) -> Result<Value, String> {
    let checked = text(field, value)?;
    if checked.as_str().is_some_and(holds) { Ok(checked) } else { Err(problem.to_owned()) }
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && format!("{text}T00:00:00Z").parse::<Timestamp>().is_ok()
}

/// A date and a time of day, as an input field has it: seconds and zone may be missing.
fn is_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once('T') else { return false };
    let seconds = if time.len() == 5 { ":00" } else { "" };
    let has_zone = time.ends_with('Z') || time.get(5..).is_some_and(|rest| rest.contains(['+', '-']));
    let zone = if has_zone { "" } else { "Z" };
    is_date(date) && format!("{text}{seconds}{zone}").parse::<Timestamp>().is_ok()
}

fn is_email(text: &str) -> bool {
    let filled = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '@');
    text.split_once('@').is_some_and(|(name, host)| filled(name) && filled(host))
}

fn is_url(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn text(field: &Value, value: &Value) -> Result<Value, String> {
    let text = value.as_str().ok_or("must be a text")?;
    let length = text.chars().count() as u64;
    if field["minLength"].as_u64().is_some_and(|least| length < least) {
        return Err(format!("must have at least {} characters", field["minLength"]));
    }
    if field["maxLength"].as_u64().is_some_and(|most| length > most) {
        return Err(format!("must have at most {} characters", field["maxLength"]));
    }
    Ok(value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Value {
        component(&json!({
            "type": "object",
            "required": ["name", "count"],
            "properties": {
                "name": { "type": "string", "title": "Name", "minLength": 2, "maxLength": 10 },
                "count": { "type": "integer", "minimum": 1, "maximum": 9 },
                "where": { "enum": ["eu", "us"] },
                "when": { "type": "string", "format": "date" },
                "tags": { "type": "array", "items": { "enum": ["a", "b"] } },
                "sure": { "type": "boolean" },
                "at": { "type": "string", "format": "date-time" },
                "mail": { "type": "string", "format": "email" },
                "link": { "type": "string", "format": "uri" },
                "level": { "enum": [1, 2] },
                "ratio": { "type": "number" },
            },
        }))
    }

    fn check(values: &Value) -> Result<Value, String> {
        let form = form();
        checked(&fields(&form), values.as_object().expect("an object")).map(Value::Object)
    }

    #[test]
    fn a_schema_becomes_fields() {
        let form = form();
        let kinds: Vec<&str> = fields(&form).iter().filter_map(|field| field["type"].as_str()).collect();
        assert_eq!(kinds[..6], ["text", "number", "select", "date", "multiselect", "checkbox"]);
        assert_eq!(kinds[6..], ["datetime", "email", "url", "select", "number"]);
        assert_eq!(form["data"]["fields"][0]["label"], "Name");
        let given = json!({ "fields": [{ "name": "a", "label": "A", "type": "text" }] });
        assert_eq!(component(&given)["data"], given);
    }

    #[test]
    fn values_come_back_typed() {
        let values = json!({ "name": "api", "count": "3", "where": "eu", "tags": ["b"], "sure": true, "extra": 1 });
        let typed = json!({ "name": "api", "count": 3, "where": "eu", "tags": ["b"], "sure": true });
        assert_eq!(check(&values), Ok(typed));
        for (name, good) in [
            ("count", json!("007")),
            ("when", json!("2028-02-29")),
            ("at", json!("2026-03-25T10:30")),
            ("at", json!("2026-03-25T10:30:00+02:00")),
            ("mail", json!("ada@example.org")),
            ("link", json!("https://example.org/x")),
            ("level", json!("2")),
            ("ratio", json!("-0.50e+2")),
            ("name", json!("👋👋👋👋👋👋👋👋👋👋")),
        ] {
            let mut values = json!({ "name": "api", "count": 3 });
            values[name] = good.clone();
            assert!(check(&values).is_ok(), "{name} {good}");
        }
    }

    #[test]
    fn values_that_do_not_fit_are_named() {
        let good = json!({ "name": "api", "count": 3 });
        for (name, bad) in [
            ("name", json!("x")),
            ("name", json!(null)),
            ("name", json!(5)),
            ("count", json!(0)),
            ("count", json!(10)),
            ("count", json!(1.5)),
            ("count", json!("many")),
            ("where", json!("mars")),
            ("tags", json!(["c"])),
            ("tags", json!("a")),
            ("sure", json!("yes")),
            ("count", json!(" 3")),
            ("count", json!("+3")),
            ("count", json!("1e0")),
            ("count", json!("٣")),
            ("count", json!("9".repeat(400))),
            ("ratio", json!("1e999")),
            ("ratio", json!(".5")),
            ("ratio", json!("NaN")),
            ("when", json!("2026-02-29")),
            ("when", json!("2026-2-1")),
            ("when", json!("20260201")),
            ("at", json!("2026-03-25")),
            ("at", json!("2026-03-25T25:00")),
            ("mail", json!("ada@")),
            ("mail", json!("a b@example.org")),
            ("link", json!("javascript:alert(1)")),
            ("level", json!(2)),
            ("level", json!("3")),
        ] {
            let mut values = good.clone();
            values[name] = bad;
            let problem = check(&values).expect_err("it does not fit");
            assert!(problem.starts_with(&format!("'{name}' ")), "{problem}");
        }
    }
}
