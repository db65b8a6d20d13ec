//! The folders of the user, and where this program is.

use super::CliError;
use std::ffi::OsString;
use std::path::PathBuf;

/// A folder that the environment names; none where it is unset or not absolute.
fn named(variable: &str) -> Option<PathBuf> {
    // Where settings of other programs are is no setting of the hub.
    let value: Option<OsString> = std::env::var_os(variable);
    value.map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The folder of another program's own settings: what its variable says, else one in the home folder.
pub(super) fn settings(variable: &str, folder: &str) -> Option<PathBuf> {
    named(variable).or_else(|| Some(named("HOME")?.join(folder)))
}

/// Where this program keeps what it must remember.
pub(super) fn state() -> Option<PathBuf> {
    let folder = named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")));
    Some(folder?.join("hiloop/hook"))
}

/// The path of this program.
pub(super) fn program() -> Result<String, CliError> {
    let program = std::env::current_exe();
    let program = program.map_err(|error| CliError::Other(format!("cannot find this program: {error}")))?;
    let program = program.into_os_string().into_string();
    program.map_err(|_| CliError::Other("the path of this program is no text".to_owned()))
}
