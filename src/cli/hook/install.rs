//! `hiloop hook install` and `hiloop hook uninstall`: show what is written, ask, write.

use super::Asking;
use super::agent::CodingAgent;
use super::settings_file::{Hooks, Scope, uninstall};
use crate::cli::{CliError, config_file, folders, print};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

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
        let program = folders::program()?;
        let hooks = Hooks {
            agent: self.target.agent,
            scope: self.ask,
            program: &program,
            timeout: self.asking.timeout,
            to: &self.asking.to,
        };
        if hooks.to.is_empty() && std::env::var("HILOOP_SPACE_KEY").map_or(true, |key| key.is_empty()) {
            print::line(
                "WARNING: without --to, whoever the hub lists as a person of the space may approve. Name the people with \
                 --to EMAIL, or set HILOOP_SPACE_KEY, unless you trust the hub with that.",
            )?;
        }
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
        config_file::change_json(&path, self.yes, change, |changed| {
            let hooks = changed.get("hooks").cloned().unwrap_or_else(|| json!({}));
            format!("{} will have these hooks:\n{hooks:#}", path.display())
        })
    }
}
