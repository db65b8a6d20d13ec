//! Logging: to standard error, as text or JSON. A log line that can't be written is dropped; the program continues.

use crate::config::{ConfigError, LogSettings};
use std::io;
use tracing_subscriber::EnvFilter;

/// Standard error, which may be closed or on a full disk.
struct Lossy;

impl io::Write for Lossy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::Write::write_all(&mut io::stderr(), bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::Write::flush(&mut io::stderr());
        Ok(())
    }
}

pub(super) fn start(settings: &LogSettings) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&settings.log)
        .map_err(|error| ConfigError { setting: "HILOOP_LOG", problem: error.to_string() })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Lossy);
    // An internal error would be printed to standard error, and panic where that can't be written.
    let builder = builder.log_internal_errors(false);
    match settings.log_format.as_str() {
        "text" => builder.init(),
        "json" => builder.json().init(),
        other => {
            let problem = format!("'{other}' must be text or json");
            return Err(ConfigError { setting: "HILOOP_LOG_FORMAT", problem });
        }
    }
    // Only the location: a panic's message may hold content of users.
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(at, "panicked");
    }));
    Ok(())
}
