//! The server as programs start it.

use std::path::Path;

/// Where the API key comes from.
#[derive(Clone)]
pub(super) enum KeySource {
    /// The program's own environment.
    Environment,
    /// The settings file.
    Written(String),
}

/// What stands in the settings of a program.
#[derive(Clone)]
pub(super) struct Entry {
    /// The path of this program.
    pub(super) program: String,
    pub(super) key: KeySource,
    /// Other variables of its environment.
    pub(super) settings: Vec<(String, String)>,
}

pub(super) const ARGUMENT: &str = "mcp";
/// In place of a value that is not shown.
pub(super) const MASK: &str = "…";
/// Variables that hold no secret.
const PUBLIC: [&str; 5] =
    ["HILOOP_BASE_URL", "HILOOP_AGENT_NAME", "HILOOP_ENCRYPTION", "HILOOP_SPACE_KEY", "HILOOP_ANSWERERS"];
/// Variables that a program passes on from its own environment.
pub(super) const PASSED: [&str; 7] = [
    "HILOOP_API_KEY",
    "HILOOP_SECRET_KEY",
    "HILOOP_SPACE_KEY",
    "HILOOP_BASE_URL",
    "HILOOP_AGENT_NAME",
    "HILOOP_ENCRYPTION",
    "HILOOP_ANSWERERS",
];

impl Entry {
    /// A text without the API key in it.
    pub(super) fn masked(&self, text: &str) -> String {
        match &self.key {
            KeySource::Environment => text.to_owned(),
            KeySource::Written(key) => text.replace(key, MASK),
        }
    }
}

/// Whether a variable of a server is shown with its value: the settings that hold no secret, and references to other
/// variables.
pub(super) fn is_shown(name: &str, value: Option<&str>) -> bool {
    let is_reference = value.is_some_and(|value| value.starts_with('$'));
    is_reference || PUBLIC.contains(&name)
}

/// Whether a command with these arguments is this server, of whatever version.
pub(super) fn is_own(command: Option<&str>, first: Option<&str>) -> bool {
    let name = command.and_then(|command| Path::new(command).file_name()).and_then(|name| name.to_str());
    name == Some("hiloop") && first == Some(ARGUMENT)
}

/// The problem of a name that another server has.
pub(super) fn taken(name: &str) -> String {
    format!("has another server named '{name}': choose a name with --name")
}
