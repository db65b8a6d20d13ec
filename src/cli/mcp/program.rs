//! The programs whose settings the server can be written into, and where these are.

use crate::cli::{CliError, folders};
use clap::ValueEnum;
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Program {
    ClaudeCode,
    ClaudeDesktop,
    Codex,
    Cursor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scope {
    /// The user's own settings
    User,
    /// The settings of the project in the current folder
    Project,
}

/// A settings file.
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// TOML in place of JSON.
    pub(super) is_toml: bool,
}

impl Program {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code",
            Self::ClaudeDesktop => "Claude Desktop",
            Self::Codex => "Codex",
            Self::Cursor => "Cursor",
        }
    }

    /// Whether its servers can get variables of its own environment.
    pub(super) fn passes_environment(self) -> bool {
        self != Self::ClaudeDesktop
    }

    /// How its settings name a variable of its environment.
    pub(super) fn reference(self, variable: &str) -> String {
        match self {
            Self::Cursor => format!("${{env:{variable}}}"),
            _ => format!("${{{variable}}}"),
        }
    }

    /// The settings file.
    pub(super) fn place(self, scope: Scope) -> Result<Place, CliError> {
        let is_toml = self == Self::Codex;
        if scope == Scope::Project {
            let path = match self {
                Self::ClaudeCode => ".mcp.json",
                Self::Codex => ".codex/config.toml",
                Self::Cursor => ".cursor/mcp.json",
                Self::ClaudeDesktop => {
                    return Err(CliError::Other("Claude Desktop has no settings of a project".to_owned()));
                }
            };
            return Ok(Place { path: PathBuf::from(path), is_toml });
        }
        let in_home = |folder: &str| folders::settings("", folder);
        let path = match self {
            // With the variable, the file is in its folder.
            Self::ClaudeCode => folders::settings("CLAUDE_CONFIG_DIR", "").map(|folder| folder.join(".claude.json")),
            Self::ClaudeDesktop if cfg!(target_os = "macos") => {
                in_home("Library/Application Support/Claude").map(|folder| folder.join(DESKTOP))
            }
            Self::ClaudeDesktop => {
                let folder = folders::settings("XDG_CONFIG_HOME", ".config");
                folder.map(|folder| folder.join("Claude").join(DESKTOP))
            }
            Self::Codex => folders::settings("CODEX_HOME", ".codex").map(|folder| folder.join("config.toml")),
            Self::Cursor => in_home(".cursor").map(|folder| folder.join("mcp.json")),
        };
        let path = path.ok_or_else(|| CliError::Other("set HOME, or use --scope project".to_owned()))?;
        Ok(Place { path, is_toml })
    }
}

const DESKTOP: &str = "claude_desktop_config.json";
