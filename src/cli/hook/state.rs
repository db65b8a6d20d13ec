//! The state of the hook for a session of a coding agent, kept between processes: a file that only its owner can read or
//! write.

use super::agent::CodingAgent;
use crate::cli::digest::digest;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use uuid::Uuid;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct State {
    /// The session of the hub.
    pub(super) session: Option<Uuid>,
    /// The rules that people allowed for the rest of the session.
    pub(super) always: BTreeSet<String>,
    /// The position on the timeline up to which the agent got people's messages.
    pub(super) delivered: i64,
    /// The texts of approvals, which could not be passed on with them.
    pub(super) notes: Vec<String>,
}

/// The file of a session.
#[derive(Clone, Debug)]
pub(super) struct StateFile {
    path: PathBuf,
}

impl StateFile {
    /// The file of this session of a coding agent, at this hub.
    pub(super) fn new(folder: &Path, agent: CodingAgent, session: &str, hub: &str) -> Self {
        let name = digest(&json!([agent.command(), session, hub]));
        Self { path: folder.join(format!("{}.json", &name[..32])) }
    }

    /// Reads the state; the default if there is no file.
    ///
    /// # Errors
    /// The file is not readable, not valid, or others than its owner may write it.
    pub(super) fn read(&self) -> io::Result<State> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(State::default()),
            Err(error) => return Err(error),
        };
        let about = file.metadata()?;
        let is_private = about.is_file() && about.mode() & 0o077 == 0;
        if !is_private || about.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::new(ErrorKind::PermissionDenied, "others may write the file"));
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Changes the state under a lock.
    pub(super) fn update(&self, change: impl FnOnce(&mut State)) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let private = |path: &Path| OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path);
        // Held until the file is closed.
        let lock = private(&self.path.with_extension("lock"))?;
        lock.lock()?;
        // A state that is not valid or not private is discarded.
        let mut state = self.read().unwrap_or_default();
        change(&mut state);
        let next = self.path.with_extension(format!("{}.next", std::process::id()));
        let _ = fs::remove_file(&next);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&next)?;
        file.write_all(serde_json::to_string(&state)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&next, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn file(folder: &Path) -> StateFile {
        StateFile::new(&folder.join("hook"), CodingAgent::ClaudeCode, "s-1", "http://hub")
    }

    #[test]
    fn what_is_written_is_read_by_the_next_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(folder.path());
        assert_eq!(file.read().expect("a state"), State::default());
        file.update(|state| state.always.extend(["rule".to_owned()])).expect("it is written");
        file.update(|state| state.delivered = 7).expect("it is written");
        let state = file.read().expect("a state");
        assert!(state.always.contains("rule") && state.delivered == 7);
        assert_eq!(fs::metadata(&file.path).expect("a file").mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.path().join("hook")).expect("a folder").mode() & 0o777, 0o700);
    }

    #[test]
    fn another_session_agent_or_hub_has_another_file() {
        let new = |agent, session, hub| StateFile::new(Path::new("/"), agent, session, hub).path;
        let own = new(CodingAgent::ClaudeCode, "s", "h");
        assert_ne!(new(CodingAgent::Codex, "s", "h"), own);
        assert_ne!(new(CodingAgent::ClaudeCode, "t", "h"), own);
        assert_ne!(new(CodingAgent::ClaudeCode, "s", "g"), own);
    }

    #[test]
    fn a_file_that_others_may_write_or_that_is_not_valid_counts_for_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(folder.path());
        file.update(|state| state.always.extend(["rule".to_owned()])).expect("it is written");
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o666)).expect("a mode");
        assert!(file.read().is_err());
        fs::write(&file.path, "{").expect("it is written");
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o600)).expect("a mode");
        assert!(file.read().is_err());
        file.update(|state| state.delivered = 1).expect("it is written");
        assert_eq!(file.read().expect("a state"), State { delivered: 1, ..State::default() });
    }
}
