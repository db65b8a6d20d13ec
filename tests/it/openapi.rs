//! The OpenAPI document matches the API: it has every route and no other.

use crate::permissions::ROUTES;
use crate::support::process::hiloop;
use crate::support::{Engine, Hub};
use serde_json::Value;
use std::collections::BTreeSet;

fn document() -> Value {
    serde_json::from_str(hiloop::testing::openapi_text()).expect("JSON")
}

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let items =
        paths.iter().flat_map(|(path, item)| item.as_object().expect("an item").iter().map(move |(m, o)| (m, path, o)));
    items.map(|(method, path, operation)| (method.to_uppercase(), path.clone(), operation)).collect()
}

#[test]
fn the_document_lists_exactly_the_routes() {
    let document = document();
    let documented: BTreeSet<_> = operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let routes: BTreeSet<_> = ROUTES.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    let missing: Vec<_> = routes.difference(&documented).collect();
    assert!(missing.is_empty(), "routes missing from the document: {missing:?}");
    let gone: Vec<_> = documented.difference(&routes).collect();
    assert!(gone.is_empty(), "operations without a route: {gone:?}");
}

/// Every `$ref` under `value`.
pub fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_of_the_document_resolves() {
    let document = document();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').expect("a place in the document");
        assert!(document.pointer(pointer).is_some(), "{reference} does not resolve");
    }
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an id");
        assert!(ids.insert(id), "{method} {path}: duplicate operation id {id}");
        assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        let responses = operation["responses"].as_object().expect("responses");
        if path.starts_with("/v1/") {
            for status in ["429", "500", "503"] {
                assert!(responses.contains_key(status), "{method} {path} lacks {status}");
            }
        }
        let secured = !operation["security"].as_array().expect("security").is_empty();
        assert_eq!(responses.contains_key("401"), secured || path.starts_with("/v1/auth/"), "{path}");
        let takes_key = operation["parameters"]
            .as_array()
            .expect("parameters")
            .iter()
            .any(|parameter| parameter["$ref"] == "#/components/parameters/Idempotency-Key");
        assert_eq!(takes_key, responses.contains_key("422"), "{method} {path}");
    }
}

#[test]
fn the_openapi_command_needs_no_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = hiloop(folder.path()).arg("openapi").output().expect("the program runs");
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).expect("text").trim_end(), hiloop::testing::openapi_text());
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "no files are created");
}

/// Whether `value` matches `schema`; the path of the first difference if not.
fn conforms(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(&reference[1..]).expect("a schema");
        return conforms(document, schema, value, at);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().try_for_each(|part| conforms(document, part, value, at));
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let tried: Vec<_> = choices.iter().map(|choice| conforms(document, choice, value, at)).collect();
        return if tried.iter().any(Result::is_ok) { Ok(()) } else { Err(format!("{at}: {tried:?}")) };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds = &schema["type"];
    let listed = kinds.as_array().is_some_and(|kinds| kinds.iter().any(|one| one == kind));
    if !kinds.is_null() && kinds != kind && !listed {
        return Err(format!("{at}: {value} is no {kinds}"));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Err(format!("{at}: {value} is none of {}", schema["enum"]));
    }
    if schema["format"] == "uuid" && value.as_str().is_some_and(|text| uuid::Uuid::try_parse(text).is_err()) {
        return Err(format!("{at}: {value} is no UUID"));
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(key).is_none() {
            return Err(format!("{at}: {key} is missing"));
        }
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        if let Some(schema) = schema["properties"].get(key) {
            conforms(document, schema, value, &format!("{at}.{key}"))?;
        }
    }
    for value in value.as_array().into_iter().flatten() {
        conforms(document, &schema["items"], value, &format!("{at}[]"))?;
    }
    Ok(())
}

#[test]
fn examples_match_their_schemas() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for (name, schema) in schemas {
        for example in schema["examples"].as_array().into_iter().flatten() {
            conforms(&document, schema, example, name).expect("an example of its schema");
        }
        let known = |key: &String| schema["properties"].get(key).is_some();
        let keys = schema["examples"][0].as_object().into_iter().flatten().map(|(key, _)| key);
        let open = schema["allOf"].is_array() || name == "Envelope";
        let unknown: Vec<_> = keys.filter(|key| !open && !known(key)).collect();
        assert!(unknown.is_empty(), "{name} has no {unknown:?}");
    }
    let wrong = serde_json::json!({ "id": "1", "name": "default", "createdAt": "now" });
    assert!(conforms(&document, &schemas["Space"], &wrong, "Space").is_err(), "an id that is no UUID");

    let sent = operations(&document).into_iter().filter_map(|(_, path, operation)| {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        Some((path, schema["$ref"].as_str()?))
    });
    for (path, reference) in sent {
        let schema = document.pointer(&reference[1..]).expect("a schema");
        let needs_none = schema["properties"].as_object().is_none_or(serde_json::Map::is_empty);
        assert!(needs_none || schema["examples"].is_array(), "{path}: {reference} has no example");
    }
    for name in ["Session", "Message", "Event", "Participant", "Interaction", "Tokens", "GuestToken", "Agent", "Human"]
    {
        assert!(schemas[name]["examples"].is_array(), "{name} has no example");
    }
}

#[test]
fn the_document_does_not_refer_to_internal_sources() {
    let text = hiloop::testing::openapi_text().to_lowercase();
    for word in ["contract", "architecture.md", ".rs"] {
        assert!(!text.contains(word), "the document names {word}");
    }
}

/// Whether `text` names a host other than the one that it came from.
fn names_a_host(text: &str) -> bool {
    ["http:", "https:", "ws:", "wss:", "url(//", "\"//", "'//", "@import"].iter().any(|mark| text.contains(mark))
}

#[tokio::test]
async fn the_page_loads_only_embedded_files() {
    let hub = Hub::start(Engine::Sqlite).await;
    let anyone = hub.anonymous();
    assert_eq!(anyone.get("/openapi.json").await.expect(200), document());
    let page = anyone.get("/docs").await;
    let policy = page.header("content-security-policy").expect("a policy").to_owned();
    assert!(policy.contains("default-src 'self'"), "{policy}");
    for source in policy.split(';').flat_map(|directive| directive.split_whitespace().skip(1)) {
        assert!(["'self'", "'none'", "data:"].contains(&source), "{source} in {policy}");
    }
    let html = page.expect(200).as_str().expect("a page").to_owned();
    assert!(!names_a_host(&html), "{html}");
    let mut files = Vec::new();
    for attribute in ["src=\"", "href=\""] {
        for link in html.split(attribute).skip(1).map(|rest| rest.split('"').next().expect("its end")) {
            if link.starts_with("data:") {
                continue;
            }
            let file = anyone.get(&format!("/{link}")).await;
            assert_eq!(file.status, 200, "{link}");
            let text = file.body.as_str().unwrap_or_default();
            match link {
                "docs/start.js" | "docs/style.css" => assert!(!names_a_host(text), "{link} names another host"),
                // The XML namespaces of embedded images are host names that are never requested.
                "docs/swagger-ui.css" => {
                    let elsewhere = text
                        .split("url(")
                        .skip(1)
                        .find(|rest| !rest.trim_start_matches(['"', '\'']).starts_with("data:"));
                    assert!(!text.is_empty() && !text.contains("@import") && elsewhere.is_none(), "{elsewhere:?}");
                }
                // The browser tests check the requests at run time.
                _ => assert!(!text.is_empty() || file.body.is_object(), "{link} is empty"),
            }
            files.push(link);
        }
    }
    assert_eq!(files.len(), 5, "{files:?}");
    // With a trailing slash it is the same page, and its links resolve to the same files.
    let html = anyone.get("/docs/").await.expect(200).as_str().expect("a page").to_owned();
    for link in
        ["\"swagger-ui.css\"", "\"style.css\"", "\"swagger-ui-bundle.js\"", "\"start.js\"", "\"../openapi.json\""]
    {
        assert!(html.contains(link), "{link} in {html}");
    }
    anyone.get("/docs/nothing.js").await.expect_error(404, "NOT_FOUND");
}
