//! The published document is the API: every route stands in it, and nothing else.

use crate::permissions::ROUTES;
use crate::support::process::hiloop;
use crate::support::{Engine, Hub};
use serde_json::Value;
use std::collections::BTreeSet;

fn document() -> Value {
    serde_json::from_str(hiloop::http::openapi_text()).expect("JSON")
}

fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let items =
        paths.iter().flat_map(|(path, item)| item.as_object().expect("an item").iter().map(move |(m, o)| (m, path, o)));
    items.map(|(method, path, operation)| (method.to_uppercase(), path.clone(), operation)).collect()
}

#[test]
fn routes_and_document_are_the_same() {
    let document = document();
    let documented: BTreeSet<_> = operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let routes: BTreeSet<_> = ROUTES.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    let missing: Vec<_> = routes.difference(&documented).collect();
    assert!(missing.is_empty(), "routes without a place in the document: {missing:?}");
    let gone: Vec<_> = documented.difference(&routes).collect();
    assert!(gone.is_empty(), "operations without a route: {gone:?}");
}

/// Every `$ref` under `value`.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
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
fn the_document_is_whole() {
    let document = document();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').expect("a place in the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an id");
        assert!(ids.insert(id), "{method} {path}: {id} is there twice");
        assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        let responses = operation["responses"].as_object().expect("responses");
        if path.starts_with("/v1/") {
            for status in ["429", "500", "503"] {
                assert!(responses.contains_key(status), "{method} {path} lacks {status}");
            }
        }
        let secured = !operation["security"].as_array().expect("security").is_empty();
        assert_eq!(
            responses.contains_key("401"),
            secured || path.starts_with("/v1/auth/") && id != "authLogout",
            "{path}"
        );
        let takes_key = operation["parameters"]
            .as_array()
            .expect("parameters")
            .iter()
            .any(|parameter| parameter["$ref"] == "#/components/parameters/Idempotency-Key");
        assert_eq!(takes_key, responses.contains_key("422"), "{method} {path}");
    }
}

#[test]
fn the_command_prints_it_without_a_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = hiloop(folder.path()).arg("openapi").output().expect("the program runs");
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).expect("text").trim_end(), hiloop::http::openapi_text());
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "it leaves nothing behind");
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let hub = Hub::start(Engine::Sqlite).await;
    let anyone = hub.anonymous();
    assert_eq!(anyone.get("/openapi.json").await.expect(200), document());
    let page = anyone.get("/docs").await;
    let policy = page.header("content-security-policy").expect("a policy").to_owned();
    assert!(policy.contains("default-src 'self'") && !policy.contains("http"), "{policy}");
    let html = page.expect(200).as_str().expect("a page").to_owned();
    let mut files = 0;
    for attribute in ["src=\"", "href=\""] {
        for link in html.split(attribute).skip(1).map(|rest| rest.split('"').next().expect("its end")) {
            assert!(link.starts_with("data:") || !link.contains("//"), "{link} is elsewhere");
            if link.starts_with("data:") {
                continue;
            }
            let file = anyone.get(&format!("/{link}")).await;
            assert_eq!(file.status, 200, "{link}");
            files += 1;
            if link.ends_with(".css") || link.ends_with("start.js") {
                let text = file.body.as_str().expect("text");
                assert!(!text.contains("://") || !text.contains("url(http"), "{link} names another host");
            }
        }
    }
    assert_eq!(files, 5);
    anyone.get("/docs/nothing.js").await.expect_error(404, "NOT_FOUND");
}
