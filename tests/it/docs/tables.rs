//! The tables of the reference: each must match the hub exactly.

use super::markdown::Document;
use crate::cli::{out, run};
use crate::support::hub::text;
use crate::support::process::hiloop;
use crate::support::{Engine, Hub};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The first code span of a cell.
fn first_code(cell: &str) -> Option<String> {
    cell.strip_prefix('`')?.split('`').next().map(str::to_owned)
}

/// All code spans of a cell.
fn codes(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

fn printed(arguments: &[&str]) -> String {
    out(&run(hiloop(Path::new("/")).args(arguments))).to_owned()
}

#[test]
fn every_setting_is_documented_with_its_default() {
    let help = printed(&["serve", "--help"]).split_whitespace().collect::<Vec<_>>().join(" ");
    let mut offered = BTreeMap::new();
    for (place, _) in help.match_indices("[env: ") {
        let rest = &help[place + "[env: ".len()..];
        let name = rest.split([']', '=']).next().expect("a name");
        let own = rest.split("[env: ").next().expect("what is said of it");
        let default = own.split_once("[default: ").and_then(|(_, rest)| rest.split(']').next());
        offered.insert(name.to_owned(), default.filter(|default| *default != "\"\"").map(str::to_owned));
    }
    let rows = Document::read("docs/settings.md").rows("| setting |");
    let documented: BTreeMap<_, _> =
        rows.iter().map(|row| (first_code(&row[0]).expect("a name"), first_code(&row[1]))).collect();
    assert_eq!(documented, offered);
    assert_eq!(rows.len(), documented.len(), "each once");
}

#[test]
fn every_command_is_described() {
    let help = printed(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A description that needs a second line continues further to the right.
    let commands = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let commands: Vec<_> = commands.filter(|command| !command.is_empty()).collect();
    assert!(commands.contains(&"serve"), "{commands:?}");
    let documented: Vec<String> = Document::read("docs/command-line.md")
        .rows("| command |")
        .iter()
        .flat_map(|row| codes(&row[0]).collect::<Vec<_>>())
        .collect();
    for command in commands.iter().filter(|command| **command != "help") {
        let full = format!("hiloop {command}");
        assert!(documented.iter().any(|one| *one == full || one.starts_with(&format!("{full} "))), "{full}");
    }
}

#[test]
fn every_endpoint_is_listed() {
    let openapi: Value = serde_json::from_str(&printed(&["openapi"])).expect("a document");
    let mut offered = BTreeSet::new();
    for (path, operations) in openapi["paths"].as_object().expect("paths") {
        let methods = operations.as_object().expect("operations").keys();
        let methods = methods.filter(|method| ["get", "post", "put", "patch", "delete"].contains(&method.as_str()));
        offered.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let rows = Document::read("docs/http-api.md").rows("| endpoint |");
    let documented: BTreeSet<_> = rows.iter().map(|row| first_code(&row[0]).expect("an endpoint")).collect();
    assert_eq!(documented, offered);
}

/// The values of every `code` in the document's schemas.
fn error_codes(document: &Value, found: &mut BTreeSet<String>) {
    match document {
        Value::Object(object) => {
            for (key, value) in object {
                if key == "code"
                    && let Some(codes) = value["enum"].as_array()
                {
                    found.extend(codes.iter().map(|code| text(code).to_owned()));
                }
                error_codes(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| error_codes(value, found)),
        _ => {}
    }
}

#[test]
fn every_error_code_is_explained() {
    let openapi: Value = serde_json::from_str(&printed(&["openapi"])).expect("a document");
    let mut offered = BTreeSet::from(["METHOD_NOT_ALLOWED".to_owned()]);
    error_codes(&openapi, &mut offered);
    let rows = Document::read("docs/http-api.md").rows("| status | code |");
    let documented: BTreeSet<_> = rows.iter().map(|row| first_code(&row[1]).expect("a code")).collect();
    assert_eq!(documented, offered);
}

#[tokio::test]
async fn every_close_code_and_event_type_is_explained() {
    let hub = Hub::start(Engine::Sqlite).await;
    let asyncapi = hub.anonymous().get("/asyncapi.json").await.expect(200);
    let codes_of = asyncapi["channels"]["socket"]["x-close-codes"].as_array().expect("close codes");
    let offered: BTreeSet<_> =
        codes_of.iter().map(|code| (code["code"].to_string(), text(&code["then"]).to_owned())).collect();
    let rows = Document::read("docs/websocket.md").rows("| code |");
    let documented: BTreeSet<_> =
        rows.iter().map(|row| (row[0].clone(), row[2].split(' ').next().unwrap_or_default().to_owned())).collect();
    assert_eq!(documented, offered);

    let metrics = hub.owner.get("/metrics").await.expect(200);
    let types =
        text(&metrics).lines().filter_map(|line| line.strip_prefix("hiloop_events_total{type=\"")?.split('"').next());
    let types: BTreeSet<_> = types.map(str::to_owned).collect();
    let rows = Document::read("docs/http-api.md").rows("| type | `data` |");
    assert_eq!(rows.iter().flat_map(|row| codes(&row[0]).collect::<Vec<_>>()).collect::<BTreeSet<_>>(), types);
}
