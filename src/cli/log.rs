//! Logging: to standard error, as text or JSON.

use crate::config::{ConfigError, LogSettings};
use tracing_subscriber::EnvFilter;

pub(super) fn start(settings: &LogSettings) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&settings.log)
        .map_err(|error| ConfigError { setting: "HILOOP_LOG", problem: error.to_string() })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.log_format.as_str() {
        "text" => builder.init(),
        "json" => builder.json().init(),
        other => {
            let problem = format!("'{other}' must be text or json");
            return Err(ConfigError { setting: "HILOOP_LOG_FORMAT", problem });
        }
    }
    // Where, and no more: a panic's text may hold what it failed on.
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, "panicked");
    }));
    Ok(())
}
