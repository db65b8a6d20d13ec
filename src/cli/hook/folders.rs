//! The folders of the user.

use std::ffi::OsString;
use std::path::PathBuf;

/// A folder that the environment names; none where it is unset or not absolute.
fn named(variable: &str) -> Option<PathBuf> {
    // Where settings of other programs are is no setting of the hub.
    let value: Option<OsString> = std::env::var_os(variable);
    value.map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The folder of a coding agent's own settings: what its variable says, else one in the home folder.
pub(super) fn settings(variable: &str, folder: &str) -> Option<PathBuf> {
    named(variable).or_else(|| Some(named("HOME")?.join(folder)))
}

/// Where this program keeps what it must remember.
pub(super) fn state() -> Option<PathBuf> {
    let folder = named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")));
    Some(folder?.join("hiloop/hook"))
}
