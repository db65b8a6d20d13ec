//! `hiloop openapi`: prints the OpenAPI document. Needs no store.

use super::{CliError, print};
use crate::http::openapi_text;

pub(super) fn run() -> Result<(), CliError> {
    print::line(openapi_text())
}
