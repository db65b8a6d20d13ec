//! Output of commands. A closed pipe, as in `hiloop openapi | head -1`, is no failure and no panic.

use super::CliError;
use std::io::{self, ErrorKind, Write as _};

/// Prints a line to standard output.
pub(super) fn line(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::Other(format!("cannot print: {error}"))),
        _ => Ok(()),
    }
}

/// Prints a line to standard error, if it is open.
pub(super) fn problem(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
