//! The space that a command works in.

use super::CliError;
use crate::clock::{Clock as _, SystemClock};
use crate::domain::people::Space;
use crate::service::directory::spaces;
use crate::store::Store;

/// Finds or creates a space.
pub(super) async fn space_to_use(store: &dyn Store, name: &str) -> Result<Space, CliError> {
    let space = spaces::ensure(store, name, SystemClock.now()).await?;
    space.ok_or_else(|| CliError::Other(format!("the space '{name}' is deactivated")))
}
