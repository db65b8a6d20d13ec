//! Forms: their fields, from a JSON Schema of flat properties if need be, and the values that come back.

use serde_json::{Map, Number, Value, json};

/// A text longer than this gets a box of several lines.
const LINE: u64 = 200;

/// The `form` component for `{"fields": […]}`, a list of fields, or a JSON Schema of an object with flat properties.
pub(crate) fn component(form: &Value) -> Value {
    if form["type"] == "form" {
        return form.clone();
    }
    let data = match form {
        Value::Array(fields) => json!({ "fields": fields }),
        Value::Object(object) if object.contains_key("fields") => form.clone(),
        _ => json!({ "fields": fields_of(form) }),
    };
    json!({ "type": "form", "data": data })
}

fn fields_of(schema: &Value) -> Vec<Value> {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.map(|(name, property)| field_of(name, property, required.contains(&json!(name)))).collect()
}

fn field_of(name: &str, property: &Value, is_required: bool) -> Value {
    let options = |values: &Value| {
        let values = values.as_array().into_iter().flatten();
        let label = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        json!(values.map(|value| json!({ "value": value, "label": label(value) })).collect::<Vec<_>>())
    };
    let label = property["title"].as_str().unwrap_or(name);
    let mut field = json!({ "name": name, "label": label, "required": is_required });
    let kind = match property["type"].as_str() {
        Some("array") => {
            field["options"] = options(&property["items"]["enum"]);
            "multiselect"
        }
        _ if property["enum"].is_array() => {
            field["options"] = options(&property["enum"]);
            "select"
        }
        Some("boolean") => "checkbox",
        Some("integer") => {
            field["integer"] = json!(true);
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
    field["type"] = json!(kind);
    for (from, to) in [
        ("minimum", "min"),
        ("maximum", "max"),
        ("minLength", "minLength"),
        ("maxLength", "maxLength"),
        ("default", "value"),
        ("description", "help"),
    ] {
        if let Some(value) = property.get(from) {
            field[to] = value.clone();
        }
    }
    field
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
        _ => text(field, value),
    }
}

fn number(field: &Value, value: &Value) -> Result<Value, String> {
    let number = match value {
        Value::Number(number) => Some(number.clone()),
        // Of an input field.
        Value::String(text) => serde_json::from_str::<Number>(text.trim()).ok(),
        _ => None,
    };
    let number = number.ok_or("must be a number")?;
    let size = number.as_f64().ok_or("must be a number")?;
    if field["min"].as_f64().is_some_and(|least| size < least) {
        return Err(format!("must be at least {}", field["min"]));
    }
    if field["max"].as_f64().is_some_and(|most| size > most) {
        return Err(format!("must be at most {}", field["max"]));
    }
    if field["integer"] == true && size.fract() != 0.0 {
        return Err("must be a whole number".to_owned());
    }
    Ok(Value::Number(number))
}

/// The option with this value.
fn option(field: &Value, value: &Value) -> Result<Value, String> {
    let options = field["options"].as_array().into_iter().flatten();
    let mut offered = options.map(|option| option.get("value").unwrap_or(option));
    let text = value.as_str();
    // A number or a boolean, as an input field has it.
    let same = |offered: &&Value| *offered == value || Some(offered.to_string().as_str()) == text;
    offered.find(same).cloned().ok_or_else(|| "must be one of the options".to_owned())
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
        assert_eq!(kinds, ["text", "number", "select", "date", "multiselect", "checkbox"]);
        assert_eq!(form["data"]["fields"][0]["label"], "Name");
        let given = json!({ "fields": [{ "name": "a", "label": "A", "type": "text" }] });
        assert_eq!(component(&given)["data"], given);
    }

    #[test]
    fn values_come_back_typed() {
        let values = json!({ "name": "api", "count": "3", "where": "eu", "tags": ["b"], "sure": true, "extra": 1 });
        let typed = json!({ "name": "api", "count": 3, "where": "eu", "tags": ["b"], "sure": true });
        assert_eq!(check(&values), Ok(typed));
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
        ] {
            let mut values = good.clone();
            values[name] = bad;
            let problem = check(&values).expect_err("it does not fit");
            assert!(problem.starts_with(&format!("'{name}' ")), "{problem}");
        }
    }
}
