//! `hiloop openapi`: prints the OpenAPI document. Needs no store.

use super::CliError;
use crate::http::openapi_text;
use std::io::{ErrorKind, Write as _};

pub(super) fn run() -> Result<(), CliError> {
    match writeln!(std::io::stdout(), "{}", openapi_text()) {
        // Whoever reads may have seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::Other(format!("cannot print: {error}"))),
        _ => Ok(()),
    }
}
