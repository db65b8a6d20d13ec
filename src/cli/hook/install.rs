//! `hiloop hook install` and `hiloop hook uninstall`: show what is written, ask, write.

use super::Asking;
use super::agent::CodingAgent;
use super::folders;
use super::settings_file::{Hooks, Scope, uninstall};
use crate::cli::{CliError, print};
use clap::Args;
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(in crate::cli) struct Install {
    #[command(flatten)]
    target: Target,
    /// Which calls people are asked about
    #[arg(long, value_enum, default_value = "prompts")]
    ask: Scope,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Args)]
pub(in crate::cli) struct Uninstall {
    #[command(flatten)]
    target: Target,
}

/// Whose settings, and where.
#[derive(Args)]
struct Target {
    /// The coding agent
    #[arg(value_enum)]
    agent: CodingAgent,
    /// The settings of the project in the current folder, in place of the user's own
    #[arg(long)]
    project: bool,
    /// Write without asking
    #[arg(long)]
    yes: bool,
}

impl Install {
    pub(super) fn run(self) -> Result<(), CliError> {
        let program = std::env::current_exe().map_err(|error| failed("cannot find this program", &error))?;
        let program = program.to_str().ok_or_else(|| CliError::Other("the path of this program is no text".into()))?;
        let hooks = Hooks {
            agent: self.target.agent,
            scope: self.ask,
            program,
            timeout: self.asking.timeout,
            to: &self.asking.to,
        };
        self.target.change(|settings| hooks.install(settings))
    }
}

impl Uninstall {
    pub(super) fn run(self) -> Result<(), CliError> {
        let agent = self.target.agent;
        self.target.change(|settings| uninstall(settings, agent).map(drop))
    }
}

impl Target {
    fn path(&self) -> Result<PathBuf, CliError> {
        let (variable, folder, file) = match self.agent {
            CodingAgent::ClaudeCode => ("CLAUDE_CONFIG_DIR", ".claude", "settings.json"),
            CodingAgent::Codex => ("CODEX_HOME", ".codex", "hooks.json"),
        };
        let folder = if self.project { Some(PathBuf::from(folder)) } else { folders::settings(variable, folder) };
        let folder = folder.ok_or_else(|| CliError::Other(format!("set HOME or {variable}, or use --project")))?;
        Ok(folder.join(file))
    }

    /// Changes the file, once what is written has been shown and confirmed.
    fn change(&self, change: impl FnOnce(&mut Value) -> Result<(), String>) -> Result<(), CliError> {
        let path = self.path()?;
        let problem = |text: String| CliError::Other(format!("{}: {text}", path.display()));
        let before = match fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(problem(error.to_string())),
        };
        let settings = match before.as_deref().map(str::trim) {
            None | Some("") => json!({}),
            Some(text) => serde_json::from_str(text).map_err(|error| problem(format!("is not JSON: {error}")))?,
        };
        let mut changed = settings.clone();
        change(&mut changed).map_err(problem)?;
        if changed == settings {
            return print::line(&format!("{}: nothing to change", path.display()));
        }
        print::line(&format!("{} will have these hooks:", path.display()))?;
        print::line(&format!("{:#}", changed.get("hooks").unwrap_or(&json!({}))))?;
        if !self.yes && !confirmed()? {
            return Err(CliError::Other("nothing was written".to_owned()));
        }
        write(&path, &format!("{changed:#}\n")).map_err(|error| problem(error.to_string()))?;
        print::line(&format!("{} is written", path.display()))
    }
}

fn confirmed() -> Result<bool, CliError> {
    let asked = write!(io::stdout(), "Write it? [y/N] ").and_then(|()| io::stdout().flush());
    asked.map_err(|error| failed("cannot ask", &error))?;
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|error| failed("cannot read the reply", &error))?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Replaces the file as a whole, with the mode that it has.
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

fn failed(what: &str, error: &io::Error) -> CliError {
    CliError::Other(format!("{what}: {error}"))
}
