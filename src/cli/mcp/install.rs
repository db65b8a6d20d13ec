//! `hiloop mcp install` and `hiloop mcp uninstall`: the server in the settings of a program.

use super::entry::{Entry, KeySource};
use super::program::{Place, Program, Scope};
use super::{answerers, entry_json, entry_toml};
use crate::cli::{CliError, config_file, folders, print};
use clap::Args;

const KEY: &str = "HILOOP_API_KEY";
/// Settings that are written where they are set. The others are read from the environment of the program.
const SETTINGS: [&str; 4] = ["HILOOP_BASE_URL", "HILOOP_AGENT_NAME", "HILOOP_ENCRYPTION", answerers::SETTING];

/// Writes the server into the settings of a program. The API key is read from the program's environment, unless it is
/// written with it
#[derive(Args)]
pub(super) struct Install {
    #[command(flatten)]
    target: Target,
    /// Write the API key of the environment (HILOOP_API_KEY) into the file as well
    #[arg(long)]
    with_key: bool,
}

/// Removes the server from the settings of a program
#[derive(Args)]
pub(super) struct Uninstall {
    #[command(flatten)]
    target: Target,
}

#[derive(Args)]
struct Target {
    /// The program
    #[arg(value_enum)]
    program: Program,
    /// The user's own settings, or those of the project in the current folder
    #[arg(long, value_enum, default_value = "user")]
    scope: Scope,
    /// The name of the server in the settings
    #[arg(long, default_value = "hiloop", value_parser = name)]
    name: String,
    /// Write without asking
    #[arg(long)]
    yes: bool,
}

fn name(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        true => Ok(text.to_owned()),
        false => Err("must be 1 to 64 letters, digits, '-' and '_'".to_owned()),
    }
}

impl Install {
    pub(super) fn run(self) -> Result<(), CliError> {
        let Target { program, scope, name, yes } = self.target;
        let place = program.place(scope)?;
        let key = match setting(KEY).filter(|_| self.with_key) {
            Some(key) => KeySource::Written(key),
            None if self.with_key => return Err(CliError::Other(format!("{KEY} is not set, which --with-key writes"))),
            None if program.passes_environment() => KeySource::Environment,
            None => {
                return Err(CliError::Other(format!(
                    "{} does not pass its environment on: set {KEY} and use --with-key, which writes it into {}",
                    program.title(),
                    place.path.display()
                )));
            }
        };
        if matches!(key, KeySource::Written(_)) {
            warn(&place, scope)?;
        }
        let settings = SETTINGS.iter().filter_map(|name| Some(((*name).to_owned(), setting(name)?))).collect();
        let entry = Entry { program: folders::program()?, key, settings };
        if place.is_toml {
            return config_file::change(&place.path, yes, |text| entry_toml::install(text, &name, &entry, &place.path));
        }
        let (path, shown) = (&place.path, entry.clone());
        config_file::change_json(
            path,
            yes,
            |settings| entry_json::install(settings, &name, &entry, program),
            |settings| entry_json::shown(settings, &name, &shown, path),
        )
    }
}

impl Uninstall {
    pub(super) fn run(self) -> Result<(), CliError> {
        let Target { program, scope, name, yes } = self.target;
        let place = program.place(scope)?;
        let path = &place.path;
        if place.is_toml {
            return config_file::change(path, yes, |text| entry_toml::uninstall(text, &name, path));
        }
        let shown = format!("{} will no longer have the server '{name}'", path.display());
        config_file::change_json(path, yes, |settings| entry_json::uninstall(settings, &name), |_| shown)
    }
}

/// Says who else can read the key.
fn warn(place: &Place, scope: Scope) -> Result<(), CliError> {
    let path = place.path.display();
    if config_file::is_open(&place.path) {
        print::line(&format!(
            "WARNING: others on this machine can read {path}, which will hold the API key: chmod 600"
        ))?;
    }
    if scope == Scope::Project {
        print::line(&format!("WARNING: {path} will hold the API key: do not commit it"))?;
    }
    Ok(())
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
