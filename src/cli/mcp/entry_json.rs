//! The server in settings of the form `{"mcpServers": {NAME: {"command", "args", "env"}}}`: of Claude Code, Claude
//! Desktop and Cursor.

use super::entry::{ARGUMENT, Entry, KeySource, MASK, is_own, is_shown, taken};
use super::program::Program;
use serde_json::{Map, Value, json};
use std::path::Path;

const SERVERS: &str = "mcpServers";
const NOT_AN_OBJECT: &str = "the file does not hold a JSON object";
const NOT_SERVERS: &str = "'mcpServers' does not have the expected form";
const KEY: &str = "HILOOP_API_KEY";

/// Adds the server, or brings it up to date. All else stays, also what else its entry has.
pub(super) fn install(settings: &mut Value, name: &str, entry: &Entry, program: Program) -> Result<(), String> {
    let settings = settings.as_object_mut().ok_or(NOT_AN_OBJECT)?;
    let servers = settings.entry(SERVERS).or_insert_with(|| json!({})).as_object_mut().ok_or(NOT_SERVERS)?;
    let new = Map::from_iter((program == Program::ClaudeCode).then(|| ("type".to_owned(), json!("stdio"))));
    let server = servers.entry(name).or_insert(Value::Object(new)).as_object_mut().ok_or(NOT_SERVERS)?;
    if server.contains_key("command") && !is_this(server) {
        return Err(taken(name));
    }
    server.insert("command".to_owned(), json!(entry.program));
    server.insert("args".to_owned(), json!([ARGUMENT]));
    let environment = server.entry("env").or_insert_with(|| json!({})).as_object_mut().ok_or(NOT_SERVERS)?;
    match &entry.key {
        KeySource::Written(key) => drop(environment.insert(KEY.to_owned(), json!(key))),
        // One that somebody has written stays.
        KeySource::Environment => drop(environment.entry(KEY).or_insert_with(|| json!(program.reference(KEY)))),
    }
    for (name, value) in &entry.settings {
        environment.insert(name.clone(), json!(value));
    }
    Ok(())
}

/// Removes the server, and the list of servers if it is empty without it.
pub(super) fn uninstall(settings: &mut Value, name: &str) -> Result<(), String> {
    let settings = settings.as_object_mut().ok_or(NOT_AN_OBJECT)?;
    let Some(servers) = settings.get_mut(SERVERS) else { return Ok(()) };
    let servers = servers.as_object_mut().ok_or(NOT_SERVERS)?;
    match servers.get(name) {
        None => return Ok(()),
        Some(server) if !server.as_object().is_some_and(is_this) => return Err(taken(name)),
        Some(_) => drop(servers.shift_remove(name)),
    }
    if servers.is_empty() {
        settings.shift_remove(SERVERS);
    }
    Ok(())
}

/// The server as it is shown: without a key.
pub(super) fn shown(settings: &Value, name: &str, entry: &Entry, path: &Path) -> String {
    let mut server = settings[SERVERS][name].clone();
    if let Some(environment) = server["env"].as_object_mut() {
        for (name, value) in environment {
            if !is_shown(name, value.as_str()) {
                *value = json!(MASK);
            }
        }
    }
    let server = json!({ name: server });
    entry.masked(&format!("{} will have this server:\n{server:#}", path.display()))
}

fn is_this(server: &Map<String, Value>) -> bool {
    is_own(server.get("command").and_then(Value::as_str), server.get("args").and_then(|args| args[0].as_str()))
}
