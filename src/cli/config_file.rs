//! Changes the settings file of another program: shows the change, asks, and replaces the file as a whole.

use super::{CliError, print};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// A file as it is to be.
pub(super) struct Change {
    pub(super) text: String,
    /// What is shown of it.
    pub(super) shown: String,
}

/// Changes a file, once the change has been shown and confirmed. `edit` gets its text, and returns none where there is
/// nothing to change.
pub(super) fn change(
    path: &Path,
    yes: bool,
    edit: impl FnOnce(&str) -> Result<Option<Change>, String>,
) -> Result<(), CliError> {
    let problem = |text: String| CliError::Other(format!("{}: {text}", path.display()));
    let before = read(path).map_err(|error| problem(error.to_string()))?;
    let Some(change) = edit(before.as_deref().unwrap_or_default()).map_err(problem)? else {
        return print::line(&format!("{}: nothing to change", path.display()));
    };
    print::line(&change.shown)?;
    if !yes && !confirmed()? {
        return Err(CliError::Other("nothing was written".to_owned()));
    }
    // The program whose file it is may have written it meanwhile.
    if read(path).map_err(|error| problem(error.to_string()))? != before {
        return Err(problem("was changed by another program meanwhile: run the command again".to_owned()));
    }
    write(path, &change.text).map_err(|error| problem(error.to_string()))?;
    print::line(&format!("{} is written", path.display()))
}

/// The same of a file that holds JSON: `edit` changes its value, and `shown` says what is shown of the changed one.
pub(super) fn change_json(
    path: &Path,
    yes: bool,
    edit: impl FnOnce(&mut Value) -> Result<(), String>,
    shown: impl FnOnce(&Value) -> String,
) -> Result<(), CliError> {
    change(path, yes, |text| {
        let before: Value = match text.trim() {
            "" => json!({}),
            text => serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?,
        };
        let mut changed = before.clone();
        edit(&mut changed)?;
        let is_changed = changed != before;
        Ok(is_changed.then(|| Change { text: format!("{changed:#}\n"), shown: shown(&changed) }))
    })
}

/// Whether others than the owner may read a file.
pub(super) fn is_open(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.mode() & 0o077 != 0)
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn confirmed() -> Result<bool, CliError> {
    let failed = |what: &str, error: &io::Error| CliError::Other(format!("{what}: {error}"));
    let asked = write!(io::stdout(), "Write it? [y/N] ").and_then(|()| io::stdout().flush());
    asked.map_err(|error| failed("cannot ask", &error))?;
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|error| failed("cannot read the reply", &error))?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Replaces the file as a whole, with the mode that it has; a new one is its owner's alone.
fn write(path: &Path, text: &str) -> io::Result<()> {
    // Where it is a link, what the link names.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mode = fs::metadata(&path).map_or(0o600, |about| about.mode() & 0o777);
    let next = path.with_extension(format!("{}.next", std::process::id()));
    let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&next)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&next, &path)
}
