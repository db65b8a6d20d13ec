//! The server in the settings of Codex: a table `mcp_servers.NAME`. Comments and the order of the file stay.

use super::entry::{ARGUMENT, Entry, KeySource, MASK, PASSED, is_own, is_shown, taken};
use crate::cli::config_file::Change;
use std::path::Path;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value, value};

const SERVERS: &str = "mcp_servers";
const NOT_SERVERS: &str = "'mcp_servers' does not have the expected form";

/// Adds the server, or brings it up to date. All else stays, also what else its entry has.
pub(super) fn install(text: &str, name: &str, entry: &Entry, path: &Path) -> Result<Option<Change>, String> {
    let mut settings = parsed(text)?;
    let servers = settings.entry(SERVERS).or_insert_with(|| {
        let mut servers = Table::new();
        servers.set_implicit(true);
        Item::Table(servers)
    });
    let servers = servers.as_table_like_mut().ok_or(NOT_SERVERS)?;
    let server = servers.entry(name).or_insert_with(|| Item::Table(Table::new()));
    let server = server.as_table_like_mut().ok_or(NOT_SERVERS)?;
    if server.contains_key("command") && !is_this(server) {
        return Err(taken(name));
    }
    set(server, "command", entry.program.clone().into());
    set(server, "args", Array::from_iter([ARGUMENT]).into());
    let mut variables: Vec<(&str, &str)> = entry.settings.iter().map(|(name, value)| (&**name, &**value)).collect();
    if let KeySource::Written(key) = &entry.key {
        variables.push(("HILOOP_API_KEY", key));
    }
    // The program passes these on, and nothing else that it is not told to.
    set(server, "env_vars", Array::from_iter(PASSED).into());
    if !variables.is_empty() {
        let environment = server.entry("env").or_insert_with(|| value(InlineTable::new()));
        let environment = environment.as_table_like_mut().ok_or(NOT_SERVERS)?;
        for (name, value) in variables {
            set(environment, name, value.into());
        }
    }
    let mut shown = format!("{} will have this server:\n[{SERVERS}.{name}]\n", path.display());
    for (name, item) in server.iter() {
        shown += &format!("{name} = {}\n", without_secrets(name, item).to_string().trim());
    }
    Ok(changed(text, &settings, entry.masked(shown.trim_end())))
}

/// A member of the server as it is shown.
fn without_secrets(name: &str, item: &Item) -> Item {
    let mut item = item.clone();
    if name == "env"
        && let Some(environment) = item.as_table_like_mut()
    {
        for (name, item) in environment.iter_mut() {
            if !is_shown(&name, item.as_str()) {
                *item = value(MASK);
            }
        }
    }
    item
}

/// Removes the server.
pub(super) fn uninstall(text: &str, name: &str, path: &Path) -> Result<Option<Change>, String> {
    let mut settings = parsed(text)?;
    let Some(servers) = settings.get_mut(SERVERS) else { return Ok(None) };
    let servers = servers.as_table_like_mut().ok_or(NOT_SERVERS)?;
    match servers.get(name) {
        None => return Ok(None),
        Some(server) if !server.as_table_like().is_some_and(is_this) => return Err(taken(name)),
        Some(_) => drop(servers.remove(name)),
    }
    if servers.is_empty() {
        settings.remove(SERVERS);
    }
    Ok(changed(text, &settings, format!("{} will no longer have the server '{name}'", path.display())))
}

fn parsed(text: &str) -> Result<DocumentMut, String> {
    // Without the line of the file, which may hold a key.
    text.parse().map_err(|error: toml_edit::TomlError| format!("is not TOML: {}", error.message()))
}

/// Sets a value, with the spaces and comments that stand around it.
fn set(table: &mut dyn TableLike, name: &str, new: Value) {
    match table.get_mut(name).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        None => drop(table.insert(name, Item::Value(new))),
    }
}

fn changed(before: &str, settings: &DocumentMut, shown: String) -> Option<Change> {
    let text = settings.to_string();
    (text != before).then_some(Change { text, shown })
}

fn is_this(server: &dyn TableLike) -> bool {
    let first = server.get("args").and_then(Item::as_array).and_then(|args| args.get(0)).and_then(Value::as_str);
    is_own(server.get("command").and_then(Item::as_str), first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_file_stays() {
        let before = "# mine\nmodel = \"o5\" # fast\n\n[mcp_servers.other]\ncommand = \"x\"\n\n[tui]\ntheme = 'dark'\n";
        let entry = Entry {
            program: "/usr/bin/hiloop".to_owned(),
            key: KeySource::Written("hlp_0123".to_owned()),
            settings: vec![("HILOOP_BASE_URL".to_owned(), "http://hub".to_owned())],
        };
        let path = Path::new("config.toml");
        let change = install(before, "hiloop", &entry, path).expect("it fits").expect("a change");
        let parts: Vec<&str> = before.split_inclusive("\n\n").collect();
        assert!(parts.iter().all(|part| change.text.contains(part.trim_end())), "{}", change.text);
        assert!(change.text.contains("[mcp_servers.hiloop]\ncommand = \"/usr/bin/hiloop\"\nargs = [\"mcp\"]"));
        assert!(change.text.contains("hlp_0123") && !change.shown.contains("hlp_0123"), "{}", change.shown);
        assert!(install(&change.text, "hiloop", &entry, path).expect("it fits").is_none());
        let removed = uninstall(&change.text, "hiloop", path).expect("it fits").expect("a change");
        assert_eq!(removed.text, before);
        assert!(install(before, "other", &entry, path).is_err_and(|problem| problem.contains("--name")));
        assert!(uninstall(before, "other", path).is_err());
        assert!(install("[", "hiloop", &entry, path).is_err_and(|problem| problem.starts_with("is not TOML")));
    }
}
